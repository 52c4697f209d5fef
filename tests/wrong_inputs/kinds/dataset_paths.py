"""Paths given as a data set that lead to none, or to what cannot be read; names of runs."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.host.datasets.archives import image_folder, write_folder
from tests.wrong_inputs.wrong_input import WrongInput

SHORT = ("--steps", "1", "--batch", "4")
NEITHER = "dataset: got .*, allowed: digits, or the path of a folder or archive"


def wrong_inputs() -> Iterator[WrongInput]:
    yield from no_paths()
    yield from devices()
    yield from links()
    yield from other_things()
    yield from names()


def case(
    name: str,
    path: str,
    says: str,
    code: int = 3,
    make: Callable[[Path], object] = lambda folder: None,
) -> WrongInput:
    arguments = ("train", f"--dataset={path}", *SHORT)
    return WrongInput(name, arguments, says, code, make)


def link(target: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "D").symlink_to(target)


def folder_of(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).mkdir(parents=True)


def file_of(name: str) -> Callable[[Path], object]:
    return lambda folder: write_folder(folder / "D", {name: b"text"})


def no_paths() -> Iterator[WrongInput]:
    for name in ("", "mnist", "Digits", "digits/", "gone/cifar", "-x", "a\0b", "a\nb", "\udcff"):
        yield case(f"neither: {name!r}", name, NEITHER, 2)
    for length in (300, 5000, 1_000_000):
        yield case(f"a name of {length}", "x" * length, NEITHER, 2)
    for scheme in ("https", "s3", "file"):
        yield case(f"{scheme} URL", f"{scheme}://host/x.tar.gz", f"{NEITHER}.*download it first", 2)
    yield case("a home", "~/data", f"{NEITHER}.*leave out the =", 2)
    yield case("below a file", "file/train", NEITHER, 2, lambda folder: (folder / "file").touch())


def devices() -> Iterator[WrongInput]:
    for path in ("/dev/zero", "/dev/null", "/dev/full", "/dev/urandom", "/dev/tty"):
        yield case(path, path, f"{path} is a device: a data set is a folder or a tar archive")
    yield case("FIFO", "fifo", "fifo is a FIFO", make=lambda folder: os.mkfifo(folder / "fifo"))

    def listen(folder: Path) -> None:
        with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as listening:
            listening.bind("listens")

    yield case("socket", "listens", "listens is a socket", make=listen)
    for target in ("/dev/zero", "/dev/urandom"):
        yield case(f"link to {target}", "D", "D is a device", make=link(target))


def links() -> Iterator[WrongInput]:
    for target in ("gone", "/gone/for/good", "D", "../x\ny", "z" * 250):
        yield case(
            f"link to {target[:20]!r}",
            "D",
            "D is a link to .*, which leads nowhere",
            make=link(target),
        )

    def chain(folder: Path) -> None:
        for number in range(60):
            (folder / f"{number}").symlink_to(f"{number + 1}")
        write_folder(folder / "60", image_folder())

    yield case("a chain of 60 links", "0", "0 is a link to 1, which leads nowhere", make=chain)


def other_things() -> Iterator[WrongInput]:
    for name in ("D", "D/train", "D\n2", "D" * 200):
        yield case(f"empty {name[:20]!r}", name, "has no files", make=folder_of(name))
    yield case("the folder that one is in", ".", r"^fractrain: error: \. has no files")
    for name in ("README.md", "a\nb", "notes", "x" * 200):
        yield case(f"only {name[:20]!r}", "D", "D has 1 file, but no data set", make=file_of(name))


def names() -> Iterator[WrongInput]:
    for name in ("", ".", "..", "latest", "a/b", "/tmp/x", "-x", "--help", "a\nb", "a\r", "a\0"):
        yield named(name)
    for name in ("a\x1b[31m", "\udcff", "n" * 121, "é" * 121, "n" * 100_000):
        yield named(name)

    for name in ("gone", "a/b", "a\nb", "a\0b", "\udcff", "n" * 300, "n" * 100_000):
        says = "--resume: got .*, allowed: the folder of a run"
        arguments = ("train", f"--resume={name}")
        yield WrongInput(f"--resume {name[:20]!r} of {len(name)}", arguments, says)


def named(name: str) -> WrongInput:
    says = "--name: got .*, allowed: the name of one folder"
    return WrongInput(
        f"--name {name[:20]!r} of {len(name)}", ("train", f"--name={name}", *SHORT), says
    )
