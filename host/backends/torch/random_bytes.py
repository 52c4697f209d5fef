"""`sim.golden.random_bits` in PyTorch, on any device.

PyTorch's integers of 64 bits have a sign: sums are the same modulo 2^64, and a mask takes the
copies of the sign away that a shift to the right makes.
"""

from __future__ import annotations

from typing import Any

from fractrain.hw.contract import threefry as cipher
from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.random_bits import (
    PIXEL_GROUP_BITS,
    WORD_PIXELS,
    XORSHIFT,
)
from fractrain.hw.contract.threefry import WORD_BITS, Key

Tensor = Any

WORDS = WORD_PIXELS * RANDOM_BITS // WORD_BITS


def random_bytes(key: Key, images: int, channels: int, pixels: int, device: Any) -> Tensor:
    """uint8 ``[images, channels, pixels]``."""
    import torch

    pairs, groups = -(-channels // 2), -(-pixels // WORD_PIXELS)

    def count(numbers: int) -> Tensor:
        return torch.arange(numbers, device=device, dtype=torch.int64)

    first = count(images)[:, None, None].expand(images, pairs, groups)
    second = (count(pairs)[:, None] << PIXEL_GROUP_BITS) | count(groups)
    words = torch.empty((images, pairs, 2, groups, WORDS), dtype=torch.int64, device=device)
    for parity, word in enumerate(_encrypt(key, first, second.expand_as(first))):
        for index in range(WORDS):
            if index:
                word = _grow(word)
            words[:, :, parity, :, index] = word
    padded = words.view(torch.uint8).view(images, 2 * pairs, groups * WORD_PIXELS)
    return padded[:, :channels, :pixels]


def _encrypt(key: Key, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """`hw.contract.threefry` of the counters."""
    keys = (*key, cipher.PARITY ^ key[0] ^ key[1])
    x0, x1 = first + _signed(keys[0]), second + _signed(keys[1])
    for number in range(1, cipher.ROUNDS + 1):
        x0 += x1
        rotation = cipher.ROTATIONS[(number - 1) % len(cipher.ROTATIONS)]
        x1 = (x1 << rotation).bitwise_or_(_right(x1, WORD_BITS - rotation)).bitwise_xor_(x0)
        if number % cipher.ROUNDS_PER_KEY == 0:
            turn = number // cipher.ROUNDS_PER_KEY
            x0 += _signed(keys[turn % 3])
            x1 += _signed(keys[(turn + 1) % 3] + turn)
    return x0, x1


def _grow(x: Tensor) -> Tensor:
    left, right, again = XORSHIFT
    x = x ^ (x << left)
    x.bitwise_xor_(_right(x, right))
    return x.bitwise_xor_(x << again)


def _right(x: Tensor, shift: int) -> Tensor:
    """``x``, unsigned, divided by 2^shift."""
    return (x >> shift).bitwise_and_((1 << (WORD_BITS - shift)) - 1)


def _signed(word: int) -> int:
    """``word`` modulo 2^64 as a number with a sign."""
    word %= 1 << WORD_BITS
    return word - (word >> (WORD_BITS - 1) << WORD_BITS)
