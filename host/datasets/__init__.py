"""Data sets: labelled images as unsigned 8-bit pixels, already split."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fractrain.host.datasets.archive import list_files
from fractrain.host.datasets.dataset import Dataset
from fractrain.host.datasets.kinds import Found, bundled, formats
from fractrain.host.datasets.listing import Listing
from fractrain.host.datasets.no_dataset import no_dataset, what_is_taken
from fractrain.host.datasets.wording import shown
from fractrain.hw.contract.errors import DataError, ParameterError


def load_dataset(name: str) -> Dataset:
    """A bundled data set by its ``name``, or the one in the folder or tar archive of that path.

    Raises `ParameterError` if there is neither, `DataError` for damaged files and for other files.
    """
    if kind := bundled().get(name):
        dataset = kind.load()
        other = f"a file or folder {name} is here, too: ./{name} would be that"
        return replace(dataset, notes=(other,)) if os.path.exists(name) else dataset
    path = Path(name)
    _check_exists(name)
    listing = list_files(path)
    found = _find(path, listing)
    if len(found) > 1:
        raise _several(path, found)
    if not found:
        raise no_dataset(path, listing)
    return found[0].load()


def _find(path: Path, listing: Listing) -> list[Found]:
    """The data sets in ``path``; uncertain ones count only if there is no other."""
    by_format = [each.find(path, listing) for each in formats()]
    several = sum(map(bool, by_format)) > 1
    return [each for found in by_format for each in found if each.certain or not several]


def _several(path: Path, found: Sequence[Found]) -> DataError:
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    unpack = "" if path.is_dir() else "unpack it, and "
    return DataError(
        f"{shown(path)} holds several data sets, in "
        f"{' and '.join(each.where for each in found[:3])}{more}: {unpack}give the folder of one"
    )


def _check_exists(name: str) -> None:
    try:
        os.stat(name)
    except (OSError, ValueError) as error:  # of a name that cannot be one
        if os.path.islink(name):
            raise DataError(
                f"{shown(name)} is a link to {shown(os.readlink(name))}, which leads nowhere"
            ) from error
        if isinstance(error, PermissionError):
            raise DataError(f"cannot read {shown(name)}: {error.strerror}") from error
        raise ParameterError(
            "dataset",
            name,
            f"{', '.join(bundled())}, or the path of a folder or archive with {what_is_taken()}",
            hint=_hint(name),
        ) from error


def _hint(name: str) -> str:
    if "://" in name:
        return "download it first: nothing is fetched from the net"
    if name.startswith("~"):
        return "shells replace ~ where an argument begins with it: leave out the = in front"
    return ""


__all__ = ["Dataset", "bundled", "load_dataset"]
