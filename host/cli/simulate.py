"""`fractrain simulate`: the convolutions of a training step on the RTL, each compared with the
model."""

from __future__ import annotations

import argparse
import time
from dataclasses import astuple
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fractrain.host.cli.options import BATCH, add_config
from fractrain.host.cli.simulate_run import WHOLE, StepSimulation
from fractrain.host.cli.simulate_trace import (
    add_trace,
    open_waveform,
    saving,
    trace_document,
    trace_text,
)
from fractrain.host.datasets import load_dataset
from fractrain.host.files.outputs import (
    check_files,
    prepare_folder,
    progress,
    write_json,
    write_text,
)
from fractrain.host.graph.choice import is_skip
from fractrain.host.numerics.random_streams import SEED, Stream, generator
from fractrain.host.simulation.programs import ResultForm
from fractrain.host.simulation.roofline import roofline, roofs_of
from fractrain.host.simulation.step import check_step, parse_blocks, record_training_step
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.installation import needs_extra
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import PRECISION, Precision
from fractrain.sim.memory_model import MemoryModel

FIGURES, ROOFLINE = "figures.json", "roofline.svg"

EPILOG = """\
One batch goes forward and backward through the network on the golden model; then every one of
its convolutions runs on the generated RTL, alone and once more in one command stream for the
whole step, and every result must be equal bit for bit. If not, the command says where and ends
with code 6.

Utilization counts useful work only: one-bit multiply-adds of the convolutions over what the
array could do in all cycles. The second table has all convolutions of one geometry together;
"useful of busy" is what windows, lanes and tiles that are not full leave of the array. "model" is
the cycle model's prediction and its error.

--memory ideal moves 8 bytes per port and cycle with a short latency; ddr is the ZC706's DDR3
behind its HP ports (see docs/engine.md). --results port sends sums to the array's 64-per-cycle
port, raw writes them to memory in 32 or 48 bits, planes narrows them to 16 bits first.

--trace records a waveform of everything that is simulated: `surfer FILE.fst` or `gtkwave FILE.fst`
shows it. The engine is convolution_engine; its parts (fetch, execute, result, tokens, memory,
registers) are named as in docs/engine.md. Left out: memories, the inside of the array's units, and
signals of more than 64 bits.

examples:
  fractrain simulate --model resnet8 --config tiny --blocks 0
  fractrain simulate --model resnet8 --config tiny --blocks 0 --trace wave.fst
  fractrain simulate --model resnet20 --config zc706 --batch 16 --precision 4,4,6
  fractrain simulate --model resnet38 --config zc706 --blocks 0..2 --memory ddr --results raw"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``simulate`` and its options."""
    parser = subparsers.add_parser(
        "simulate",
        description="Run the convolutions of a training step on the generated RTL and check them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    add_config(parser, default="tiny")
    option("--model", default="resnet8", help="resnet8, resnet14, resnet20, … (default: resnet8)")
    option(
        "--blocks",
        metavar="I..J",
        help="only residual blocks I to J of the network, from 0 (default: all layers)",
    )
    option("--batch", type=BATCH, default=2, metavar="N", help="images (default: 2)")
    option(
        "--precision",
        type=PRECISION,
        default=Precision(4, 4, 6),
        metavar="A,W,E",
        help="bits of activations, weights and errors in the blocks (default: 4,4,6)",
    )
    option(
        "--uniform",
        action="store_true",
        help="that precision for the first convolution and the shortcuts, too (default: 8,8,8)",
    )
    option(
        "--data",
        default="random",
        choices=("random", "digits"),
        help="images: random 3 x 32 x 32 ones, or the bundled digits (default: random)",
    )
    option(
        "--memory",
        default="ideal",
        choices=("ideal", "ddr"),
        help="how the memory behaves (default: ideal)",
    )
    option(
        "--results",
        default="port",
        choices=[form.value for form in ResultForm],
        help="how results leave (default: port)",
    )
    option("--seed", type=SEED, default=0, help="of images, weights and rounding (default: 0)")
    option(
        "--out",
        type=Path,
        default=Path("simulation"),
        metavar="FOLDER",
        help="for figures.json and roofline.svg (default: simulation)",
    )
    add_trace(parser)


def run(args: argparse.Namespace) -> int:
    """Simulate, print the table, write figures and picture."""
    parameters = load_parameters(args.config)
    precision: Precision = args.precision
    blocks = None if args.blocks is None else parse_blocks(args.blocks)
    _check(args, blocks)
    memory = (
        MemoryModel.ideal() if args.memory == "ideal" else MemoryModel.ddr(parameters.clock_mhz)
    )
    waveform = open_waveform(args)
    prepare_folder(args.out)
    check_files(args.out / FIGURES, args.out / ROOFLINE)
    say = progress()
    say("recording a training step on the golden model")
    training = record_training_step(
        args.model,
        _images(args),
        parameters,
        precision,
        seed=args.seed,
        blocks=blocks,
        uniform=args.uniform,
    )
    started = time.monotonic()
    with saving(waveform, args.trace):
        simulation = StepSimulation(parameters, training, ResultForm(args.results), memory, say)
        report = simulation.run(waveform)
    say("")
    print(report.table())
    print(f"\n{report.geometry_table()}")
    print(report.summary(args.config, time.monotonic() - started))
    if waveform:
        begin, cycles = simulation.begins[WHOLE], simulation.cycles
        print(trace_text(waveform, args.trace, parameters, begin, cycles))
    document = {
        name: getattr(args, name)
        for name in ("config", "model", "blocks", "batch", "uniform", "data")
    }
    document["precision"] = ",".join(map(str, astuple(precision)))
    document |= {"memory": args.memory, "results": args.results, "seed": args.seed}
    document |= report.document()
    document |= trace_document(waveform, args.trace, simulation.begins)
    write_json(args.out / FIGURES, document)
    roofs = roofs_of(
        parameters,
        report.bytes_per_cycle(memory),
        "ports, ideal memory" if args.memory == "ideal" else "DDR3, modelled",
    )
    title = f"Roofline: {args.model} on {args.config}, batch {args.batch}, precision {precision}"
    picture = roofline(report.points(), report.step_point(), roofs, title)
    write_text(args.out / ROOFLINE, picture)
    print(f"figures and picture: {args.out / FIGURES}, {args.out / ROOFLINE}")
    return 0


def _check(args: argparse.Namespace, blocks: range | None) -> None:
    if is_skip(args.precision):
        given = ",".join(map(str, astuple(args.precision)))
        raise ParameterError("--precision", given, "at least 1 bit of each operand")
    check_step(args.model, args.batch, blocks)


def _images(args: argparse.Namespace) -> NDArray[np.uint8]:
    if args.data == "random":
        numbers = generator(args.seed, Stream.DATA)
        return numbers.integers(0, 256, (args.batch, 3, 32, 32), dtype=np.uint8)
    with needs_extra("train"):
        images, _ = next(iter(load_dataset("digits").epoch(args.batch, seed=args.seed, epoch=0)))
    return images
