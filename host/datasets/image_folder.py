"""Any folder or archive of images: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from fractrain.host.datasets.archive import read_files
from fractrain.host.datasets.dataset import Dataset, Images, Labels
from fractrain.host.datasets.image import decode
from fractrain.host.datasets.image_layout import arrange
from fractrain.host.datasets.image_roots import find_roots
from fractrain.host.datasets.kinds import Format, Found
from fractrain.host.datasets.listing import Listing
from fractrain.host.datasets.wording import counted, examples, shown
from fractrain.hw.contract.errors import DataError, shortened

__all__ = ["DATASET", "find_images", "load_images"]

CROP_PADDING = 4

LONGEST_NAME = 120
"""Characters of a data set's name in records and reports."""

ARCHIVE = re.compile(r"\.(tar(\.\w+)?|t[bgx]z2?)$", re.IGNORECASE)


def find_images(path: Path, listing: Listing) -> list[Found]:
    """The data sets of images in ``path``."""
    return [
        Found(f"{shown(root or '.')}/", partial(load_images, path, listing, root, names))
        for root, names in sorted(find_roots(listing).items())
    ]


def load_images(path: Path, listing: Listing, root: str, names: Sequence[str]) -> Dataset:
    """The images of ``path``, all of one size; classes are numbered in the order of their names.

    ``root``, ``names``: of `find_roots`. Test images are shuffled, always in the same order for the
    same files, so a gate that decides for a mini-batch meets all classes in it, as in the official
    archives. Grey images stay grey if all are; else all become RGB. Raises `DataError` naming a
    file that is no image or of another size, and as `arrange` does.
    """
    layout = arrange(path, listing, root, names)
    images, warned = _read(path, listing, {*layout.train, *layout.test})
    classes = {label: number for number, label in enumerate(sorted({*layout.train.values()}))}
    train, test = (sorted(each, key=_composed) for each in (layout.train, layout.test))
    test = [test[index] for index in np.random.default_rng(0).permutation(len(test))]
    colour = any(len(image) == 3 for image in images.values())
    return Dataset(
        _name(path),
        len(classes),
        *_stack(train, images, layout.train, classes, colour),
        *_stack(test, images, layout.test, classes, colour),
        crop_padding=CROP_PADDING,
        flip=True,
        notes=(*layout.notes(), *warned),
    )


def _read(
    path: Path, listing: Listing, names: set[str]
) -> tuple[dict[str, Images], tuple[str, ...]]:
    """All images, and a note on those that have flaws."""
    images: dict[str, Images] = {}
    flaws: dict[str, str] = {}
    for name, data in read_files(path, listing, names):
        where = f"{shown(path)}: {shown(name)}"
        images[name], warning = decode(where, data)
        if warning:
            flaws[name] = warning
        first = next(iter(images))
        if len(images) == 1:
            _check_memory(path, len(names), images[name])
        elif images[name].shape[1:] != images[first].shape[1:]:
            raise DataError(
                f"{where} is of {_size(images[name])} pixels, {shown(first)} of "
                f"{_size(images[first])}; all must be alike: resize them"
            )
    if not flaws:
        return images, ()
    said = f"{counted(len(flaws), 'image')} read in spite of flaws: {examples(list(flaws))}"
    return images, (f"{said} ({flaws[min(flaws)]})",)


def _check_memory(path: Path, count: int, image: Images) -> None:
    """Raise `DataError` for more images than the computer has memory for."""
    needed = 2 * count * image.size  # while they are put one behind the other
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise DataError(
            f"{shown(path)} has {count:,} images of {_size(image)} pixels, which need "
            f"{needed / 1e9:,.1f} GB of memory; this computer has {there / 1e9:,.1f}: make the "
            "images smaller, or take fewer"
        )


def _stack(
    names: Sequence[str],
    images: Mapping[str, Images],
    labels: Mapping[str, str],
    classes: Mapping[str, int],
    colour: bool,
) -> tuple[Images, Labels]:
    stacked = np.stack([_channels(images[name], colour) for name in names])
    return stacked, np.array([classes[labels[name]] for name in names])


def _channels(image: Images, colour: bool) -> Images:
    return np.repeat(image, 3, axis=0) if colour and len(image) == 1 else image


def _size(image: Images) -> str:
    return f"{image.shape[2]} x {image.shape[1]}"


def _composed(name: str) -> tuple[str, str]:
    """The same order where a system has decomposed the names."""
    return unicodedata.normalize("NFC", name), name


def _name(path: Path) -> str:
    """Of the folder or archive, as it was given."""
    last = Path(os.path.abspath(path)).name
    name = ARCHIVE.sub("", last)
    return shortened(name, len(name))[:LONGEST_NAME] or "images"  # escaped only: it is no message


DATASET = Format("images", "images in train/<class>/ and test/<class>/", find_images)
