"""`fractrain cost`: what a training step costs on a machine, in cycles, time and energy, and what
the host does for it."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fractrain.host.cli.cost_host import HostCase, host_report
from fractrain.host.cli.options import BATCH, add_config
from fractrain.host.files.outputs import check_files, progress, write_text
from fractrain.host.modelling import StepModel, layer_precisions, layer_shapes
from fractrain.host.modelling.layers import MEMORIES, training_program
from fractrain.host.modelling.pass_costs import predict_program
from fractrain.host.networks.resnet import ResNet, build_network, depth_of
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.host.reports.units import BYTES, JOULES, SECONDS
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters, load_parameters
from fractrain.hw.contract.precision import PRECISION, Precision
from fractrain.hw.contract.tables import terminal_table
from fractrain.hw.contract.values import Several, Whole

CHANNELS, CLASSES, SIZE = 3, 10, 32
BLOCKS = Several(PRECISION, 1, 600, "precisions A,W,E joined by +", "3,3,6+8,8,8", separator="+")
LARGEST = 96
"""Rows and columns of images; 128 take the cycle model minutes."""

MOST_COUNTED = 8192 * 32**2
"""Images x pixels with --host, whose programs are compiled: tensors far within 4 GB."""

MOST_CHECKED = 110 * 128 * 32**2
"""Layers x images x pixels of a step that is simulated whole, which takes some minutes then."""

EPILOG = """\
All figures are modelled; docs/step_model.md has the formulas, the sources of the energy model's
constants, and how far the sum of passes is off. Convolutions only. The first convolution and the
shortcuts run at 8/8/8.

A precision is that of all residual blocks, or several for the blocks in turn, joined by +; 0,0,0
skips a block. --memory port is array time: ideal memory, results leave at the port. ddr is the
ZC706's DDR3, with results narrowed to 16 bits. --check simulates the whole step on the cycle model,
too, in up to a minute each, and says how far the sum of passes is off.

--host counts what the host does around the convolutions of such a step, kind by kind, and models
how long the board's processor takes for it (docs/host_work.md); --gates with what gates add.

examples:
  fractrain cost --networks resnet38 --batch 128
  fractrain cost --precisions 8,8,8 3,3,6+0,0,0 --memory port ddr --check
  fractrain cost --host --networks resnet20 resnet38 --precisions 8,8,8 --json host.json"""
HEADS = (
    *("network", "blocks", "memory", "batch", "cycles", "array busy", "moved"),
    *("time", "energy"),
)
CHECK_HEADS = ("whole step, cycles", "error", "busy", "bytes")


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    network: ResNet
    blocks: str
    memory: str
    batch: int


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``cost`` and its options."""
    parser = subparsers.add_parser(
        "cost",
        description="Say what a training step costs on a machine (modelled).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    add_config(parser, default="zc706")
    option("--networks", nargs="+", default=["resnet20"], metavar="NAME")
    option(
        "--precisions",
        nargs="+",
        default=["8,8,8", "4,4,6", "3,3,6"],
        metavar="A,W,E[+A,W,E]",
        help="of the residual blocks (default: 8,8,8 4,4,6 3,3,6)",
    )
    option(
        "--batch", nargs="+", type=BATCH, default=[128], metavar="N", help="images (default: 128)"
    )
    option(
        "--size",
        type=Whole(1, LARGEST, "the cycle model takes half a minute for larger ones"),
        default=SIZE,
        metavar="PIXELS",
        help="rows and columns (default: 32)",
    )
    option("--memory", nargs="+", default=["port"], choices=MEMORIES)
    option("--check", action="store_true", help="compare with whole steps on the cycle model")
    option("--host", action="store_true", help="count the work of the host, too")
    option("--gates", action="store_true", help="with --host: gates choose the precisions")
    option("--json", type=Path, metavar="FILE", help="with --host: write all figures there")
    option("--out", type=Path, metavar="FILE", help="write the table there, as Markdown")


def run(args: argparse.Namespace) -> int:
    """Model, print, write."""
    parameters = load_parameters(args.config)
    for text in args.precisions:
        parse_blocks(text, 1)
    for name in args.networks:
        depth_of(name)
    _check_options(args)
    check_files(args.out, args.json)
    networks = [_network(name) for name in args.networks]
    cases = [
        Case(network, blocks, memory, batch)
        for network in networks
        for memory in args.memory
        for batch in args.batch
        for blocks in args.precisions
    ]
    if args.host:
        host_report(args, parameters, [_host_case(case, gates=args.gates) for case in cases])
        return 0
    say = progress()
    rows = []
    for number, case in enumerate(cases, 1):
        say(f"{number} of {len(cases)}: {case.network.name}, {case.blocks}, {case.memory}")
        rows.append(_row(case, parameters, args.size, check=args.check))
    say("")
    heads = (*HEADS, *CHECK_HEADS) if args.check else HEADS
    print(terminal_table(heads, rows))
    print("all figures modelled, convolutions only")
    if args.out:
        write_text(args.out, _markdown(args, heads, rows))
        print(f"\ntable: {args.out}")
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """Raise `ParameterError` for options of one kind of table with the other."""
    for name, given in (("gates", args.gates), ("json", args.json and str(args.json))):
        if given and not args.host:
            raise ParameterError(f"--{name}", given, "with --host only")
    if args.check and args.host:
        raise ParameterError("--check", True, "without --host only")
    for batch in args.batch if args.host else ():
        if batch * args.size**2 > MOST_COUNTED:
            allowed = f"at most {MOST_COUNTED // args.size**2} images of that size with --host"
            raise ParameterError("--batch", batch, allowed)
    if not args.check:
        return
    for name, batch in itertools.product(args.networks, args.batch):
        if (work := depth_of(name) * batch * args.size**2) > MOST_CHECKED:
            allowed = f"at most {batch * MOST_CHECKED // work} images of {name} with --check"
            raise ParameterError("--batch", batch, allowed, hint="a whole step takes minutes then")


def _host_case(case: Case, *, gates: bool) -> HostCase:
    blocks = parse_blocks(case.blocks, len(case.network.blocks))
    return HostCase(case.network, case.blocks, blocks, case.batch, case.memory, gates)


def parse_blocks(text: str, count: int) -> list[Precision]:
    """``3,3,6+8,8,8``: precisions for ``count`` blocks, in turn."""
    given = BLOCKS.read("--precisions", text)
    return [given[number % len(given)] for number in range(count)]


def _network(name: str) -> ResNet:
    return build_network(name, channels=CHANNELS, classes=CLASSES, rng=generator(0, Stream.WEIGHTS))


def _row(case: Case, parameters: Parameters, size: int, *, check: bool) -> list[str]:
    layers = layer_shapes(case.network, (size, size))
    blocks = parse_blocks(case.blocks, len(case.network.blocks))
    precisions = layer_precisions(case.network, blocks)
    cost = StepModel(parameters, layers, case.batch, case.memory).cost(precisions)
    row = [
        case.network.name,
        case.blocks,
        case.memory,
        str(case.batch),
        f"{cost.cycles:,.0f}",
        f"{100 * cost.busy_cycles / cost.cycles:.1f} %",
        BYTES.text(cost.bytes_moved),
        SECONDS.text(cost.seconds),
        JOULES.text(cost.joules),
    ]
    if not check:
        return row
    program, slots = training_program(parameters, layers, case.batch, precisions, case.memory)
    whole = predict_program(program, slots, case.memory)
    modelled = cost.cycles, cost.busy_cycles, cost.bytes_moved
    errors = [100 * (given / wanted - 1) for given, wanted in zip(modelled, whole, strict=True)]
    return [*row, f"{whole[0]:,}", *(f"{error:+.2f} %" for error in errors)]


def _markdown(args: argparse.Namespace, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    options = [f"--config {args.config}"]
    for name in ("networks", "batch", "memory", "precisions"):
        options.append(f"--{name} {' '.join(map(str, getattr(args, name)))}")
    if args.size != SIZE:
        options.append(f"--size {args.size}")
    text = "All figures are modelled (docs/step_model.md), convolutions only."
    if args.check:
        text += (
            " Behind the energy: the same step on the cycle model as one command stream, and by "
            "how much the sum of passes differs from it."
        )
    lines = [
        "# Cost of training steps",
        "",
        f"{text} Made by",
        "",
        f"    fractrain cost {' '.join(options)}{' --check' if args.check else ''}"
        f" --out {args.out}",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
    ]
    return "\n".join(lines)
