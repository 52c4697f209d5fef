"""`fractrain train`: train a network through the accelerator."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from fractrain.host.cli.command_line import CommandLineParser, add_command, add_options
from fractrain.host.process.stopping import StopSignals
from fractrain.host.runs.options import RunOptions, run_options
from fractrain.host.runs.running import begin, go_on

DESCRIPTION = """\
Train a residual network through the accelerator: every convolution, forward and backward, is
an exact integer product of operands with a few bits, as the hardware computes it. With no
options, resnet8 learns handwritten digits by FracTrain in about a minute."""

EPILOG = """\
examples:
  fractrain train                                      digits, FracTrain, the golden model
  fractrain train --method static --precision 8,8,8    the FW8/BW8 baseline
  fractrain train --epsilon 0.05 --alpha 0.3           wait longer before each stage
  fractrain train --model resnet20 --epochs 40 --seed 1 --name deep
  fractrain train --backend cosim --steps 2 --batch 2  every product computed by the RTL
  fractrain train --resume deep                        go on with the run of that name

OUT/NAME holds the run: config.json, log.jsonl (every step), measured.jsonl (the time of every step,
and what the machine counted in it), evaluations.jsonl, checkpoints and, at the end, summary.json.
In it, test_accuracy is in percent; saving is the fraction of the effective MACs that was saved
against the same steps at FW8/BW8. OUT/latest points at the run that began or ended last. The same
options and seed give the same weights_sha256, interrupted or not.

SIGINT and SIGTERM end a run after its current step, with a checkpoint (exit codes 130, 143); a
second signal ends it at once."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``train`` and its options."""
    add_command(subparsers, "train", DESCRIPTION, EPILOG, run_options())


def run(args: argparse.Namespace) -> int:
    """Train or resume; print the results and write them."""
    given = RunOptions.of(vars(args), args.arguments)
    with StopSignals() as stop:
        if given.resume is None:
            begin(given, stop)
        else:
            command = args.arguments.index("train")
            go_on(given, said_options(args.arguments[command + 1 :]), stop)
    return 0


def said_options(arguments: Sequence[str]) -> dict[str, Any]:
    """The options that ``arguments`` give explicitly, by name."""
    parser = option_parser()
    parser.set_defaults(**dict.fromkeys(vars(parser.parse_args([]))))
    said = vars(parser.parse_args(arguments))
    return {name: value for name, value in said.items() if value is not None}


def parse_options(arguments: Sequence[str]) -> RunOptions:
    """The options of a run from its ``arguments``, without the command's name."""
    args = option_parser().parse_args(arguments)
    return RunOptions.of(vars(args), ["train", *arguments])


def option_parser() -> CommandLineParser:
    """A parser of only the options of `fractrain train`."""
    parser = CommandLineParser(prog="fractrain train", add_help=False)
    add_options(parser, run_options())
    return parser
