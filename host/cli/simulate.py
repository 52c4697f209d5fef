"""`fractrain simulate`: the convolutions of a training step on the RTL, each compared with the
model."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from host.accelerator import Accelerator
from host.backends.cosim import CosimAccelerator
from host.cli.options import add_config
from host.cli.output import prepare_folder, progress, write_json
from host.cli.simulate_report import Measured, Report
from host.datasets import load_dataset
from host.optional import needs_extra
from host.random_streams import Stream, generator
from host.simulation.programs import Job, ResultForm, make_job
from host.simulation.roofline import draw_roofline
from host.simulation.step import TrainingStep, parse_blocks, record_training_step
from hw.contract.errors import ParameterError
from hw.contract.parameters import Parameters, load_engine
from hw.contract.precision import Precision
from sim.cycles import predict
from sim.memory_model import MemoryModel

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

examples:
  fractrain simulate
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
    option("--batch", type=int, default=2, metavar="N", help="images (default: 2)")
    option(
        "--precision",
        default="4,4,6",
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
    option("--seed", type=int, default=0, help="of images, weights and rounding (default: 0)")
    option(
        "--out",
        type=Path,
        default=Path("simulation"),
        metavar="FOLDER",
        help="for figures.json and roofline.svg (default: simulation)",
    )


def run(args: argparse.Namespace) -> int:
    """Simulate, print the table, write figures and picture."""
    parameters = load_engine(args.config)
    precision = Precision.parse(args.precision)
    _check(args, precision)
    memory = (
        MemoryModel.ideal() if args.memory == "ideal" else MemoryModel.ddr(parameters.clock_mhz)
    )
    prepare_folder(args.out)
    say = progress()
    say("recording a training step on the golden model")
    training = record_training_step(
        args.model,
        _images(args),
        parameters,
        precision,
        seed=args.seed,
        blocks=parse_blocks(args.blocks) if args.blocks else None,
        uniform=args.uniform,
    )
    started = time.monotonic()
    report = _simulate(parameters, training, ResultForm(args.results), memory, say)
    say("")
    print(report.table())
    print(f"\n{report.geometry_table()}")
    print(report.summary(args.config, time.monotonic() - started))
    document = {
        name: getattr(args, name)
        for name in ("config", "model", "blocks", "batch", "precision", "uniform", "data")
    }
    document |= {"memory": args.memory, "results": args.results, "seed": args.seed}
    write_json(args.out / "figures.json", document | report.document())
    draw_roofline(
        args.out / "roofline.svg",
        report.points(),
        parameters,
        bytes_per_cycle=report.bytes_per_cycle(memory),
        title=f"{args.model} on {args.config}, batch {args.batch}, precision {precision}",
    )
    print(f"figures and picture: {args.out}/figures.json, {args.out}/roofline.svg")
    return 0


def _check(args: argparse.Namespace, precision: Precision) -> None:
    if 0 in (precision.activation, precision.weight, precision.error):
        raise ParameterError("precision", args.precision, "at least 1 bit of each operand")
    if args.batch < 1:
        raise ParameterError("batch", args.batch, "at least 1")


def _images(args: argparse.Namespace) -> NDArray[np.uint8]:
    if args.data == "random":
        numbers = generator(args.seed, Stream.DATA)
        return numbers.integers(0, 256, (args.batch, 3, 32, 32), dtype=np.uint8)
    with needs_extra("train"):
        images, _ = next(iter(load_dataset("digits").epoch(args.batch, seed=args.seed, epoch=0)))
    return images


def _simulate(
    parameters: Parameters,
    training: TrainingStep,
    form: ResultForm,
    memory: MemoryModel,
    say: Callable[[str], None],
) -> Report:
    """Every convolution alone, then all of them as one program."""
    say("compiling the programs and, unless it is cached, the RTL")
    whole = make_job(parameters, training, training.calls, form)
    rows = []
    with CosimAccelerator(parameters, memory=memory) as machine:
        for number, call in enumerate(training.calls, 1):
            say(f"{number} of {len(training.calls)}: {call.name}, {call.pass_.label}")
            job = make_job(parameters, training, [call], form)
            rows.append((call, measure(machine, job, training, memory)))
        say("the whole step in one command stream")
        total = measure(machine, whole, training, memory)
    return Report(parameters, rows, total)


def measure(
    machine: Accelerator, job: Job, training: TrainingStep, memory: MemoryModel
) -> Measured:
    """Run ``job``, compare its results, and ask the cycle model what it expects."""
    precisions = dict(enumerate(training.precisions))
    before = machine.counters
    job.check(machine.run(job.program, job.operands, precisions))
    predicted = predict(
        machine.parameters,
        job.program.decoded,
        precisions,
        memory,
        program_address=job.program.program_address,
    )
    return Measured(machine.counters - before, predicted)
