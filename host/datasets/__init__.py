"""Data sets: labelled images as unsigned 8-bit pixels, already split."""

from __future__ import annotations

from host.datasets.dataset import Dataset
from host.datasets.digits import load_digits
from hw.contract.errors import ParameterError

DATASETS = {"digits": load_digits}


def load_dataset(name: str) -> Dataset:
    """The data set ``name``; `ParameterError` if there is none of that name."""
    if name not in DATASETS:
        raise ParameterError("dataset", name, " or ".join(DATASETS))
    return DATASETS[name]()


__all__ = ["DATASETS", "Dataset", "load_dataset"]
