"""`fractrain cost`: cycles, time and energy of a training step on a machine, and the work of the
host."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import astuple, replace

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import (
    BATCH,
    DEFAULT_MODE,
    FLAG,
    RUN_FOLDER,
    SEVERAL,
    config_option,
    file_option,
    mode_option,
)
from fractrain.host.files.atomic import write_whole
from fractrain.host.files.outputs import check_files, write_json
from fractrain.host.machines.sources import load_traces
from fractrain.host.machines.whole_steps import ABOUT as ABOUT_WHOLE_STEPS
from fractrain.host.machines.whole_steps import HEADS as WHOLE_STEP_HEADS
from fractrain.host.machines.whole_steps import WholeStepMachine, applied, savings
from fractrain.host.modelling.step_programs import MEMORIES
from fractrain.host.modelling.tables import host_table, step_table, whole_step_table
from fractrain.host.modelling.tables.case import BLOCKS, Case
from fractrain.host.modelling.whole_steps import mixed_blocks
from fractrain.host.networks.network import Network
from fractrain.host.networks.registry import build_network
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.host.plugins.option import Option
from fractrain.host.reports.markdown_page import markdown_page
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import (
    DEFAULT_PRESET,
    WHOLE_STEP_PRESET,
    Parameters,
    load_parameters,
)
from fractrain.hw.contract.tables import markdown_table, terminal_table
from fractrain.hw.contract.values import OneWord, Real, Whole
from fractrain.sim.progress import work

CHANNELS, CLASSES, SIZE = 3, 10, 32
PRECISIONS = ["8,8,8", "4,4,6", "3,3,6"]
LARGEST = 96
"""Rows and columns of images; 128 take the cycle model minutes."""

MOST_COUNTED = 8192 * 32**2
"""Images x pixels with --host, which compiles the programs: tensors stay far below 4 GB."""

EPILOG = """\
All figures are modelled; docs/step_model.md has the formulas, the sources of the energy model's
constants, and how far the sum of passes is off. Convolutions only. The first convolution and the
shortcuts run at 8/8/8.

One precision holds for all residual blocks; several, joined by +, for the blocks in turn; 0,0,0
skips a block. --memory port is array time: ideal memory, results leave at the port. ddr is the
target's memory, with results narrowed to 16 bits. --check simulates the whole step on the cycle
model, too, in up to a minute each, and says how far the sum of passes is off.

--host counts what the host does around the convolutions of such a step, kind by kind, and models
how long the board's processor takes for it (docs/host_work.md); --gates with what gates add.
--mode float counts float32 around the convolutions; these are the same. With --whole-step, or on
another machine with a vector unit, it is what remains around a whole step.

--whole-step models the whole step of a machine with a vector unit as one program, in a quarter of a
minute for resnet38 and 128 images: time and energy with the array time beside them, and for each
stage of the network what the others waited for (docs/whole_step.md). --rate is the memory's in
GB/s, --stash-rate that of a second one with the stash alone, as the ZC706 has one at its logic.
--check models every burst, ten times as long. --mix assigns precisions to blocks by shares in
percent. --of takes the bits of a run, of a trace or summary file, or of a mix (fractrain trace
--help), with --networks on other networks, too.

examples:
  fractrain cost --networks resnet38 --batch 128
  fractrain cost --precisions 8,8,8 3,3,6+0,0,0 --memory port ddr --check
  fractrain cost --whole-step --networks resnet38 --precisions 8,8,8 --rate 3.4
  fractrain cost --whole-step --networks resnet38 --mix 60:4,4,6+40:6,4,8 --rate 3.4
  fractrain cost --whole-step --of runs/latest
  fractrain cost --host --whole-step --networks resnet38
  fractrain cost --host --networks resnet20 resnet38 --precisions 8,8,8 --json host.json"""


PIXELS = Whole(1, LARGEST, "the cycle model takes half a minute for larger ones")
OPTIONS = (
    config_option(None, shown=f"{DEFAULT_PRESET}; with --whole-step {WHOLE_STEP_PRESET}"),
    Option("networks", "", None, None, SEVERAL, "NAME", shown="resnet20; with --of the run's"),
    Option(
        "precisions",
        "of the residual blocks",
        default=PRECISIONS,
        form=SEVERAL,
        metavar="A,W,E[+A,W,E]",
        shown=" ".join(PRECISIONS),
    ),
    Option("batch", "images", BATCH, [128], SEVERAL, "N", shown="128"),
    Option("size", "rows and columns", PIXELS, SIZE, metavar="PIXELS"),
    Option("memory", "", OneWord(MEMORIES), ["port"], SEVERAL, shown="port"),
    mode_option(),
    Option("check", "compare with whole steps on the cycle model", form=FLAG),
    Option("whole_step", "of a machine with a vector unit: the whole step", form=FLAG),
    Option(
        "of",
        "with --whole-step: of the steps of a run, against FW8/BW8",
        form=SEVERAL,
        metavar="RUN",
    ),
    RUN_FOLDER,
    Option("mix", "with --whole-step: shares of precisions", metavar="PERCENT:A,W,E[+...]"),
    Option("rate", "with --whole-step: of memory, in GB/s", Real(0.1, 100), metavar="GB/S"),
    Option(
        "stash_rate",
        "with --whole-step: of a second memory, which has the stash",
        Real(0.1, 100),
        metavar="GB/S",
    ),
    Option("host", "count the work of the host, too", form=FLAG),
    Option("gates", "with --host: gates choose the precisions", form=FLAG),
    file_option("json", "with --host: write all figures there"),
    file_option("out", "write the table there, as Markdown"),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``cost`` and its options."""
    description = "Say what a training step costs on a machine (modelled)."
    add_command(subparsers, "cost", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Model, print, write."""
    if args.config is None:
        args.config = WHOLE_STEP_PRESET if args.whole_step else DEFAULT_PRESET
    parameters = load_parameters(args.config)
    for text in args.precisions:
        BLOCKS.read("--precisions", text)
    networks = [_network(name) for name in args.networks or ["resnet20"]]
    _check_options(args)
    if args.mix:
        args.precisions = [args.mix]
    check_files(args.out, args.json)
    if args.of:
        return _finish(args, _show_runs(args))
    args.networks = args.networks or ["resnet20"]
    cases = [
        _case(args, network, batch, memory, blocks)
        for network in networks
        for memory in args.memory
        for batch in args.batch
        for blocks in args.precisions
    ]
    for case in cases if args.check and not args.whole_step else ():
        step_table.check_whole(case)
    show = _show_host if args.host else _show_whole if args.whole_step else _show_steps
    return _finish(args, show(args, parameters, cases))


def _finish(args: argparse.Namespace, page: str) -> int:
    if args.out:
        write_whole(args.out, page)
        print(f"\ntable: {args.out}")
    return 0


def _show_steps(args: argparse.Namespace, parameters: Parameters, cases: Sequence[Case]) -> str:
    """Model and print; return the page."""
    say, rows = work(), []
    for number, case in enumerate(cases, 1):
        say(f"{number} of {len(cases)}: {case.network.name}, {case.blocks}, {case.memory}")
        rows.append(step_table.step_row(case, parameters, check=args.check))
    say("")
    heads, about = step_table.HEADS, step_table.ABOUT
    if args.check:
        heads, about = step_table.CHECK_HEADS, f"{about} {step_table.ABOUT_CHECK}"
    print(terminal_table(heads, rows))
    print("all figures modelled, convolutions only")
    table = markdown_table(heads, rows)
    return markdown_page("Cost of training steps", about, _command(args), table)


def _case(args: argparse.Namespace, network: Network, batch: int, memory: str, blocks: str) -> Case:
    images = batch, CHANNELS, args.size, args.size
    case = Case(network, images, blocks, memory, args.gates, args.mode)
    if not args.mix:
        return case
    count = len(replace(case, blocks="8,8,8").step.blocks)
    given = mixed_blocks(blocks, count)
    return replace(case, blocks="+".join(",".join(map(str, astuple(each))) for each in given))


def _show_whole(args: argparse.Namespace, parameters: Parameters, cases: Sequence[Case]) -> str:
    """Model and print; return the page."""
    say, rows, parts = work(), [], []
    for number, case in enumerate(cases, 1):
        say(f"{number} of {len(cases)}: {case.network.name}, {args.mix or case.blocks}")
        cost = whole_step_table.whole_step(
            case, parameters, args.rate, args.stash_rate, check=args.check
        )
        row = whole_step_table.row(case, cost, parameters, args.rate, args.stash_rate)
        rows.append([row[0], args.mix or case.blocks, *row[2:]])
        parts.append(whole_step_table.sections(cost))
        say("")
        print(f"{case.title}\n{parts[-1]}\n")
    print(terminal_table(whole_step_table.HEADS, rows))
    print("all figures modelled")
    table = markdown_table(whole_step_table.HEADS, rows)
    about = whole_step_table.ABOUT
    fenced = (f"```\n{each}\n```" for each in parts)
    return markdown_page("Cost of whole training steps", about, _command(args), table, *fenced)


def _show_runs(args: argparse.Namespace) -> str:
    """Model and print; return the page."""
    say, parts = work(), []
    machine = WholeStepMachine(args.config, args.rate)
    for trace in load_traces(args.of, args.runs):
        given = [applied(trace, name) for name in args.networks or ()] or [trace]
        for each in given:
            rows = savings(each, machine, say)
            say("")
            title = f"{each.name}: {each.steps:,.6g} steps of {each.batch} images"
            print(f"{title}\n{terminal_table(WHOLE_STEP_HEADS, rows)}\n")
            parts += [title, markdown_table(WHOLE_STEP_HEADS, rows)]
    print("all figures modelled, of a host that takes no time")
    title = "Whole training steps of runs"
    return markdown_page(title, ABOUT_WHOLE_STEPS, _command(args), *parts)


def _show_host(args: argparse.Namespace, parameters: Parameters, cases: Sequence[Case]) -> str:
    """Count, model and print; write the figures if asked to; return the page."""
    say, steps = work(), []
    for number, case in enumerate(cases, 1):
        say(f"{number} of {len(cases)}: {case.title}")
        steps.append(host_table.host_step(case, parameters))
        say("")
        print(f"{steps[-1].text()}\n")
    print(host_table.REMARK)
    if args.json:
        write_json(args.json, host_table.host_document(steps))
        print(f"\n{args.json}")
    parts = [*(step.markdown() for step in steps), host_table.kinds_section(steps)]
    title = "The host's work in a training step"
    return markdown_page(title, host_table.REMARK, _command(args), *parts)


def _is_set(args: argparse.Namespace, name: str) -> bool:
    return bool(getattr(args, name.replace("-", "_")))


def _command(args: argparse.Namespace) -> str:
    """The command line that reproduces the page."""
    kind = "".join(f" --{name}" for name in ("host", "whole-step") if _is_set(args, name))
    options = [f"cost{kind}", f"--config {args.config}"]
    names: tuple[str, ...] = "networks", "batch", "memory", "mix" if args.mix else "precisions"
    if args.of:
        options.append(f"--of {shlex.join(args.of)}")
        names = ("networks",) if args.networks else ()
    for option, rate in (("--rate", args.rate), ("--stash-rate", args.stash_rate)):
        if rate is not None:
            options.append(f"{option} {rate:g}")
    for name in names:
        if name == "mix":
            options.append(f"--mix {args.mix}")
            continue
        options.append(f"--{name} {' '.join(map(str, getattr(args, name)))}")
    if args.mode != DEFAULT_MODE:
        options.append(f"--mode {args.mode}")
    if args.size != SIZE:
        options.append(f"--size {args.size}")
    options += [f"--{name}" for name in ("check", "gates") if getattr(args, name)]
    return " ".join([*options, f"--out {args.out}"])


def _check_options(args: argparse.Namespace) -> None:
    """Raise `ParameterError` for options that belong to the other kind of table."""
    for name, given in (("gates", args.gates), ("json", args.json and str(args.json))):
        if given and not args.host:
            raise ParameterError(f"--{name}", given, "with --host only")
    whole = (
        *(("mix", args.mix), ("rate", args.rate), ("stash-rate", args.stash_rate)),
        ("of", args.of and " ".join(args.of)),
    )
    for name in ("mix", "stash_rate", "check"):
        if args.of and getattr(args, name):
            raise ParameterError(f"--{name.replace('_', '-')}", getattr(args, name), "without --of")
    for name, given in whole:
        if given is not None and not args.whole_step:
            raise ParameterError(f"--{name}", given, "with --whole-step only")
    for name, given in whole:
        if given is not None and args.host:
            raise ParameterError(f"--{name}", given, "without --host only")
    usual = {"precisions": PRECISIONS, "batch": [128], "size": SIZE, "memory": ["port"]}
    for name, value in usual.items():
        if args.of and (given := getattr(args, name)) != value:
            raise ParameterError(f"--{name}", given, "without --of, which has its own")
    if args.mix and args.precisions != PRECISIONS:
        raise ParameterError("--precisions", args.precisions, "without --mix, which has its own")
    if args.rate is not None and args.memory != usual["memory"]:
        raise ParameterError("--memory", args.memory, "without --rate, which stands for one")
    if args.check and args.host:
        raise ParameterError("--check", True, "without --host only")
    for batch in args.batch if args.host else ():
        if batch * args.size**2 > MOST_COUNTED:
            allowed = f"at most {MOST_COUNTED // args.size**2} images of that size with --host"
            raise ParameterError("--batch", batch, allowed)


def _network(name: str) -> Network:
    return build_network(name, channels=CHANNELS, classes=CLASSES, rng=generator(0, Stream.WEIGHTS))
