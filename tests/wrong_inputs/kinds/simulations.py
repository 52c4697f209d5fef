"""`fractrain simulate` with options that cannot be meant, and waveforms that cannot be written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tests.wrong_inputs.wrong_input import WrongInput

FIRST = ["simulate", "--model", "resnet8", "--config", "tiny", "--blocks", "0", "--batch", "1"]

BLOCKS = ("3", "0..7", "2..1", "-1", "..", "0..", "first", "1.5", "0,1", "٣", "", "9" * 400)
PRECISIONS = ("4,4", "4,4,4,4", "0,4,4", "4,0,4", "17,4,4", "4,4,-6", "a,w,e", "")
MODELS = ("vgg", "resnet", "resnet9", "resnet-8", "ResNet8 ", "")
ENDINGS = ("wave", "wave.fst.gz", "wave.ghw", ".fst", "wave.", "report.html", "")
CYCLES = (
    "10:10",
    "20:10",
    "5",
    ":",
    "a:b",
    "-5:5",
    "1:2:3",
    "0x10:",
    "1e3:2e3",
    "",
    "9" * 50 + ":",
)


def wrong_inputs() -> Iterator[WrongInput]:
    """The same on every call."""
    yield from _values()
    yield from _trace_names()
    yield from _trace_places()
    yield from _trace_cycles()


def _values() -> Iterator[WrongInput]:
    for option, values, says in (
        ("batch", ("0", "-1"), "batch"),
        ("blocks", BLOCKS, "blocks"),
        ("precision", PRECISIONS, "precision"),
        ("model", MODELS, "model"),
    ):
        for number, value in enumerate(values):
            arguments = [*FIRST, "--out", "out", f"--{option}={value}"]
            yield WrongInput(f"{option}-{number}", arguments, rf"{says}\b")


def _trace_names() -> Iterator[WrongInput]:
    for number, name in enumerate(ENDINGS):
        yield WrongInput(f"name-{number}", [*FIRST, f"--trace={name}"], r"trace: got .*\.fst")


def _trace_places() -> Iterator[WrongInput]:
    makers = {
        "folder": (lambda path: path.mkdir(), "is a folder"),
        "fifo": (os.mkfifo, "not a regular file|FIFO"),
        "link": (lambda path: path.symlink_to("elsewhere"), "not a regular file|leads nowhere"),
        "link-to-device": (lambda path: path.symlink_to("/dev/full"), "regular file|a device"),
    }
    for ending in ("fst", "vcd"):
        for what, (make, says) in makers.items():

            def prepare(folder: Path, make=make, ending=ending) -> None:  # type: ignore[no-untyped-def]
                make(folder / f"wave.{ending}")

            arguments = [*FIRST, "--trace", f"wave.{ending}"]
            yield WrongInput(f"{what}.{ending}", arguments, says, 3, prepare)
        arguments = [*FIRST, "--trace", f"no/such/folder/wave.{ending}"]
        yield WrongInput(f"no-folder.{ending}", arguments, "no/such/folder does not exist", 3)
        arguments = [*FIRST, "--trace", f"file/wave.{ending}"]
        yield WrongInput(f"in-a-file.{ending}", arguments, "does not exist|is a file", 3, _file)
        arguments = [*FIRST, "--trace", "x" * 300 + f".{ending}"]
        yield WrongInput(f"long-name.{ending}", arguments, "cannot write|too long", 3)
        arguments = [*FIRST, "--trace", f"/proc/wave.{ending}"]
        yield WrongInput(f"proc.{ending}", arguments, "cannot write /proc/wave", 3)


def _file(folder: Path) -> None:
    (folder / "file").write_text("")


def _trace_cycles() -> Iterator[WrongInput]:
    for number, cycles in enumerate(CYCLES):
        arguments = [*FIRST, "--trace=wave.vcd", f"--trace-cycles={cycles}"]
        yield WrongInput(f"cycles-{number}", arguments, "trace-cycles: got .* allowed: FROM:TO")
    arguments = [*FIRST, "--trace-cycles", "0:10"]
    yield WrongInput("cycles-without-trace", arguments, "trace-cycles.*with --trace FILE only")
