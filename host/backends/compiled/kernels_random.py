"""The random bytes of a tile (`hw.contract.random_bits`), made where they are used.

`start` makes the generator's words of an image, `grow` the next ones of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fractrain.host.backends.compiled.compiling import kernel
from fractrain.hw.contract import threefry as cipher
from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.random_bits import (
    PIXEL_GROUP_BITS,
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
BYTE, LOWEST = np.uint64(RANDOM_BITS), np.uint64((1 << RANDOM_BITS) - 1)
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
def grow(x: np.uint64) -> Any:
    """The next word of a generator's."""
    x ^= x << SHIFTS[0]
    x ^= x >> SHIFTS[1]
    return x ^ (x << SHIFTS[2])


@kernel
def fill_turns(out: Any, words: Any, pixel: int) -> None:
    """The bytes of pixels from ``pixel`` on, a multiple of BYTES, in one group,
    ``out[pixel, channel]``; the group's ``words[channel]`` are those of ``pixel`` then, or of the
    pixels before."""
    for first in range(0, len(out), BYTES):
        if (pixel + first) % WORD_PIXELS:
            for i in range(out.shape[1]):
                words[i] = grow(words[i])
        rows = out[first : first + BYTES]
        if len(rows) == BYTES:
            for i in range(out.shape[1]):
                x = words[i]
                for byte in range(BYTES):
                    rows[byte, i] = np.uint8(x & LOWEST)
                    x >>= BYTE
        else:
            for byte in range(len(rows)):
                for i in range(out.shape[1]):
                    rows[byte, i] = np.uint8(words[i] >> (np.uint64(byte) * BYTE) & LOWEST)


@kernel
def fill_run(out: Any, x: np.uint64) -> None:
    """The bytes of pixels of a group in one channel, from its first word ``x``."""
    for first in range(0, len(out), BYTES):
        if first:
            x = grow(x)
        row = out[first : first + BYTES]
        if len(row) == BYTES:
            for byte in range(BYTES):
                row[byte] = np.uint8(x >> (np.uint64(byte) * BYTE) & LOWEST)
        else:
            for byte in range(len(row)):
                row[byte] = np.uint8(x >> (np.uint64(byte) * BYTE) & LOWEST)


@kernel
def fill(out: Any, words: Any, channel: int, place: int, wide: int, turns: bool) -> None:
    """The bytes of a tile, ``out``, at element ``place`` of its block of ``wide`` channels. If they
    take turns, tiles are filled in their order: ``words`` grow from one to the next."""
    if turns:
        pixel = place // wide
        rows = out.reshape((len(out) // wide, wide))
        fill_turns(rows, words[pixel // WORD_PIXELS], pixel)
    else:
        run = len(out) // wide
        group = place // WORD_PIXELS
        for k in range(wide):
            mine = out[k * run : (k + 1) * run]
            for at in range(0, run, WORD_PIXELS):
                x = words[group + at // WORD_PIXELS, channel + k]
                fill_run(mine[at : at + WORD_PIXELS], x)
