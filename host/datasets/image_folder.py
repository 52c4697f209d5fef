"""Any folder or archive of images: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from host.datasets.archive import read_files
from host.datasets.dataset import Dataset, Images
from host.optional import needs_extra
from hw.contract.errors import DataError

__all__ = ["find_images", "load_images"]

IMAGE = re.compile(r"(?:.*/)?(train|test|val)/([^/]+)/[^/]+\.(?:jpe?g|png)", re.IGNORECASE)
CROP_PADDING = 4


def find_images(names: Sequence[str]) -> dict[str, tuple[bool, str]]:
    """Of every image among ``names``: is it for training, and its class.

    ``val`` is ``test`` where there is no ``test``; else it is left out.
    """
    found = {
        name: (match[1].lower(), match[2]) for name in names if (match := IMAGE.fullmatch(name))
    }
    splits = {split for split, _ in found.values()}
    wanted = {"train", "test" if "test" in splits else "val"}
    return {
        name: (split == "train", label) for name, (split, label) in found.items() if split in wanted
    }


def load_images(path: Path, found: dict[str, tuple[bool, str]]) -> Dataset:
    """The images of ``path``, all of one size; classes are numbered in the order of their names.

    Test images come in one mixed order, the same for the same files: a gate that decides for a
    mini-batch shall meet all classes in it, as in the official archives, not one after the other.
    Grey images stay grey if all of them are; else all become RGB. Raises `DataError` naming the
    file that is no image or of another size, and if a class has no images for training.
    """
    trained = {label for training, label in found.values() if training}
    missing = {label for _, label in found.values()} - trained
    lacking = ", ".join(sorted(missing)) or "none"
    if missing or len(trained) < 2 or all(training for training, _ in found.values()):
        raise DataError(
            f"{path} must have images in train/<class>/ and test/<class>/ (or val/), of two "
            f"classes or more; classes without training images: {lacking}"
        )
    numbers = {label: number for number, label in enumerate(sorted(trained))}
    images: dict[str, Images] = {}
    for name, data in read_files(path, found.keys()):
        images[name] = _decode(f"{path}: {name}", data)
        first = next(iter(images))
        if images[name].shape[1:] != images[first].shape[1:]:
            raise DataError(
                f"{path}: {name} is of {_size(images[name])} pixels, {first} of "
                f"{_size(images[first])}; all must be alike: resize them"
            )
    colour = any(len(image) == 3 for image in images.values())
    arrays = []
    for training in (True, False):
        names = sorted(name for name, (split, _) in found.items() if split is training)
        if not training:
            names = [names[index] for index in np.random.default_rng(0).permutation(len(names))]
        stacked = [_channels(images[name], colour) for name in names]
        arrays += [np.stack(stacked), np.array([numbers[found[name][1]] for name in names])]
    train_images, train_labels, test_images, test_labels = arrays
    return Dataset(
        path.resolve().name.partition(".")[0],
        len(numbers),
        train_images,
        train_labels,
        test_images,
        test_labels,
        crop_padding=CROP_PADDING,
        flip=True,
    )


def _decode(where: str, data: bytes) -> Images:
    """``[1 or 3, height, width]``."""
    with needs_extra("train"):
        from PIL import Image, UnidentifiedImageError
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"its pixels, of mode {image.mode}, have more than 8 bits")
            grey = image.mode in ("1", "L", "LA")
            pixels = np.asarray(image.convert("L" if grey else "RGB"))
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        SyntaxError,
        ValueError,
    ) as error:
        raise DataError(f"{where} is not an image that can be read: {error}") from error
    return pixels[None] if grey else pixels.transpose(2, 0, 1)


def _channels(image: Images, colour: bool) -> Images:
    return np.repeat(image, 3, axis=0) if colour and len(image) == 1 else image


def _size(image: Images) -> str:
    return f"{image.shape[2]} x {image.shape[1]}"
