"""The random bytes of a tile (`hw.contract.random_bits`), made where they are used.

32 pixels of every channel of a tile at a time, in the order of the memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fractrain.host.backends.compiled.compiling import kernel
from fractrain.hw.contract import threefry as cipher
from fractrain.hw.contract.random_bits import (
    PIXEL_GROUP_BITS,
    RANDOM_BITS,
    WORD_PIXELS,
    XORSHIFT,
)

ROUNDS, ROUNDS_PER_KEY = cipher.ROUNDS, cipher.ROUNDS_PER_KEY
ROTATIONS = tuple(np.uint64(each) for each in cipher.ROTATIONS)
PARITY = np.uint64(cipher.PARITY)
WORD_BITS = np.uint64(cipher.WORD_BITS)
WORDS = WORD_PIXELS * RANDOM_BITS // cipher.WORD_BITS
BYTES = cipher.WORD_BITS // RANDOM_BITS
SHIFTS = tuple(np.uint64(each) for each in XORSHIFT)


@kernel
def encrypt(key0: np.uint64, key1: np.uint64, first: np.uint64, second: np.uint64) -> Any:
    """`hw.contract.threefry` of one counter."""
    keys = (key0, key1, PARITY ^ key0 ^ key1)
    x0, x1 = first + key0, second + key1
    for number in range(1, ROUNDS + 1):
        x0 += x1
        rotation = ROTATIONS[(number - 1) % len(ROTATIONS)]
        x1 = ((x1 << rotation) | (x1 >> (WORD_BITS - rotation))) ^ x0
        if number % ROUNDS_PER_KEY == 0:
            turn = number // ROUNDS_PER_KEY
            x0 += keys[turn % 3]
            x1 += keys[(turn + 1) % 3] + np.uint64(turn)
    return x0, x1


@kernel
def grow(x: np.uint64) -> np.uint64:
    """The next word of a generator's."""
    x ^= x << SHIFTS[0]
    x ^= x >> SHIFTS[1]
    return x ^ (x << SHIFTS[2])


@kernel
def fill(
    out: Any,
    key0: np.uint64,
    key1: np.uint64,
    image: int,
    channel: int,
    group: int,
    period: int,
    words: Any,
) -> None:
    """Bytes of ``period`` channels from ``channel`` on and of `WORD_PIXELS` pixels,
    ``out[pixel · period + channel]``. ``words``: room for period + 1 of them."""
    parity = channel & 1
    for pair in range((period + parity + 1) // 2):
        second = (np.uint64(channel // 2 + pair) << np.uint64(PIXEL_GROUP_BITS)) | np.uint64(group)
        x0, x1 = encrypt(key0, key1, np.uint64(image), second)
        words[2 * pair], words[2 * pair + 1] = x0, x1
    mine = words[parity : parity + period]
    for word in range(WORDS):
        if word:
            for i in range(period):
                mine[i] = grow(mine[i])
        for byte in range(BYTES):
            start = (word * BYTES + byte) * period
            row = out[start : start + period]
            shift = np.uint64(byte * RANDOM_BITS)
            for i in range(period):
                row[i] = mine[i] >> shift
