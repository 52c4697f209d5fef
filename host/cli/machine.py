"""`fractrain machine`: what one convolution costs on another machine, or on ours."""

from __future__ import annotations

import argparse
import dataclasses
import json

from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import FLAG
from fractrain.host.machines.registry import MACHINES, build_machine
from fractrain.host.modelling.step_programs import MEMORIES
from fractrain.host.plugins.option import Form, Option
from fractrain.hw.contract.errors import UsageError
from fractrain.hw.contract.precision import MAX_BITS, Pass
from fractrain.hw.contract.tables import terminal_table
from fractrain.hw.contract.values import OneWord, Real, Several, Whole
from fractrain.sim.machines.work import Layer, Work
from fractrain.sim.progress import work as progress

MOST = 1 << 20
"""Of each number of a layer."""

PASSES = {each.label: each for each in Pass}

EPILOG = f"""\
A layer is square: kernel, output size, stride, input and output channels. --bits are those of what
the pass multiplies: activations and weights forward, errors and weights in the error pass,
activations and errors in the gradient pass. All figures are modelled; docs/machines.md has the
formulas, their sources and how close they come.

machines:
{chr(10).join(f"  {name:<18} {each.about}" for name, each in MACHINES.items())}

Without options a machine is the one of the published figures that its model reproduces. What is not
published is a free choice: arrays and clocks of Eyeriss, its energy of a DRAM bit, packing, number
and clock of DSPs, and memory that keeps up with them.

examples:
  fractrain machine bit-fusion --layer 3,13,1,512,384 --bits 4,4 --batch 16
  fractrain machine bit-fusion --layer 11,55,4,3,96 --im2col --json
  fractrain machine eyeriss --layer 3,16,2,16,32 --pass error --pes 12x14 --clock-mhz 200
  fractrain machine recursive-dsp --layer 3,16,1,32,32 --bits 4,8 --pass gradient --packing 4,2,2
  fractrain machine zc706 --layer 3,32,1,16,16 --bits 4,4"""

OPTIONS = (
    Option("machine", "", OneWord(tuple(MACHINES)), form=Form.ARGUMENT, metavar="NAME"),
    Option(
        "layer",
        "kernel, output size, stride, input and output channels",
        Several(Whole(1, MOST), 5, 5, "five numbers from 1", "3,13,1,512,384"),
        metavar="K,O,S,IC,OC",
    ),
    Option(
        "bits",
        "of what the pass multiplies",
        Several(Whole(1, MAX_BITS), 2, 2, f"two numbers, each 1..{MAX_BITS}", "4,4"),
        (8, 8),
        metavar="X,Y",
    ),
    Option("batch", "images", Whole(1, MOST), 16, metavar="N"),
    Option("pass", "", OneWord(tuple(PASSES)), Pass.FORWARD.label),
    Option("json", "print all figures as JSON instead", form=FLAG),
)

OF_MACHINES = (
    Option("im2col", "bit-fusion: inputs as a matrix of windows", form=FLAG),
    Option(
        "pes",
        "eyeriss: rows and columns of the array",
        Several(Whole(1, 1024), 2, 2, "rows and columns", "12x14", separator="x"),
        metavar="RxC",
        shown="16x16",
    ),
    Option(
        "clock_mhz",
        "eyeriss, DSPs: of the array, of the logic",
        Real(1, 10_000),
        metavar="MHZ",
        shown="500 of eyeriss, 200 of DSPs",
    ),
    Option(
        "dram_picojoules",
        "eyeriss: of a bit; Bit Fusion's authors have 6 for Eyeriss, 15 for their own",
        Real(0, 1000),
        metavar="PJ",
        shown="15",
    ),
    Option(
        "packing",
        "DSPs: products a cycle of 4x4, 4x8 and 8x8 bits",
        Several(Whole(1, 16), 3, 3, "numbers", "4,3,2"),
        metavar="N,N,N",
        shown="4,3,2 of recursive-dsp, 4,2,2 of the others",
    ),
    Option("dsps", "how many", Whole(1, 1_000_000), metavar="N", shown="the ZC706's 900"),
    Option(
        "dram_bits_per_cycle",
        "DSPs: between memory and array",
        Real(1, 1e6),
        metavar="BITS",
        shown="as many as it takes",
    ),
    Option(
        "memory",
        "zc706: the board's, or ideal and without results",
        OneWord(MEMORIES),
        shown="ddr",
    ),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``machine`` and its options."""
    description = "Say what one convolution costs on a machine of the literature, or on ours."
    options = [
        *OPTIONS,
        *(dataclasses.replace(each, group="options of machines") for each in OF_MACHINES),
    ]
    add_command(subparsers, "machine", description, EPILOG, options)


def run(args: argparse.Namespace) -> int:
    """Model and print."""
    if args.layer is None:
        raise UsageError("--layer is needed: K,O,S,IC,OC (fractrain machine --help)")
    given = {each.name: getattr(args, each.name) for each in OF_MACHINES}
    machine = build_machine(args.machine, given | {"im2col": args.im2col or None})
    which = getattr(args, "pass")
    kernel, output, stride, inputs, outputs = args.layer
    layer = Layer(kernel, output, stride, inputs, outputs, args.batch)
    asked = Work(layer, PASSES[which], args.bits)
    say = progress()
    say(f"asking the model of {machine.name}")
    try:
        figures = dataclasses.asdict(machine.figures(asked))
    finally:
        say("")
    notes = figures.pop("notes")
    if args.json:
        about = {
            "machine": machine.name,
            "layer": list(asked.layer.numbers),
            "batch": args.batch,
            "pass": which,
            "bits": list(args.bits),
        }
        print(json.dumps({**about, **figures, "notes": list(notes)}, indent=2))
        return 0
    rows = [[name.replace("_", " "), _number(value)] for name, value in figures.items()]
    print(terminal_table([f"{machine.name}, {which}", asked.layer.text], rows))
    for each in ("modelled", *notes):
        print(each)
    return 0


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
