"""The error for a folder or archive without a data set."""

from __future__ import annotations

from pathlib import Path

from fractrain.host.datasets.image import FORMATS
from fractrain.host.datasets.image_roots import is_image
from fractrain.host.datasets.kinds import formats
from fractrain.host.datasets.listing import Listing
from fractrain.host.datasets.splits import split_of
from fractrain.host.datasets.wording import counted, examples, shown
from fractrain.hw.contract.errors import DataError

__all__ = ["no_dataset", "what_is_taken"]

ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst")

TABLES = (
    *(".npy", ".npz", ".mat", ".parquet", ".arrow", ".h5", ".hdf5", ".pkl", ".pickle"),
    *(".pt", ".tfrecord", ".csv"),
)


def what_is_taken() -> str:
    """The formats that are recognized."""
    return ", or ".join(each.about for each in formats())


def no_dataset(path: Path, listing: Listing) -> DataError:
    """The error for ``path`` with the files ``listing``: the likely cause, and what to do."""
    names = listing.files
    where = shown(path)
    for each in formats():
        if missing := each.missing(names, listing.unusable):
            return DataError(f"{where} is incomplete: {missing}; fetch it again")
    if not names:
        return DataError(f"{where} {_emptiness(listing)}: no data set, which is {what_is_taken()}")
    if images := [name for name in names if is_image(name)]:
        return DataError(f"{where} has {_unsorted(path, images)}")
    for kinds, advice in (
        (ARCHIVES, "unpack it, or give the path of a tar archive itself"),
        (TABLES, f"such files are not read: save the images as {', '.join(FORMATS)}"),
    ):
        if found := [name for name in names if name.casefold().endswith(kinds)]:
            return DataError(f"{where} is no data set; it holds {examples(found)}: {advice}")
    return DataError(
        f"{where} has {counted(len(names), 'file')}, but no data set: it takes {what_is_taken()}"
    )


def _emptiness(listing: Listing) -> str:
    if listing.unusable:
        first = min(listing.unusable)
        return f"has no files ({shown(first)} {listing.unusable[first]})"
    if listing.hidden:
        return f"has no files but hidden ones, with a dot in front ({examples(listing.hidden)})"
    return "has no files"


def _unsorted(path: Path, images: list[str]) -> str:
    """Of images that are in no ``train`` or ``test``."""
    count = counted(len(images), "image")
    above = [each for each in path.absolute().parts[-2:] if split_of(each)]
    if above:
        return (
            f"{count}, but no train/ and test/: it is a part of a data set; give the folder above "
            f"{shown(above[0])}/"
        )
    return (
        f"{count}, but not in train/<class>/ and test/<class>/ ({examples(images)}): "
        "move them there, a part of each class into test/"
    )
