"""Data sets: labelled images as unsigned 8-bit pixels, already split."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from fractrain.host.datasets.archive import list_files
from fractrain.host.datasets.cifar import CifarVersion, find_cifar, is_certain, load_cifar
from fractrain.host.datasets.dataset import Dataset
from fractrain.host.datasets.digits import load_digits
from fractrain.host.datasets.image_folder import load_images
from fractrain.host.datasets.image_roots import find_roots
from fractrain.host.datasets.no_dataset import KINDS, no_dataset
from fractrain.host.datasets.wording import shown
from fractrain.hw.contract.errors import DataError, ParameterError

BUNDLED = {"digits": load_digits}


def load_dataset(name: str) -> Dataset:
    """A bundled data set by its ``name``, or the one in the folder or tar archive of that path.

    Raises `ParameterError` if there is neither, `DataError` for what is damaged or no data set.
    """
    if name in BUNDLED:
        dataset = BUNDLED[name]()
        other = f"a file or folder {name} is here, too: ./{name} would be that"
        return replace(dataset, notes=(other,)) if os.path.exists(name) else dataset
    path = Path(name)
    _check_exists(name)
    listing = list_files(path)
    cifar, roots = find_cifar(listing.files), find_roots(listing)
    if roots:  # files called train and test may be lists of images
        cifar = [each for each in cifar if is_certain(*each, listing.files)]
    if len(cifar) + len(roots) > 1:
        raise _several(path, cifar, sorted(roots))
    if cifar:
        return load_cifar(path, listing, *cifar[0])
    for root, splits in roots.items():
        return load_images(path, listing, root, splits)
    raise no_dataset(path, listing)


def _several(path: Path, cifar: list[tuple[CifarVersion, str]], roots: list[str]) -> DataError:
    found = [f"{shown(folder or './')} ({version.title})" for version, folder in cifar]
    found += [f"{shown(root or '.')}/" for root in roots]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    unpack = "" if path.is_dir() else "unpack it, and "
    return DataError(
        f"{shown(path)} holds several data sets, in {' and '.join(found[:3])}{more}: "
        f"{unpack}give the folder of one"
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
            f"{', '.join(BUNDLED)}, or the path of a folder or archive with {KINDS}",
            hint=_hint(name),
        ) from error


def _hint(name: str) -> str:
    if "://" in name:
        return "download it first: nothing is fetched from the net"
    if name.startswith("~"):
        return "shells replace ~ where an argument begins with it: leave out the = in front"
    return ""


__all__ = ["BUNDLED", "Dataset", "load_dataset"]
