"""CIFAR-10 and CIFAR-100 as their authors publish them: the Python and the binary version.

Source of the formats: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from host.datasets.archive import read_files
from host.datasets.dataset import Dataset, Images, Labels
from hw.contract.errors import DataError

__all__ = ["find_cifar", "load_cifar"]

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
    label_key: bytes = b""
    label_bytes: int = 0

    @property
    def files(self) -> tuple[str, ...]:
        return self.train + self.test


BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
VERSIONS = (
    CifarVersion("cifar10", 10, BATCHES, ("test_batch",), label_key=b"labels"),
    CifarVersion(
        "cifar10",
        10,
        tuple(f"{name}.bin" for name in BATCHES),
        ("test_batch.bin",),
        label_bytes=1,
    ),
    CifarVersion("cifar100", 100, ("train",), ("test",), label_key=b"fine_labels"),
    CifarVersion("cifar100", 100, ("train.bin",), ("test.bin",), label_bytes=2),
)


def find_cifar(names: Sequence[str]) -> tuple[CifarVersion, str] | None:
    """Which version ``names`` are the files of, and the folder that they are in (``""`` or with
    its ``/``); None if of none."""
    known = set(names)
    for version in VERSIONS:
        for name in names:
            folder, _, last = name.rpartition("/")
            prefix = f"{folder}/" if folder else ""
            if last == version.files[0] and all(prefix + each in known for each in version.files):
                return version, prefix
    return None


def load_cifar(path: Path, version: CifarVersion, folder: str) -> Dataset:
    """The data set in ``path``; `DataError` naming the file that is not what it should be."""
    parts = {}
    for name, data in read_files(path, {folder + each for each in version.files}):
        read = _read_binary if version.label_bytes else _read_pickle
        parts[name.removeprefix(folder)] = read(f"{path}: {name}", data, version)

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
        return _checked(where, content[b"data"], content[version.label_key], version)
    except DataError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f"{where} is no batch of {version.name}: {error}") from error


class _ArrayUnpickler(pickle.Unpickler):
    """Arrays in dictionaries and nothing else: a pickle from elsewhere may hold any program."""

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
        # The published files have the old name, of which NumPy 2 warns.
        return super().find_class(module.replace("numpy.core", CORE), name)


def _checked(where: str, pixels: Any, labels: Any, version: CifarVersion) -> tuple[Images, Labels]:
    images = np.asarray(pixels, np.uint8)
    numbers = np.asarray(labels, np.int64)
    if images.shape != (len(numbers), PIXELS):
        raise DataError(
            f"{where} has pixels of shape {images.shape} for {len(numbers)} labels, "
            f"not {PIXELS} for each"
        )
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < version.classes:
        raise DataError(f"{where} has labels outside 0..{version.classes - 1}")
    return np.ascontiguousarray(images).reshape(-1, *SHAPE), numbers
