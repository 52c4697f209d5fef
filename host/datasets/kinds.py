"""What a data set is to users: one with a name, or one in files that its kind recognizes."""

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
    """A data set that comes with a package, ``name`` being all it takes.

    about : what it is, for `--help`
    """

    name: str
    about: str
    load: Callable[[], Dataset]


@dataclass(frozen=True)
class Found:
    """One data set in a tree of files.

    where : its folder from the tree's root, and what it is, for people
    certain : whether its files can be nothing else: one that is not gives way to other formats
    """

    where: str
    load: Callable[[], Dataset]
    certain: bool = True


@dataclass(frozen=True)
class Format:
    """Data sets in a folder or archive, recognized by the names of its files.

    about : what is recognized, for `--help` and errors
    find : those in the files of a path
    missing : what the files lack that they are one, in words; empty if they are none. Given the
        names of files, and what cannot be used with its reason
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
