"""Handwritten digits: the 1,797 real images of 8x8 pixels that come inside scikit-learn.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998 (the test part of it). Nothing is downloaded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.host.datasets.dataset import Dataset, Images, stratified_split
from fractrain.host.datasets.kinds import Bundled
from fractrain.hw.contract.errors import MissingToolError
from fractrain.hw.contract.installation import install_extra

SOURCE_LEVELS = 16
SIZE = 16
"""Pixels each way after resizing: the three stages of a network see 16, 8 and 4."""

TEST_FRACTION = 0.2


def load_digits() -> Dataset:
    """The digits at 16x16 pixels: 1,438 for training, 359 for test, the same in every run.

    Raises `MissingToolError` where scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError:
        raise MissingToolError(
            "the digits data set comes with scikit-learn, which is not installed: "
            f"{install_extra('train')}, on the board apt-get install python3-sklearn; "
            "or train on CIFAR, which needs no package: --dataset cifar-10-binary.tar.gz"
        ) from None
    images, labels = datasets.load_digits(return_X_y=True)
    pixels = resize(images.reshape(-1, 1, 8, 8), SIZE) * (255 / SOURCE_LEVELS)
    train, test = stratified_split(labels.astype(np.int64), TEST_FRACTION)
    rounded: Images = np.round(pixels).astype(np.uint8)
    return Dataset(
        name="digits",
        classes=10,
        train_images=rounded[train],
        train_labels=labels[train].astype(np.int64),
        test_images=rounded[test],
        test_labels=labels[test].astype(np.int64),
        crop_padding=1,
    )


def resize(images: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """``[N,C,H,H]`` → ``[N,C,size,size]``, bilinear between pixel centres, edges repeated."""
    old = images.shape[-1]
    positions = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
    left = np.minimum(positions.astype(int), old - 2)
    weights = np.zeros((size, old))
    weights[np.arange(size), left] = 1 - (positions - left)
    weights[np.arange(size), left + 1] = positions - left
    resized: NDArray[np.float64] = weights @ images @ weights.T
    return resized


DATASET = Bundled("digits", "1,797 handwritten digits that come with scikit-learn", load_digits)
