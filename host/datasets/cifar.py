"""CIFAR-10 and CIFAR-100 as published: the Python and the binary version.

Source of the formats: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.datasets.archive import read_files
from fractrain.host.datasets.dataset import Dataset, Images, Labels
from fractrain.host.datasets.kinds import Format, Found
from fractrain.host.datasets.listing import Listing
from fractrain.host.datasets.wording import cause, counted, examples, shown
from fractrain.hw.contract.errors import DataError

__all__ = ["DATASET", "FILES", "CifarVersion", "find_cifar", "load_cifar"]

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
CROP_PADDING = 4

CORE = "numpy._core" if hasattr(np, "_core") else "numpy.core"


@dataclass(frozen=True)
class CifarVersion:
    """One published archive: its files, and where a record has its label.

    ``label_key`` in the dictionaries of the Python version; ``label_bytes`` in front of the pixels
    of a record of the binary version, the last of them counting.
    """

    name: str
    classes: int
    train: tuple[str, ...]
    test: tuple[str, ...]
    label_key: str = ""
    label_bytes: int = 0

    @property
    def files(self) -> tuple[str, ...]:
        return self.train + self.test

    @property
    def title(self) -> str:
        """For people: ``CIFAR-10, Python version``."""
        return f"CIFAR-{self.classes}, {'binary' if self.label_bytes else 'Python'} version"


BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
VERSIONS = (
    CifarVersion("cifar10", 10, BATCHES, ("test_batch",), label_key="labels"),
    CifarVersion(
        "cifar10",
        10,
        tuple(f"{name}.bin" for name in BATCHES),
        ("test_batch.bin",),
        label_bytes=1,
    ),
    CifarVersion("cifar100", 100, ("train",), ("test",), label_key="fine_labels"),
    CifarVersion("cifar100", 100, ("train.bin",), ("test.bin",), label_bytes=2),
)


FILES = frozenset(name for version in VERSIONS for name in version.files)

SURPLUS = re.compile(r"data_batch_\d+(\.bin)?")


def find_cifar(path: Path, listing: Listing) -> list[Found]:
    """The versions that ``path`` has the files of."""
    return [
        Found(
            f"{shown(folder or './')} ({version.title})",
            partial(load_cifar, path, listing, version, folder),
            is_certain(version, folder, listing.files),
        )
        for version, folder, missing in _parts(listing.files)
        if not missing
    ]


def is_certain(version: CifarVersion, folder: str, names: Sequence[str]) -> bool:
    """Whether files called ``train`` and ``test`` are of CIFAR-100, no lists: ``meta`` is there."""
    return version.files[0] != "train" or f"{folder}meta" in names


def incomplete(names: Sequence[str], unusable: Mapping[str, str]) -> str:
    """What is missing if ``names`` are some files of a version; else nothing."""
    for version, folder, missing in _parts(names):
        if missing and is_certain(version, folder, names):
            first = folder + missing[0]
            why = unusable.get(first, "is missing")
            return f"{shown(first)} {why}, of the files of {version.title}"
    return ""


def _parts(names: Sequence[str]) -> list[tuple[CifarVersion, str, list[str]]]:
    """Every version with every folder that has files of it, and those that are missing there."""
    folders: dict[str, set[str]] = {}
    for name in names:
        folder, slash, last = name.rpartition("/")
        if last in FILES:
            folders.setdefault(folder + slash, set()).add(last)
    return [
        (version, folder, [each for each in version.files if each not in there])
        for folder, there in folders.items()
        for version in VERSIONS
        if there.intersection(version.files)
    ]


def load_cifar(path: Path, listing: Listing, version: CifarVersion, folder: str) -> Dataset:
    """The data set in ``path``; `DataError` naming a wrong file."""
    parts = {}
    for name, data in read_files(path, listing, {folder + each for each in version.files}):
        read = _read_binary if version.label_bytes else _read_pickle
        parts[name.removeprefix(folder)] = read(f"{shown(path)}: {shown(name)}", data, version)
    surplus = [
        name
        for name in listing.files
        if SURPLUS.fullmatch(name.removeprefix(folder)) and name.removeprefix(folder) not in parts
    ]

    def join(names: Sequence[str]) -> tuple[Images, Labels]:
        images, labels = zip(*(parts[name] for name in names), strict=True)
        return np.concatenate(images), np.concatenate(labels)

    return Dataset(
        version.name,
        version.classes,
        *join(version.train),
        *join(version.test),
        crop_padding=CROP_PADDING,
        flip=True,
        notes=tuple(
            f"{counted(len(names), 'batch')} left out, no part of {version.title}: "
            f"{examples(names)}"
            for names in (surplus,)
            if names
        ),
    )


def _read_binary(where: str, data: bytes, version: CifarVersion) -> tuple[Images, Labels]:
    record = version.label_bytes + PIXELS
    if not data or len(data) % record:
        raise DataError(f"{where} has {len(data):,} bytes, which are no records of {record} bytes")
    records = np.frombuffer(data, np.uint8).reshape(-1, record)
    labels = records[:, version.label_bytes - 1]
    return _checked(where, records[:, version.label_bytes :], labels, version)


def _read_pickle(where: str, data: bytes, version: CifarVersion) -> tuple[Images, Labels]:
    try:
        content = _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
        if not isinstance(content, dict):
            raise TypeError("it is no dictionary")
        named = {_text(key): value for key, value in content.items()}
        for key in ("data", version.label_key):
            if key not in named:
                raise KeyError(f"it lacks {key!r}")
        pixels, labels = (np.asarray(named[key]) for key in ("data", version.label_key))
    except Exception as error:  # a damaged pickle can raise anything
        why = error.args[0] if isinstance(error, KeyError) and error.args else cause(error)
        raise DataError(f"{where} is no batch of {version.name}: {why}") from error
    return _checked(where, pixels, labels, version)


def _text(key: Any) -> Any:
    """A key as Python 3 writes it, whichever has."""
    return key.decode("ascii") if isinstance(key, bytes) else key


class _ArrayUnpickler(pickle.Unpickler):
    """Reads arrays in dictionaries only: a foreign pickle may hold any program."""

    ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy._core.numeric", "_frombuffer"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        if (module, name) == ("numpy", "dtype"):
            return _dtype
        # The published files have the old name, of which NumPy 2 warns.
        return super().find_class(module.replace("numpy.core", CORE), name)


def _dtype(kind: Any, align: object = False, copy: object = False) -> np.dtype[Any]:
    """As `numpy.dtype`. The published files give 0 and 1, of which NumPy 2.4.0 to 2.4.4 warn."""
    return np.dtype(kind, align=bool(align), copy=bool(copy))


def _checked(
    where: str, pixels: NDArray[Any], labels: NDArray[Any], version: CifarVersion
) -> tuple[Images, Labels]:
    if pixels.shape != (len(labels) if labels.ndim else 0, PIXELS) or labels.ndim != 1:
        raise DataError(
            f"{where} has pixels of shape {pixels.shape} for labels of shape {labels.shape}, "
            f"not {PIXELS} for each"
        )
    if not len(labels):
        raise DataError(f"{where} has no images")
    _check_range(f"{where} has pixels", pixels, 255)
    _check_range(f"{where} has labels", labels, version.classes - 1)
    images = np.ascontiguousarray(pixels.astype(np.uint8)).reshape(-1, *SHAPE)
    return images, labels.astype(np.int64)


def _check_range(what: str, values: NDArray[Any], largest: int) -> None:
    """Raise `DataError` for values that are no whole numbers from 0 to ``largest``."""
    allowed = f"whole numbers 0..{largest}"
    if values.dtype.kind not in "iu":
        raise DataError(f"{what} of type {values.dtype}, not {allowed}: store them as integers")
    if not 0 <= values.min() <= values.max() <= largest:
        raise DataError(f"{what} outside 0..{largest}: they are {values.min()} to {values.max()}")


DATASET = Format(
    "cifar", "CIFAR-10 or CIFAR-100 as published (Python or binary version)", find_cifar, incomplete
)
