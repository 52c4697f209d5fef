"""Data sets: labelled images as unsigned 8-bit pixels, already split."""

from __future__ import annotations

import os
from pathlib import Path

from host.datasets.archive import list_files
from host.datasets.cifar import find_cifar, load_cifar
from host.datasets.dataset import Dataset
from host.datasets.digits import load_digits
from host.datasets.image_folder import find_images, load_images
from hw.contract.errors import DataError, ParameterError

BUNDLED = {"digits": load_digits}

KINDS = (
    "CIFAR-10 or CIFAR-100 as published (Python or binary version), or images in "
    "train/<class>/ and test/<class>/"
)


def load_dataset(name: str) -> Dataset:
    """A bundled data set by its ``name``, or the one in the folder or tar archive of that path.

    Raises `ParameterError` if there is neither, `DataError` for what is damaged or no data set.
    """
    if name in BUNDLED:
        return BUNDLED[name]()
    path = Path(name)
    if not os.path.exists(name):  # of a name that cannot be one, Path.exists would raise
        raise ParameterError(
            "dataset",
            name,
            f"{', '.join(BUNDLED)}, or the path of a folder or archive with {KINDS}",
        )
    names = list_files(path)
    if (cifar := find_cifar(names)) is not None:
        return load_cifar(path, *cifar)
    if images := find_images(names):
        return load_images(path, images)
    raise DataError(f"{path} has {len(names)} files, but no data set: it takes {KINDS}")


__all__ = ["BUNDLED", "Dataset", "load_dataset"]
