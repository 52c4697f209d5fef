"""The random bits of tensors, as `hw.contract.random_bits` lays them out: the definition.

`random_bytes` makes them of many elements at once; a test computes single ones from the formulas.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.random_bits import (
    CHANNEL_PAIR_BITS,
    IMAGE_BITS,
    PIXEL_GROUP_BITS,
    WORD_PIXELS,
    XORSHIFT,
)
from fractrain.hw.contract.threefry import WORD_BITS, Key, Words, threefry

Bytes = NDArray[np.uint8]

_WORDS = WORD_PIXELS * RANDOM_BITS // WORD_BITS
"""Words that one word of the generator grows to."""

_AT_ONCE = 8192
"""Counters handled together: their words stay in the cache."""


def random_bytes(key: Key, images: int, channels: int, pixels: int, first_image: int = 0) -> Bytes:
    """Uniform integers 0..255, ``[images, channels, pixels]``, of the tensor with ``key``.

    The images are those at places ``first_image`` .. ``first_image + images − 1`` of the
    mini-batch, so parts of a batch get what the whole gets. Weights ``[K, C·R·S]`` are one image of
    K channels and C·R·S pixels.

    Raises `ParameterError` for more than 2^32 images, pairs of channels or groups of 32 pixels.
    """
    pairs, groups = -(-channels // 2), -(-pixels // WORD_PIXELS)
    for name, size, bits in (
        ("images", first_image + images, IMAGE_BITS),
        ("channels", pairs, CHANNEL_PAIR_BITS),
        ("pixels", groups, PIXEL_GROUP_BITS),
    ):
        if size > 1 << bits:
            raise ParameterError(name, size, f"at most {1 << bits}")
    words = np.empty((images, pairs, 2, groups, _WORDS), "<u8")
    places = np.arange(first_image, first_image + images, dtype=np.uint64).reshape(-1, 1, 1)
    second = np.arange(pairs, dtype=np.uint64).reshape(-1, 1) << np.uint64(PIXEL_GROUP_BITS)
    second = second | np.arange(groups, dtype=np.uint64)
    together = max(1, _AT_ONCE // max(1, pairs * groups))
    for begin in range(0, images, together):
        part = slice(begin, begin + together)
        for parity, word in enumerate(threefry(key, places[part], second)):
            _grow(word, words[part, :, parity])
    padded = words.view(np.uint8).reshape(images, 2 * pairs, groups * WORD_PIXELS)
    return np.ascontiguousarray(padded[:, :channels, :pixels])


def _grow(word: Words, out: Words) -> None:
    """``out[…, j]`` = xorshift applied j times to ``word``, which is used up."""
    left, right, again = map(np.uint64, XORSHIFT)
    scratch = np.empty_like(word)
    for index in range(_WORDS):
        if index:
            word ^= np.left_shift(word, left, out=scratch)
            word ^= np.right_shift(word, right, out=scratch)
            word ^= np.left_shift(word, again, out=scratch)
        out[..., index] = word
