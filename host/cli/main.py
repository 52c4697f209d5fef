"""`fractrain`: reads the command line, runs one command, turns errors into one line and a code.

Every command is a module ``host.cli.<command>`` that offers

    add_parser(subparsers) -> None   adds its parser, under its own name
    run(args) -> int                 does the work and returns the exit code

Only the module of the given command is imported: ``--help`` stays fast, and no command needs
another's packages.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from fractrain import __version__
from fractrain.host.cli.command_line import CommandLineParser
from fractrain.host.process.streams import steady_streams
from fractrain.hw.contract.errors import DataError, FractrainError, shortened
from fractrain.sim.progress import abandon

COMMANDS = {
    "train": "train a network through the accelerator",
    "sweep": "train with every combination of some options, resumable",
    "report": "show training runs as one self-contained HTML page",
    "compare": "show training runs side by side on the terminal",
    "generate": "write the Verilog of a machine and its manifest",
    "simulate": "run a training step on the generated RTL and compare it",
    "calibrate": "compare the cycle model with the RTL on whole training steps",
    "cost": "say what a training step costs: cycles, time and energy, modelled",
    "machine": "say what one convolution costs on other machines, modelled",
    "trace": "write the bits of every block and step of a run to a small file",
    "rebuttal": "show every claim of the authors' rebuttal beside what comes of it here",
    "board": "bring up, look at and load a board",
    "bitstream": "make the bitstream of a machine, with Vivado or open tools",
    "synth": "map a machine to the FPGA's cells; report area and logic depth",
    "bench": "measure simulation, training and packing speed",
}

LONGEST_ERROR = 2000
"""Characters of a given value that an error quotes."""

PRINTED = (*("compare", "calibrate", "cost", "machine", "trace", "rebuttal", "board", "synth"),)
"""Commands that fail if their output is lost; the others keep their results in files."""

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE
EXIT_TERMINATED = 143  # 128 + SIGTERM

DESCRIPTION = """\
A generator for an FPGA accelerator that trains convolutional networks at a precision
chosen while training runs, and the software that drives it. No board is needed: the
accelerator also runs as an exact model (golden) and as its own RTL (cosim)."""

EPILOG = """\
examples:
  fractrain train                               a network on handwritten digits, in minutes
  fractrain train --backend cosim --steps 2     the same, every product computed by the RTL
  fractrain report runs/latest                  what came of it, as one HTML page
  fractrain generate --config z7020             the Verilog of the machine for a ZedBoard
  fractrain board bringup --device simulated    the board's driver against the RTL
  fractrain bitstream                           the bitstream of the largest machine, with Vivado
  fractrain synth --check                       area and depth against the committed budget
  fractrain COMMAND --help                      all options of a command

exit codes:
    0  success
    1  any other error
    2  an option or configuration value that is not allowed
    3  a file or data set missing, unreadable or damaged
    4  a program or package that the command needs is not installed
    5  the accelerator stopped with a fault or did not answer
    6  hardware and model, or a measurement and its budget, disagree
  130  interrupted (SIGINT); a training run can be resumed: train --resume
  141  the reader of the output went away
  143  terminated (SIGTERM) in training, which can be resumed"""


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser, with all options of ``command`` and only the names of the others."""
    parser = CommandLineParser(
        prog="fractrain",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fractrain {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, summary in COMMANDS.items():
        if name == command:
            _module(name).add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary, add_help=False)
    return parser


def main(arguments: Sequence[str] | None = None, *, spare: int = -1) -> int:
    """Run the command that ``arguments`` (default: the process's) name; returns the exit code.

    ``spare``: a descriptor for messages that standard error does not take.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command = next((each for each in arguments if each in COMMANDS), None)
    with steady_streams(spare=spare) as output:
        code = _carry_out(arguments, command)
        if output.failure is None or isinstance(output.failure, BrokenPipeError):
            return code
        lost = f"cannot write to standard output: {output.failure.strerror}"
        if command in PRINTED:
            print(f"fractrain: error: {lost}", file=sys.stderr)
            return code or DataError.exit_code
        if code == 0:
            print(f"fractrain: note: {lost}; all files are complete", file=sys.stderr)
        return code


def _carry_out(arguments: list[str], command: str | None) -> int:
    try:
        parser = build_parser(command)
        args = parser.parse_args(arguments)
        args.arguments = arguments
        if args.command is None:
            parser.print_help()
            return 0
        code = _module(args.command).run(args)
        sys.stdout.flush()
        return code
    except FractrainError as error:
        abandon()
        print(f"fractrain: error: {_one_line(error)}", file=sys.stderr)
        return error.exit_code
    except MemoryError as error:
        abandon()
        print(f"fractrain: error: memory is exhausted: {_one_line(error)}", file=sys.stderr)
        return FractrainError.exit_code
    except KeyboardInterrupt as interrupt:
        abandon()
        print(f"fractrain: {_one_line(interrupt) or 'interrupted'}", file=sys.stderr)
        return getattr(interrupt, "exit_code", EXIT_INTERRUPTED)
    except BrokenPipeError:
        return EXIT_BROKEN_PIPE
    except OSError as error:
        if error.filename is None:
            raise
        abandon()
        # an unforeseen error of a file: a name that is too long, a failing disk
        text = f"{os.fsdecode(error.filename)}: {error.strerror}"
        print(f"fractrain: error: {shortened(text, LONGEST_ERROR)}", file=sys.stderr)
        return DataError.exit_code


def _one_line(error: BaseException) -> str:
    """The error's text as one line, whatever a file or tool put into it."""
    return shortened(str(error).replace("\n", " "), LONGEST_ERROR)


def _module(command: str) -> ModuleType:
    return importlib.import_module(f"fractrain.host.cli.{command}")


if __name__ == "__main__":
    sys.exit(main())
