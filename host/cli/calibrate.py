"""`fractrain calibrate`: the cycle model beside the RTL, network by network."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fractrain.host.accelerator import Accelerator
from fractrain.host.backends.cosim import CosimAccelerator
from fractrain.host.cli.calibrate_run import MEMORIES, calibrate_run
from fractrain.host.cli.model_errors import REASON
from fractrain.host.cli.options import BATCH, add_config
from fractrain.host.cli.simulate_report import STALLS, Measured
from fractrain.host.cli.simulate_run import measure
from fractrain.host.counters import Counters
from fractrain.host.files.outputs import check_files, progress, write_text
from fractrain.host.graph.choice import is_skip
from fractrain.host.numerics.random_streams import SEED, Stream, generator
from fractrain.host.simulation.programs import ResultForm, make_job
from fractrain.host.simulation.step import (
    TrainingStep,
    check_step,
    record_training_step,
    useful_bit_products,
)
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters, load_parameters
from fractrain.hw.contract.precision import PRECISION, Precision
from fractrain.hw.contract.tables import terminal_table
from fractrain.sim.memory_model import MemoryModel

NETWORKS = ("resnet8", "resnet20", "resnet38")
PRECISIONS = ("8,8,8", "4,4,8", "4,4,6", "3,3,6")
IMAGES = 2
DEFAULTS = {
    "config": "zc706",
    "networks": list(NETWORKS),
    "precisions": list(PRECISIONS),
    "batch": IMAGES,
    "seed": 0,
}
EPILOG = """\
Every convolution of a training step runs as one command stream, on the RTL and on the cycle
model, with an ideal memory and sums at the result port, and with the DDR model and sums raw or
narrowed to 16-bit planes in memory. The table says how far the model is off: cycles relative to
the RTL's, busy and stall cycles relative to all cycles, bytes relative to the RTL's.

--uniform gives the first convolution and the shortcuts the precision of the blocks.

--run takes the programs of a training run that logged them (train --log-programs) instead, on cosim
or on a board: as measured there, beside the cycle model of the run's machine.

examples:
  fractrain calibrate --config zc706 --networks resnet20 --batch 2 --out docs/cycle_model.md
  fractrain calibrate --run runs/latest"""


ABOUT_ERRORS = (
    "RTL cycles, utilization and GOPS are measured in co-simulation, the model's cycles are "
    "modelled; the columns behind them are the model's errors: of cycles, busy and stall cycles in "
    "percent of all RTL cycles, of bytes in percent of the bytes. All are of whole training steps "
    "in one command stream, which the model is made for; a convolution alone may be off by tens "
    f"of percent. {REASON}"
)


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    network: str
    precision: str
    memory: str
    form: ResultForm


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``calibrate`` and its options."""
    parser = subparsers.add_parser(
        "calibrate",
        description="Compare the cycle model with the RTL on whole training steps.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    add_config(parser, default=None, shown="zc706; with --run the run's")
    option("--networks", nargs="+", metavar="NAME", help=f"(default: {' '.join(NETWORKS)})")
    option("--precisions", nargs="+", metavar="A,W,E", help=f"(default: {' '.join(PRECISIONS)})")
    option("--batch", type=BATCH, metavar="N", help=f"images (default: {IMAGES})")
    option("--uniform", action="store_true", help="one precision for all layers")
    option("--seed", type=SEED, metavar="N", help="of images and weights (default: 0)")
    option("--out", type=Path, metavar="FILE", help="write the table there, as Markdown")
    option("--run", metavar="RUN", help="the folder of a run, or its name in --runs")
    option("--runs", type=Path, metavar="FOLDER", help="where --run is looked for (default: runs)")
    option("--memory", choices=MEMORIES, help="of the model, with --run (default: as the run's)")


def run(args: argparse.Namespace) -> int:
    """Measure, print, write."""
    _check_options(args)
    check_files(args.out)
    if args.run is not None:
        return calibrate_run(args)
    parameters = load_parameters(args.config)
    for text in args.precisions:
        if is_skip(PRECISION.read("--precisions", text)):
            raise ParameterError("--precisions", text, "at least 1 bit of each operand")
    for network in args.networks:
        check_step(network, args.batch)
    cases = [
        Case(network, precision, memory, form)
        for network in args.networks
        for precision in args.precisions
        for memory, form in (
            ("ideal", ResultForm.PORT),
            ("ddr", ResultForm.RAW),
            ("ddr", ResultForm.PLANES),
        )
    ]
    say = progress()
    rows = []
    models = {"ideal": MemoryModel.ideal(), "ddr": MemoryModel.ddr(parameters.clock_mhz)}
    machines: dict[str, Accelerator] = {
        name: CosimAccelerator(parameters, memory=model) for name, model in models.items()
    }
    for number, case in enumerate(cases, 1):
        say(f"{number} of {len(cases)}: {case.network}, {case.precision}, {case.memory}")
        training = _record(args, case, parameters)
        job = make_job(parameters, training, training.calls, case.form)
        measured = measure(machines[case.memory], job, training, models[case.memory])
        rows.append(_row(case, training, measured, parameters))
    say("")
    for machine in machines.values():
        machine.close()
    print(terminal_table(HEADS, rows))
    print(ABOUT_ERRORS)
    if args.out:
        write_text(args.out, _markdown(args, rows))
        print(f"\ntable: {args.out}")
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """Raise `ParameterError` for what goes with --run only, or not with it; else fill defaults."""
    with_run, without = ("runs", "memory"), DEFAULTS | {"uniform": False}
    for name in without if args.run is not None else with_run:
        if (given := getattr(args, name)) not in (None, False):
            only = "without" if args.run is not None else "with"
            raise ParameterError(f"--{name}", str(given), f"{only} --run only")
    for name, default in (DEFAULTS | {"runs": Path("runs")}).items():
        if getattr(args, name) is None:
            setattr(args, name, default)


def _record(args: argparse.Namespace, case: Case, parameters: Parameters) -> TrainingStep:
    numbers = generator(args.seed, Stream.DATA)
    return record_training_step(
        case.network,
        numbers.integers(0, 256, (args.batch, 3, 32, 32), dtype=np.uint8),
        parameters,
        Precision.parse(case.precision),
        seed=args.seed,
        uniform=args.uniform,
    )


HEADS = [
    *("network", "precision", "memory", "results", "RTL cycles", "model", "cycles", "busy"),
    *(f"{name} stalls" for name in STALLS),
    *("bytes", "utilization", "GOPS"),
]


def _row(
    case: Case, training: TrainingStep, measured: Measured, parameters: Parameters
) -> list[str]:
    found, model = measured.counters, measured.predicted
    useful = sum(useful_bit_products(call) for call in training.calls)
    macs = sum(call.macs for call in training.calls)
    seconds = found.cycles / (parameters.clock_mhz * 1e6)
    stalls = [
        _percent(model.total(f"STALL_{name.upper()}") - getattr(found, f"stall_{name}"), found)
        for name in STALLS
    ]
    moved = found.bytes_in + found.bytes_out
    predicted = model.total("BYTES_READ") + model.total("BYTES_WRITTEN")
    return [
        case.network,
        case.precision,
        case.memory,
        case.form.value,
        f"{found.cycles:,}",
        f"{model.cycles:,}",
        _percent(model.cycles - found.cycles, found),
        _percent(model.total("BUSY") - found.busy_cycles, found),
        *stalls,
        f"{100 * (predicted / moved - 1):+.2f} %",
        f"{100 * useful / found.cycles / parameters.bit_products_per_cycle:.1f} %",
        f"{2 * macs / seconds / 1e9:,.0f}",
    ]


def _percent(difference: int, found: Counters) -> str:
    return f"{100 * difference / found.cycles:+.2f} %"


def _markdown(args: argparse.Namespace, rows: Sequence[Sequence[str]]) -> str:
    networks, precisions = " ".join(args.networks), " ".join(args.precisions)
    lines = [
        f"# Cycle model against RTL{', one precision for all layers' if args.uniform else ''}",
        "",
        f"{ABOUT_ERRORS} Made by",
        "",
        f"    fractrain calibrate --config {args.config} --batch {args.batch}"
        f"{' --uniform' if args.uniform else ''} --seed {args.seed} "
        f"--networks {networks} --precisions {precisions} --out {args.out}",
        "",
        "| " + " | ".join(HEADS) + " |",
        "|" + "---|" * len(HEADS),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
    ]
    return "\n".join(lines)
