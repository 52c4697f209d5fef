"""The digits: real, whole, always split the same; resizing by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

from fractrain.host.datasets import load_dataset
from fractrain.host.datasets.digits import resize
from fractrain.hw.contract.errors import MissingToolError, ParameterError


def test_digits() -> None:
    dataset = load_dataset("digits")
    assert dataset.train_images.shape == (1438, 1, 16, 16)
    assert dataset.test_images.shape == (359, 1, 16, 16)
    assert dataset.train_images.dtype == np.uint8
    assert (dataset.train_images.min(), dataset.train_images.max()) == (0, 255)
    assert (dataset.channels, dataset.classes) == (1, 10)
    shares = np.bincount(dataset.test_labels) / (
        np.bincount(dataset.test_labels) + np.bincount(dataset.train_labels)
    )
    assert np.abs(shares - 0.2).max() < 0.005


def test_no_image_is_on_both_sides() -> None:
    dataset = load_dataset("digits")
    train = {image.tobytes() for image in dataset.train_images}
    assert len(train) == len(dataset.train_images)
    assert not train & {image.tobytes() for image in dataset.test_images}


def test_split_is_the_same_every_time() -> None:
    first, second = load_dataset("digits"), load_dataset("digits")
    np.testing.assert_array_equal(first.test_images, second.test_images)
    np.testing.assert_array_equal(first.train_labels, second.train_labels)


def test_resize_by_hand() -> None:
    """Doubled, pixel centres fall at a quarter and three quarters between the old ones."""
    row = np.array([0.0, 4.0, 8.0, 8.0])
    image = np.broadcast_to(row, (1, 1, 4, 4))
    expected = [0, 1, 3, 5, 7, 8, 8, 8]
    np.testing.assert_array_equal(resize(image, 8)[0, 0], np.broadcast_to(expected, (8, 8)))
    np.testing.assert_array_equal(
        resize(image.swapaxes(2, 3), 8)[0, 0].T, np.broadcast_to(expected, (8, 8))
    )
    np.testing.assert_array_equal(resize(image, 4), image)


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingToolError, match=r"pip install .*\[train\]"):
        load_dataset("digits")


def test_a_folder_of_that_name_is_not_meant_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_dataset("digits").notes == ()
    (tmp_path / "digits").mkdir()
    dataset = load_dataset("digits")
    assert len(dataset.train_images) == 1438
    assert dataset.notes == ("a file or folder digits is here, too: ./digits would be that",)


def test_unknown_data_set() -> None:
    with pytest.raises(ParameterError, match="dataset: got 'mnist', allowed: digits"):
        load_dataset("mnist")
