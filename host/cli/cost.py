"""`fractrain cost`: cycles, time and energy of a training step on a machine, and the work of the
host."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import (
    BATCH,
    DEFAULT_MODE,
    FLAG,
    SEVERAL,
    config_option,
    file_option,
    mode_option,
)
from fractrain.host.files.atomic import write_whole
from fractrain.host.files.outputs import check_files, write_json
from fractrain.host.modelling.step_programs import MEMORIES
from fractrain.host.modelling.tables import host_table, step_table
from fractrain.host.modelling.tables.case import BLOCKS, Case
from fractrain.host.networks.network import Network
from fractrain.host.networks.registry import build_network
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.host.plugins.option import Option
from fractrain.host.reports.markdown_page import markdown_page
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import DEFAULT_PRESET, Parameters, load_parameters
from fractrain.hw.contract.tables import markdown_table, terminal_table
from fractrain.hw.contract.values import OneWord, Whole
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
--mode float counts float32 around the convolutions; these are the same.

examples:
  fractrain cost --networks resnet38 --batch 128
  fractrain cost --precisions 8,8,8 3,3,6+0,0,0 --memory port ddr --check
  fractrain cost --host --networks resnet20 resnet38 --precisions 8,8,8 --json host.json"""


PIXELS = Whole(1, LARGEST, "the cycle model takes half a minute for larger ones")
OPTIONS = (
    config_option(DEFAULT_PRESET),
    Option("networks", "", None, ["resnet20"], SEVERAL, "NAME", shown="resnet20"),
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
    parameters = load_parameters(args.config)
    for text in args.precisions:
        BLOCKS.read("--precisions", text)
    networks = [_network(name) for name in args.networks]
    _check_options(args)
    check_files(args.out, args.json)
    cases = [
        Case(
            network, (batch, CHANNELS, args.size, args.size), blocks, memory, args.gates, args.mode
        )
        for network in networks
        for memory in args.memory
        for batch in args.batch
        for blocks in args.precisions
    ]
    for case in cases if args.check else ():
        step_table.check_whole(case)
    show = _show_host if args.host else _show_steps
    page = show(args, parameters, cases)
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


def _command(args: argparse.Namespace) -> str:
    """The command line that reproduces the page."""
    options = ["cost --host" if args.host else "cost", f"--config {args.config}"]
    for name in ("networks", "batch", "memory", "precisions"):
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
    if args.check and args.host:
        raise ParameterError("--check", True, "without --host only")
    for batch in args.batch if args.host else ():
        if batch * args.size**2 > MOST_COUNTED:
            allowed = f"at most {MOST_COUNTED // args.size**2} images of that size with --host"
            raise ParameterError("--batch", batch, allowed)


def _network(name: str) -> Network:
    return build_network(name, channels=CHANNELS, classes=CLASSES, rng=generator(0, Stream.WEIGHTS))
