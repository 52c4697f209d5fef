"""`fractrain board bringup`: stage by stage, each with a diagnosis if it fails."""

from __future__ import annotations

import argparse
import textwrap
import time
from typing import Any

from fractrain.host.board.system import SIMULATED
from fractrain.host.cli.board import SUBCOMMANDS
from fractrain.host.cli.board_options import DEVICE_OPTIONS, open_system
from fractrain.host.cli.command_line import add_command
from fractrain.host.cli.options import file_option
from fractrain.host.files.outputs import check_files, write_json
from fractrain.host.plugins.option import Form, Option
from fractrain.hw.contract.errors import ParameterError

FORMAT = "fractrain-bringup/1"
WIDTH = 100

EPILOG = """\
stages: bitstream, FCLK0 (before the first register access), ID, build hash, registers, interrupt,
4 KB loopback (a 1 x 1 convolution with the identity: the machine has no copy), cached and
uncached, one convolution (three passes), the convolutions of a residual block as one program. What
comes out is compared with the golden model, bit for bit. The first stage that fails is the last.

The exit code says what failed: 2 a value, 3 a file or right missing, 4 a kernel module or
tool missing, 5 the machine, 6 bits that differ."""

OPTIONS = (
    *DEVICE_OPTIONS,
    file_option("json", "write the results there, too"),
    Option(
        "inject",
        "with --device simulated: break the board like that, to see what is said of it; may be "
        "given several times; an unknown NAME lists all",
        default=(),
        form=Form.REPEATED,
        metavar="NAME",
        shown="",
    ),
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``bringup`` and its options."""
    description = "Prove the board stage by stage."
    add_command(subparsers, "bringup", description, EPILOG, OPTIONS, help=SUBCOMMANDS["bringup"])


def run(args: argparse.Namespace) -> int:
    """Bring the board up and print each stage; raise the error of the first that fails."""
    from fractrain.host.bringup.stages import STAGES, StageResult, bring_up

    if args.inject and args.device != SIMULATED:
        raise ParameterError("--inject", args.inject[0], f"with --device {SIMULATED} only")
    check_files(args.json)
    names = iter(enumerate(STAGES, 1))

    def tell(result: StageResult) -> None:
        number, name = next(names)
        word = "ok  " if result.passed else "FAIL"
        head = f"{number:2}  {name:<19}  {word}  {result.seconds:6.2f} s  "
        print(_wrapped(head, result.detail or str(result.error)), flush=True)
        if result.causes:
            print("      likely causes, and what to check next:")
        for cause in result.causes:
            print(_wrapped("      - ", cause))

    with open_system(args, tuple(args.inject)) as system:
        results = bring_up(system, time.monotonic, tell)
    failed = results[-1].error
    if failed is None:
        print(f"all {len(results)} stages passed")
    else:
        print(f"stage {len(results)} of {len(STAGES)} failed; the others were not run")
    if args.json is not None:
        write_json(args.json, _document(args, results))
    if failed is not None:
        raise failed
    return 0


def _wrapped(head: str, text: str) -> str:
    """``text`` after ``head``, its further lines indented to align with the first."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _document(args: argparse.Namespace, results: list[Any]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "device": args.device,
        "injected": args.inject,
        "passed": results[-1].passed,
        "stages": [
            {
                "name": each.name,
                "passed": each.passed,
                "seconds": each.seconds,
                "detail": each.detail,
                "error": None if each.error is None else str(each.error),
                "exit_code": None if each.error is None else each.error.exit_code,
                "causes": list(each.causes),
            }
            for each in results
        ],
    }
