"""The random bytes of a tile (`hw.contract.random_bits`), made where they are used.

`start` makes the generator's words of an image, `grow` the next ones of them.
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
GROUP_BITS = np.uint64(PIXEL_GROUP_BITS)


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
def start(words: Any, key0: np.uint64, key1: np.uint64, image: int) -> None:
    """The first words of an image, ``words[groups of pixels, channels, an even number]``."""
    for group in range(words.shape[0]):
        row = words[group]
        for pair in range(words.shape[1] // 2):
            second = (np.uint64(pair) << GROUP_BITS) | np.uint64(group)
            x0, x1 = encrypt(key0, key1, np.uint64(image), second)
            row[2 * pair], row[2 * pair + 1] = x0, x1


@kernel
def grow(x: np.uint64) -> np.uint64:
    """The next word of a generator's."""
    x ^= x << SHIFTS[0]
    x ^= x >> SHIFTS[1]
    return x ^ (x << SHIFTS[2])


@kernel
def fill_turns(out: Any, words: Any) -> None:
    """The bytes of a group of pixels, ``out[pixel, channel]``; uses up its ``words[channel]``."""
    for word in range(WORDS):
        if word:
            for i in range(len(words)):
                words[i] = grow(words[i])
        for byte in range(BYTES):
            row, shift = out[word * BYTES + byte], np.uint64(byte * RANDOM_BITS)
            for i in range(len(words)):
                row[i] = words[i] >> shift


@kernel
def fill_run(out: Any, x: np.uint64) -> None:
    """The bytes of a group of pixels of one channel, as many as ``out`` has room for, from their
    first word."""
    for first in range(0, len(out), BYTES):
        if first:
            x = grow(x)
        if first + BYTES <= len(out):
            for i in range(BYTES):
                out[first + i] = x >> np.uint64(i * RANDOM_BITS)
        else:
            for i in range(len(out) - first):
                out[first + i] = x >> np.uint64(i * RANDOM_BITS)


@kernel
def fill(
    out: Any, words: Any, room: Any, channel: int, place: int, pixels: int, wide: int, turns: bool
) -> None:
    """The bytes of a tile, ``out``, at element ``place`` of its block of ``wide`` channels and
    ``pixels`` pixels; ``room``, [WORD_PIXELS, channels], keeps what a group has more than a tile.
    """
    if turns:
        for at in range(0, len(out), wide):
            pixel = (place + at) // wide
            if pixel % WORD_PIXELS == 0:
                fill_turns(room, words[pixel // WORD_PIXELS, :wide])
            out[at : at + wide] = room[pixel % WORD_PIXELS]
    else:
        run = len(out) // wide
        for k in range(wide):
            mine = out[k * run : (k + 1) * run]
            first = place // WORD_PIXELS
            for at in range(0, run, WORD_PIXELS):
                x = words[first + at // WORD_PIXELS, channel + k]
                fill_run(mine[at : min(at + WORD_PIXELS, run)], x)
