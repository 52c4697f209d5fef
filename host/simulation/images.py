"""Images for the simulated step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.host.datasets import load_dataset
from fractrain.host.numerics.random_streams import Stream, generator
from fractrain.hw.contract.installation import needs_extra

IMAGES = ("random", "digits")
"""Random pixels, or the bundled digits."""

RANDOM_SHAPE = (3, 32, 32)


def training_images(name: str, count: int, seed: int) -> NDArray[np.uint8]:
    """``count`` of the `IMAGES` called ``name``, [N,C,H,W]; random ones are 3 x 32 x 32.

    Raises `MissingToolError` for digits without the extra ``train``.
    """
    if name == "random":
        numbers = generator(seed, Stream.DATA)
        return numbers.integers(0, 256, (count, *RANDOM_SHAPE), dtype=np.uint8)
    with needs_extra("train"):
        images, _ = next(iter(load_dataset(name).epoch(count, seed=seed, epoch=0)))
    return images
