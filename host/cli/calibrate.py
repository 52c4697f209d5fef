"""`fractrain calibrate`: the cycle model beside the RTL, network by network."""

from __future__ import annotations

import argparse
from pathlib import Path

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
from fractrain.host.files.outputs import check_files
from fractrain.host.numerics.random_streams import SEED
from fractrain.host.plugins.option import Option
from fractrain.host.reports.markdown_page import markdown_page
from fractrain.host.reports.run import find_run
from fractrain.host.simulation import calibration, logged_programs
from fractrain.host.simulation.measuring import MEMORIES
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import DEFAULT_PRESET, load_parameters
from fractrain.hw.contract.tables import markdown_table, terminal_table
from fractrain.hw.contract.values import OneWord
from fractrain.sim.progress import work

NETWORKS = ("resnet8", "resnet20", "resnet38")
PRECISIONS = ("8,8,8", "4,4,8", "4,4,6", "3,3,6")
IMAGES = 2
DEFAULTS = {
    "config": DEFAULT_PRESET,
    "networks": list(NETWORKS),
    "precisions": list(PRECISIONS),
    "batch": IMAGES,
    "seed": 0,
    "mode": DEFAULT_MODE,
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
  fractrain calibrate --networks resnet20 --batch 2 --out docs/cycle_model.md
  fractrain calibrate --run runs/latest"""


OPTIONS = (
    config_option(None, shown=f"{DEFAULT_PRESET}; with --run the run's"),
    Option("networks", "", form=SEVERAL, metavar="NAME", shown=" ".join(NETWORKS)),
    Option("precisions", "", form=SEVERAL, metavar="A,W,E", shown=" ".join(PRECISIONS)),
    Option("batch", "images", BATCH, metavar="N", shown=str(IMAGES)),
    Option("uniform", "one precision for all layers", form=FLAG),
    mode_option(None),
    Option("seed", "of images and weights", SEED, metavar="N", shown="0"),
    file_option("out", "write the table there, as Markdown"),
    Option("run", "the folder of a run, or its name in --runs", metavar="RUN"),
    Option("runs", "where --run is looked for", Path, metavar="FOLDER", shown="runs"),
    Option("memory", "of the model, with --run", OneWord(MEMORIES), shown="as the run's"),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``calibrate`` and its options."""
    description = "Compare the cycle model with the RTL on whole training steps."
    add_command(subparsers, "calibrate", description, EPILOG, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Measure, print, write."""
    _check_options(args)
    check_files(args.out)
    say = work()
    if args.run is not None:
        folder = find_run(args.run, args.runs)
        found = logged_programs.compare_run(folder, args.memory, say)
        heads, rows, remark = logged_programs.HEADS, found.rows, found.remark
        title = f"Programs of the run {folder.name}, measured beside modelled"
        command = f"calibrate --run {args.run} --out {args.out}"
    else:
        parameters = load_parameters(args.config)
        cases = args.networks, args.precisions, args.batch, args.seed, args.uniform, args.mode
        rows = calibration.Calibration(*cases).rows(parameters, say)
        heads, remark = calibration.HEADS, calibration.ABOUT_ERRORS
        uniform = ", one precision for all layers" if args.uniform else ""
        title, command = f"Cycle model against RTL{uniform}", _command(args)
    say("")
    print(f"{terminal_table(heads, rows)}\n{remark}")
    if args.out:
        write_whole(args.out, markdown_page(title, remark, command, markdown_table(heads, rows)))
        print(f"\ntable: {args.out}")
    return 0


def _command(args: argparse.Namespace) -> str:
    """The command line that reproduces the table."""
    networks, precisions = " ".join(args.networks), " ".join(args.precisions)
    mode = "" if args.mode == DEFAULT_MODE else f" --mode {args.mode}"
    return (
        f"calibrate --config {args.config} --batch {args.batch}"
        f"{' --uniform' if args.uniform else ''}{mode} --seed {args.seed} "
        f"--networks {networks} --precisions {precisions} --out {args.out}"
    )


def _check_options(args: argparse.Namespace) -> None:
    """Raise `ParameterError` for options that need --run or exclude it; fill in defaults."""
    with_run, without = ("runs", "memory"), DEFAULTS | {"uniform": False}
    for name in without if args.run is not None else with_run:
        if (given := getattr(args, name)) not in (None, False):
            only = "without" if args.run is not None else "with"
            raise ParameterError(f"--{name}", str(given), f"{only} --run only")
    for name, default in (DEFAULTS | {"runs": Path("runs")}).items():
        if getattr(args, name) is None:
            setattr(args, name, default)
