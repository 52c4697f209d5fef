"""Threefry-2x64-13, the counter-based generator of hardware and host.

A block cipher with its rounds cut to what random numbers need: a key and a counter, two words of
64 bits each, give two words. With x₀, x₁ = c₀ + k₀, c₁ + k₁ and k₂ = `PARITY` ⊕ k₀ ⊕ k₁, round
r = 1..13 is

    x₀ ← x₀ + x₁          x₁ ← (x₁ rotated left by ROTATIONS[(r − 1) mod 8]) ⊕ x₀

and after every fourth round, with i = r / 4,

    x₀ ← x₀ + k[i mod 3]  x₁ ← x₁ + k[(i + 1) mod 3] + i

all modulo 2^64. A number depends on its key and its counter only, never on what was drawn before.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; 13
rounds are the fewest that pass all their statistical tests.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Key = tuple[int, int]
"""Two words of 64 bits."""

WORD_BITS = 64
ROUNDS = 13
ROTATIONS = (16, 42, 12, 31, 16, 32, 24, 21)
PARITY = 0x1BD11BDAA9FC1A22
ROUNDS_PER_KEY = 4
"""Rounds between additions of the key."""

_MASK = (1 << WORD_BITS) - 1


def threefry(key: Key, first: Words, second: Words, *, rounds: int = ROUNDS) -> tuple[Words, Words]:
    """The words (x₀, x₁) of the counters (``first``, ``second``), which broadcast."""
    words = (*key, PARITY ^ key[0] ^ key[1])
    x0, x1, scratch = np.empty((3, *np.broadcast_shapes(first.shape, second.shape)), np.uint64)
    np.add(first, np.uint64(words[0]), out=x0)
    np.add(second, np.uint64(words[1]), out=x1)
    for number in range(1, rounds + 1):
        x0 += x1
        rotation = ROTATIONS[(number - 1) % len(ROTATIONS)]
        np.right_shift(x1, np.uint64(WORD_BITS - rotation), out=scratch)
        np.left_shift(x1, np.uint64(rotation), out=x1)
        x1 |= scratch
        x1 ^= x0
        if number % ROUNDS_PER_KEY == 0:
            turn = number // ROUNDS_PER_KEY
            x0 += np.uint64(words[turn % 3])
            x1 += np.uint64((words[(turn + 1) % 3] + turn) & _MASK)
    return x0, x1
