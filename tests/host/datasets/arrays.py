"""Two kinds of data sets, in one file: stripes that are made, and NumPy's arrays in a folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from fractrain.host.datasets.dataset import Dataset
from fractrain.host.datasets.kinds import Bundled, Format, Found
from fractrain.host.datasets.listing import Listing

FILE = "arrays.npz"
NAMES = ("train_images", "train_labels", "test_images", "test_labels")


def stripes() -> Dataset:
    """Eight by eight pixels, stripes across or down."""
    labels = np.arange(24) % 2
    across = np.indices((8, 8))[0] % 2 * 255
    images = np.where(labels.reshape(-1, 1, 1, 1), across.T, across).astype(np.uint8)
    return Dataset("stripes", 2, images[:16], labels[:16], images[16:], labels[16:])


def find(path: Path, listing: Listing) -> list[Found]:
    """Every ``arrays.npz``."""
    return [
        Found(f"{name} (arrays)", partial(load, path / name))
        for name in listing.files
        if name.rpartition("/")[2] == FILE
    ]


def load(path: Path) -> Dataset:
    """The arrays in ``path``."""
    with np.load(path) as arrays:
        parts = [arrays[name] for name in NAMES]
    return Dataset("arrays", int(parts[1].max()) + 1, *parts)


STRIPES = Bundled("stripes", "stripes of eight by eight pixels", stripes)
ARRAYS = Format("arrays", f"arrays in {FILE}", find)
