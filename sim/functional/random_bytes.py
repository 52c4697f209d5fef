"""The random bits of single elements, from `hw.contract.random_bits`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.random_bits import (
    PIXEL_GROUP_BITS,
    WORD_PIXELS,
    XORSHIFT,
    rounding_key,
)
from fractrain.hw.contract.threefry import WORD_BITS, threefry

Integers = NDArray[np.int64]
PER_WORD = WORD_BITS // RANDOM_BITS


def random_bytes(
    rounding: tuple[int, int], tensor: int, image: Integers, channel: Integers, pixel: Integers
) -> Integers:
    """u of elements of ``tensor``, whose places broadcast; ``rounding``: seed and step."""
    places = np.broadcast_arrays(image, channel, pixel)
    images, channels, pixels = (each.astype(np.uint64) for each in places)
    group = pixels // np.uint64(WORD_PIXELS)
    counter = channels // np.uint64(2) << np.uint64(PIXEL_GROUP_BITS) | group
    even, odd = threefry(rounding_key(*rounding, tensor), images, counter)
    word = np.where(channels % np.uint64(2) == 0, even, odd)
    place = pixels % np.uint64(WORD_PIXELS)
    for further in range(1, WORD_PIXELS // PER_WORD):
        word = np.where(place >= further * PER_WORD, _xorshift(word), word)
    byte = word >> (place % np.uint64(PER_WORD)) * np.uint64(RANDOM_BITS)
    return (byte & np.uint64((1 << RANDOM_BITS) - 1)).astype(np.int64)


def _xorshift(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    left, right, again = map(np.uint64, XORSHIFT)
    word = word ^ word << left
    word = word ^ word >> right
    return word ^ word << again
