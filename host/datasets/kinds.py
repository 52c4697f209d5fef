"""Kinds of data sets: one with a name, or one in files that its format recognizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fractrain.host.datasets.dataset import Dataset
from fractrain.host.datasets.listing import Listing
from fractrain.host.plugins.registry import Registry

__all__ = ["DATASETS", "Bundled", "Format", "Found", "bundled", "formats"]


@dataclass(frozen=True)
class Bundled:
    """A data set that comes with a package and is found by its ``name``.

    about : its text in `--help`
    """

    name: str
    about: str
    load: Callable[[], Dataset]


@dataclass(frozen=True)
class Found:
    """One data set in a tree of files.

    where : its folder from the tree's root, and what it is, for people
    certain : whether its files can be nothing else; an uncertain one gives way to other formats
    """

    where: str
    load: Callable[[], Dataset]
    certain: bool = True


@dataclass(frozen=True)
class Format:
    """Data sets in a folder or archive, recognized by the names of its files.

    about : its text in `--help` and errors
    find : data sets in the files of a path
    missing : what an incomplete data set lacks, in words; empty if there is none. Arguments: names
        of files, and unusable names with their reasons
    """

    name: str
    about: str
    find: Callable[[Path, Listing], Sequence[Found]]
    missing: Callable[[Sequence[str], Mapping[str, str]], str] = lambda names, unusable: ""


DATASETS: Registry[Bundled | Format] = Registry(
    "fractrain.host.datasets",
    "DATASET",
    "dataset",
    order=lambda kind: (isinstance(kind, Format), kind.name),
)


def bundled() -> dict[str, Bundled]:
    """Those with a name."""
    return {each.name: each for each in DATASETS if isinstance(each, Bundled)}


def formats() -> list[Format]:
    """Those in files."""
    return [each for each in DATASETS if isinstance(each, Format)]
