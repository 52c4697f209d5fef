"""A data set in memory, its fixed split, and the batches of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.numerics.random_streams import Numbers, RandomNumbers, Stream, generator
from fractrain.hw.contract.errors import ParameterError

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]

SPLIT_SEED = 2020
"""Seed of every split: all runs have the same test images, independent of their seeds."""


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of the pixels of each channel, [C], in the pixels' unit; the
    deviation of a channel of one brightness is 1."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]


@dataclass(frozen=True)
class Dataset:
    """Images ``[N,C,H,W]`` in 0..255 and labels ``0..classes-1``, for training and for test.

    ``crop_padding``: training images are shifted by up to so many pixels each way, ``fill`` coming
    in (a random crop of the padded image); 0 leaves them as they are. ``flip``: every second one,
    by chance, is mirrored left to right. ``notes``: remarks for users on how it was read, one line
    each. ``fill``: a colour, [C], that makes cropped images float32; None is black.
    """

    name: str
    classes: int
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    crop_padding: int = 0
    flip: bool = False
    notes: tuple[str, ...] = ()
    fill: NDArray[np.float32] | None = None

    @property
    def channels(self) -> int:
        return int(self.train_images.shape[1])

    def moments(self) -> Moments:
        """Of the training images."""
        images = self.train_images
        pixels = images.size // self.channels
        # Sums of integers: exact, so that no order of summation shows.
        mean = images.sum(axis=(0, 2, 3), dtype=np.int64) / pixels
        squares = np.einsum("nchw,nchw->c", images, images, dtype=np.int64, casting="safe")
        variance = np.maximum(squares / pixels - mean * mean, 0)
        deviation = np.where(variance > 0, np.sqrt(variance), 1)
        return Moments(mean.astype(np.float32), deviation.astype(np.float32))

    def steps_per_epoch(self, batch: int) -> int:
        """Full batches in an epoch; remaining images wait for another shuffle.

        Raises `ParameterError` for a batch larger than the training set.
        """
        if not 1 <= batch <= len(self.train_images):
            raise ParameterError("batch", batch, f"1..{len(self.train_images)} images")
        return len(self.train_images) // batch

    def epoch(
        self, batch: int, *, seed: int, epoch: int, first: int = 0, numbers: Numbers = generator
    ) -> Iterator[tuple[Images, Labels]]:
        """Shuffled, augmented batches, from number ``first`` of the epoch on.

        They depend on ``seed``, ``epoch``, their own number and the kind of ``numbers`` only.
        """
        order = numbers(seed, Stream.DATA, epoch).permutation(len(self.train_images))
        count = self.steps_per_epoch(batch)
        for index in range(first, count):
            rng = numbers(seed, Stream.AUGMENTATION, epoch * count + index)
            chosen = order[index * batch : (index + 1) * batch]
            images = random_crop(self.train_images[chosen], self.crop_padding, rng, self.fill)
            if self.flip:
                images = random_flip(images, rng)
            yield images, self.train_labels[chosen]


def random_crop(
    images: Images,
    padding: int,
    rng: RandomNumbers,
    fill: NDArray[np.float32] | None = None,
) -> Any:
    """Each image shifted by its own −padding..padding pixels both ways, zeros or ``fill`` coming
    in."""
    if padding == 0:
        return images
    count, channels, height, width = images.shape
    size = count, channels, height + 2 * padding, width + 2 * padding
    padded = np.zeros(size, np.uint8 if fill is None else np.float32)
    if fill is not None:
        padded[:] = fill.reshape(1, -1, 1, 1)
    padded[:, :, padding:-padding, padding:-padding] = images
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
    shift = rng.integers(0, 2 * padding, (2, count), endpoint=True)
    return np.ascontiguousarray(windows[np.arange(count), :, shift[0], shift[1]])


def random_flip(images: Images, rng: RandomNumbers) -> Images:
    """Each image, with probability 1/2, mirrored left to right."""
    mirrored = rng.random(len(images)) < 0.5
    return np.where(mirrored.reshape(-1, 1, 1, 1), images[..., ::-1], images)


def stratified_split(labels: Labels, test_fraction: float) -> tuple[Labels, Labels]:
    """Indices for training and for test, each class in the same proportion, by `SPLIT_SEED`."""
    rng = np.random.default_rng(SPLIT_SEED)
    train: list[Labels] = []
    test: list[Labels] = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = round(len(members) * test_fraction)
        test.append(members[:count])
        train.append(members[count:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(test))
