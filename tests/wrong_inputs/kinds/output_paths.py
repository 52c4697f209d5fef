"""Files and folders that a command shall write, and must not, or cannot."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.wrong_inputs.wrong_input import WrongInput

FILE_OPTIONS = {
    "report": ("report", "a", "--out"),
    "compare-json": ("compare", "a", "b", "--json"),
    "compare-html": ("compare", "a", "b", "--html"),
    "bench": ("bench", "--json"),
    "calibrate": ("calibrate", "--out"),
    "calibrate-run": ("calibrate", "--run", "a", "--out"),
    "cost": ("cost", "--out"),
    "cost-host": ("cost", "--host", "--json"),
    "synth": ("synth", "--json"),
    "bringup": ("board", "bringup", "--device", "simulated", "--json"),
    "power": ("board", "power", "--device", "simulated", "--out"),
}


def _socket(path: Path) -> None:
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


def _below_a_file(path: Path) -> None:
    path.parent.write_text("a file")


TARGETS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "folder": ("x.json", Path.mkdir, "x.json: it is a folder"),
    "fifo": ("x.json", os.mkfifo, "x.json: it is a FIFO"),
    "socket": ("x.json", _socket, "x.json: it is a socket"),
    "device": ("x.json", lambda path: path.symlink_to("/dev/full"), "x.json: it is a device"),
    "dangling": ("x.json", lambda path: path.symlink_to("gone"), "link that leads nowhere"),
    "circle": ("x.json", lambda path: path.symlink_to(path.name), "Too many levels"),
    "typo": ("typo/x.json", lambda path: None, "the folder typo does not exist"),
    "below-a-file": ("file/x.json", _below_a_file, "the folder file is a file"),
    "dash": ("-", lambda path: None, "give the name of a file"),
    "null": ("/dev/null", lambda path: None, "/dev/null: it is a device"),
    "here": (".", lambda path: None, "it is a folder"),
}

FOLDER_OPTIONS = {
    "simulate": (("simulate", "--out"), 3, "taken: it is a file"),
    "figures": (("report", "a", "--figures"), 3, "taken: it is a file"),
    "generate": (("generate", "--config", "tiny", "--out"), 2, "taken'.*this is a file"),
    "bitstream": (("bitstream", "--config", "tiny", "--out"), 2, "taken'.*this is a file"),
    "train": (("train", "--steps", "1", "--out"), 3, "taken"),
}


def wrong_inputs() -> Iterator[WrongInput]:
    for option, arguments in FILE_OPTIONS.items():
        for target, (name, make, says) in TARGETS.items():
            yield WrongInput(
                f"{option}-{target}",
                (*arguments, name),
                says,
                code=3,
                prepare=lambda folder, name=name, make=make: make(folder / name),
            )
    for option, (arguments, code, says) in FOLDER_OPTIONS.items():
        for target in ("taken", "taken/below"):
            yield WrongInput(
                f"{option}-{target.replace('/', '-')}",
                (*arguments, target),
                says if target == "taken" else "taken",
                code=code if target == "taken" else 3,
                prepare=lambda folder: (folder / "taken").write_text("a file"),
            )
    for name in ("figures.json", "roofline.svg"):
        yield WrongInput(
            f"simulate-{name}",
            ("simulate", "--out", "folder"),
            f"folder/{name}: it is a folder",
            code=3,
            prepare=lambda folder, name=name: (folder / "folder" / name).mkdir(parents=True),
        )
    for first, second in (("x", "x"), ("x", "./x"), ("x", "link")):
        yield WrongInput(
            f"one-file-twice-{second.replace('/', '-')}",
            ("compare", "a", "b", "--json", first, "--html", second),
            "another one than x",
            prepare=lambda folder: (folder / "link").symlink_to("x") or (folder / "x").touch(),
        )
