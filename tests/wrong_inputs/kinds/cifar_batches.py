"""Batches of CIFAR that hold something else than bytes of images and numbers of classes."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.host.datasets.archives import (
    Files,
    cifar10_binary,
    cifar10_python,
    cifar100_binary,
    cifar100_python,
    write_folder,
)
from tests.wrong_inputs.wrong_input import WrongInput

BATCH = "cifar-10-batches-py/data_batch_3"
PIXELS = np.arange(2 * 3072).reshape(2, 3072) % 256
LABELS = [3, 9]


def wrong_inputs() -> Iterator[WrongInput]:
    yield from pixels()
    yield from labels()
    yield from shapes()
    yield from pickles()
    yield from binaries()
    yield from incomplete()
    yield from several()


def case(
    name: str, files: Files, says: str, more: Callable[[Path], object] = lambda folder: None
) -> WrongInput:
    def prepare(folder: Path) -> None:
        write_folder(folder / "D", files)
        more(folder / "D")

    arguments = ("train", "--dataset", "D", "--steps", "1", "--batch", "4")
    return WrongInput(name, arguments, says, 3, prepare)


def batch(name: str, data: Any, labels: Any, says: str) -> WrongInput:
    content = pickle.dumps({b"data": data, b"labels": labels})
    return case(name, cifar10_python() | {BATCH: content}, f"D: {BATCH} .*{says}")


def pixels() -> Iterator[WrongInput]:
    for dtype in (np.float16, np.float32, np.float64):
        for name, values in (("0..1", PIXELS / 255), ("0..255", PIXELS)):
            says = f"pixels of type {np.dtype(dtype)}, not whole numbers 0..255: store"
            yield batch(f"{np.dtype(dtype)} {name}", values.astype(dtype), LABELS, says)
    for dtype in (np.int16, np.int32, np.int64, np.uint16, np.uint64):
        says = "pixels outside 0..255: they are 0 to 256"
        data = PIXELS.astype(dtype)
        data[1, 7] = 256
        yield batch(f"{np.dtype(dtype)} to 256", data, LABELS, says)
    for dtype in (np.int8, np.int16, np.int64):
        data = (PIXELS - 128).astype(dtype)
        says = "pixels outside 0..255: they are -128 to 127"
        yield batch(f"{np.dtype(dtype)} from -128", data, LABELS, says)
    for dtype in (bool, complex, "S1", "U3", object):
        data = PIXELS.astype(dtype)
        says = f"pixels of type {data.dtype}".replace("|", ".")
        yield batch(f"pixels of {np.dtype(dtype)}", data, LABELS, says)


def labels() -> Iterator[WrongInput]:
    data = PIXELS.astype(np.uint8)
    for name, values in {
        "floats": [3.0, 9.0],
        "fractions": [0.5, 1.5],
        "texts": ["3", "9"],
        "names": ["cat", "dog"],
        "bytes": [b"3", b"9"],
        "truths": [True, False],
        "nothing": [None, 3],
    }.items():
        says = "labels of type .*, not whole numbers 0..9"
        yield batch(f"labels are {name}", data, values, says)
    for values in ([-1, 3], [3, 10], [3, 2**40]):
        says = f"labels outside 0..9: they are {min(values)} to {max(values)}"
        yield batch(f"labels {values}", data, values, says)
    yield batch("labels beyond 64 bits", data, [3, 2**80], "labels of type object")


def shapes() -> Iterator[WrongInput]:
    whole = PIXELS.astype(np.uint8)
    for shape in ((2, 3, 32, 32), (2, 32, 32, 3), (6144,), (1, 6144), (3072, 2), (6144, 1)):
        data = whole.reshape(shape)
        yield batch(f"pixels {shape}", data, LABELS, r"pixels of shape \(.*, not 3072 for each")
    for numbers in ([3], [3, 9, 1], 3, [[3, 9]], [[3], [9]]):
        yield batch(f"labels {numbers}", whole, numbers, "pixels of shape .* for labels of shape")
    yield batch("ragged labels", whole, [[3], [1, 2]], "is no batch of cifar10: ")
    yield batch("no images", whole[:0], [], "has no images")


def pickles() -> Iterator[WrongInput]:
    good = cifar10_python()[BATCH]
    contents: dict[str, tuple[bytes, str]] = {
        "no pickle": (b"\xff" * 100, "is no batch of cifar10: "),
        "empty": (b"", "is no batch of cifar10: Ran out of input"),
        "cut": (good[:200], "is no batch of cifar10: "),
        "a list": (pickle.dumps([1, 2]), "it is no dictionary"),
        "nothing": (pickle.dumps({}), "it lacks 'data'"),
        "no labels": (pickle.dumps({b"data": PIXELS}), "it lacks 'labels'"),
        "fine labels": (
            pickle.dumps({b"data": PIXELS, b"fine_labels": LABELS}),
            "it lacks 'labels'",
        ),
        "a program": (b"cos\nsystem\n(S'echo'\ntR.", r"it refers to os\.system"),
        "eval": (b"cbuiltins\neval\n(S'1'\ntR.", r"it refers to builtins\.eval"),
        "a Path": (pickle.dumps(Path("/")), "it refers to pathlib"),
        "deep": (b"(" * 100_000 + b"t" * 100_000 + b".", "is no batch of cifar10|no dictionary"),
        "huge": (
            b"cnumpy\nndarray\n(I1000000000000000\ntR.",
            "is no batch of cifar10: ",
        ),
    }
    for name, (data, says) in contents.items():
        yield case(f"pickle: {name}", cifar10_python() | {BATCH: data}, f"D: {BATCH} .*{says}")


def binaries() -> Iterator[WrongInput]:
    for make, name, record in (
        (cifar10_binary, "cifar-10-batches-bin/data_batch_2.bin", 3073),
        (cifar100_binary, "cifar-100-binary/test.bin", 3074),
    ):
        for size in (0, 1, record - 1, record + 1):
            says = f"{name} has {size:,} bytes, which are no records of {record} bytes"
            yield case(f"{name}: {size} bytes", make() | {name: bytes(size)}, says)
        data = bytes([100] * (record - 3072)) + bytes(3072)
        yield case(f"{name}: label 100", make() | {name: data}, f"{name} has labels outside 0..9")


def incomplete() -> Iterator[WrongInput]:
    for whole in (cifar10_python, cifar10_binary, cifar100_binary):
        files = whole()
        for name in files:
            rest = {other: data for other, data in files.items() if other != name}
            says = f"D is incomplete: {name} is missing, of the files of CIFAR-10"
            yield case(f"no {name}", rest, says)
    for kind, make, says in (
        ("link", lambda path: path.symlink_to("gone"), "is a link to gone, which is not there"),
        ("FIFO", os.mkfifo, "is a FIFO, no file"),
        ("folder", Path.mkdir, "is missing"),
    ):
        files = cifar10_python()
        del files[BATCH]
        yield case(f"a batch is a {kind}", files, f"incomplete: {BATCH} {says}", at_batch(make))


def at_batch(make: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: make(folder / BATCH)


def several() -> Iterator[WrongInput]:
    both = cifar10_python("") | cifar10_binary("")
    says = r"several data sets, in \./ \(CIFAR-10, Python version\) and \./ \(CIFAR-10, binary"
    yield case("both versions in one folder", both, says)
    says = "several data sets, in .*: give the folder of one"
    yield case("both versions", cifar10_python() | cifar10_binary(), says)
    yield case("CIFAR-10 and CIFAR-100", cifar10_python() | cifar100_python(), says)
    yield case("twice the same", cifar10_python("a/") | cifar10_python("b/"), says)
