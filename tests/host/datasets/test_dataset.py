"""Splits, batches and shifts, on images that say where they come from."""

from dataclasses import replace

import numpy as np
import pytest

from fractrain.host.datasets.dataset import Dataset, random_crop, random_flip, stratified_split
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.random_streams import Stream
from fractrain.hw.contract.errors import ParameterError


def numbered(count: int, crop_padding: int = 0) -> Dataset:
    """Images of 3x3 pixels whose every pixel is the image's label."""
    labels = np.arange(count)
    images = np.broadcast_to(labels.reshape(-1, 1, 1, 1), (count, 1, 3, 3)).astype(np.uint8)
    return Dataset("numbered", count, images, labels, images[:1], labels[:1], crop_padding)


def order(dataset: Dataset, batch: int, seed: int, epoch: int) -> list[int]:
    batches = list(dataset.epoch(batch, seed=seed, epoch=epoch))
    assert all(len(images) == len(labels) == batch for images, labels in batches)
    assert all((images == labels.reshape(-1, 1, 1, 1)).all() for images, labels in batches)
    return [int(label) for _, labels in batches for label in labels]


def test_an_epoch_has_every_image_once() -> None:
    assert sorted(order(numbered(12), 4, seed=0, epoch=0)) == list(range(12))


def test_left_over_images_wait() -> None:
    dataset = numbered(14)
    assert dataset.steps_per_epoch(4) == 3
    seen = order(dataset, 4, seed=0, epoch=0)
    assert len(set(seen)) == 12
    assert set(range(14)) == set(seen).union(*(order(dataset, 4, 0, epoch) for epoch in (1, 2, 3)))


def test_order_depends_on_seed_and_epoch() -> None:
    dataset = numbered(12)
    orders = [tuple(order(dataset, 4, *key)) for key in [(0, 0), (0, 0), (0, 1), (1, 0)]]
    assert orders[0] == orders[1]
    assert len(set(orders)) == 3


def test_numbers_by_counter_shuffle_shift_and_mirror() -> None:
    """The other kind of random numbers: every image once, in another order, all shifts occur."""
    dataset = replace(numbered(200, crop_padding=1), flip=True)
    batches = list(dataset.epoch(40, seed=0, epoch=2, numbers=counter_numbers))
    labels = np.concatenate([each for _, each in batches])
    assert sorted(labels) == list(range(200))
    assert labels.tolist() != order(numbered(200), 40, 0, 2)
    images = np.concatenate([each for each, _ in batches])[labels > 0, 0] > 0
    shown = np.stack([images.any(axis=2), images.any(axis=1)])  # rows and columns that have come in
    assert len({each.tobytes() for each in np.moveaxis(shown, 1, 0)}) == 9
    again = list(dataset.epoch(40, seed=0, epoch=2, first=3, numbers=counter_numbers))
    np.testing.assert_array_equal(again[0][0], batches[3][0])
    rng = counter_numbers(0, Stream.AUGMENTATION, 2 * len(batches) + 3)
    plain = dataset.train_images[batches[3][1]]
    np.testing.assert_array_equal(batches[3][0], random_flip(random_crop(plain, 1, rng), rng))


@pytest.mark.parametrize("batch", [0, -1, 13])
def test_batches_that_cannot_be(batch: int) -> None:
    with pytest.raises(ParameterError, match=r"batch: got .* allowed: 1\.\.12 images"):
        numbered(12).steps_per_epoch(batch)


def test_crop_moves_each_image_on_its_own() -> None:
    images = np.zeros((400, 2, 5, 5), np.uint8)
    images[:, :, 2, 2] = 7
    moved = random_crop(images, 1, np.random.default_rng(0))
    assert moved.shape == images.shape
    places = {tuple(np.argwhere(image[0])[0]) for image in moved}
    assert places == {(row, column) for row in (1, 2, 3) for column in (1, 2, 3)}
    np.testing.assert_array_equal(moved[:, 0], moved[:, 1])
    assert (moved.sum(axis=(2, 3)) == 7).all()


def test_crop_brings_in_zeros() -> None:
    moved = random_crop(np.ones((50, 1, 4, 4), np.uint8), 2, np.random.default_rng(0))
    sums = {int(total) for total in moved.sum(axis=(1, 2, 3))}
    assert sums == {4, 6, 8, 9, 12, 16}


def test_no_padding_is_no_change() -> None:
    images = np.ones((2, 1, 3, 3), np.uint8)
    assert random_crop(images, 0, np.random.default_rng(0)) is images


def test_stratified_split() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    train, test = stratified_split(labels, 0.2)
    assert sorted([*train, *test]) == list(range(100))
    assert np.bincount(labels[test]).tolist() == [10, 6, 4]
    np.testing.assert_array_equal(stratified_split(labels, 0.2)[1], test)
    assert test[:10].tolist() != list(range(10))  # drawn, not simply the first


def test_moments_are_of_each_channel_of_the_training_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 4, 5), np.uint8)
    images[:, 1] = 7
    data = Dataset("images", 2, images, np.zeros(20, int), images[:1] * 0, np.zeros(1, int))
    found = data.moments()
    np.testing.assert_allclose(found.mean, images.mean(axis=(0, 2, 3)), rtol=1e-6)
    expected = images.std(axis=(0, 2, 3))
    expected[1] = 1  # of one brightness
    np.testing.assert_allclose(found.deviation, expected, rtol=1e-6)
    assert found.mean.dtype == found.deviation.dtype == np.float32


def test_crops_bring_in_a_colour() -> None:
    """At the same places as zeros otherwise, and not rounded to whole pixels."""
    images = np.full((50, 2, 4, 4), 9, np.uint8)
    fill = np.float32([1.25, 200.5])
    black = random_crop(images, 2, np.random.default_rng(0))
    filled = random_crop(images, 2, np.random.default_rng(0), fill)
    assert filled.dtype == np.float32 and (black == 0).any()
    np.testing.assert_array_equal(
        filled, np.where(black == 0, fill.reshape(1, 2, 1, 1), np.float32(9))
    )
    dataset = replace(numbered(12, crop_padding=1), fill=np.float32([0.5]))
    batch, _ = next(dataset.epoch(4, seed=0, epoch=0))
    assert 0.5 in batch
