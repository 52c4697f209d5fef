"""Which random bits a number is rounded with: keys, counters, and how a word becomes bytes.

Stochastic rounding takes a byte of every element of a tensor (`numerics.RANDOM_BITS`). It depends
on the run's seed, the step, the tensor's number and the element's place in it only: in whatever
order, and in whatever parts, a machine rounds a tensor, it gets the same. `sim.golden.random_bits`
is the definition.

The key of a tensor, and of a stream of the host (initial weights, the order of images, …), which
no key of a tensor equals:

    word 0, bit 63       0                     1
    word 0, bits 62..0   seed                  seed
    word 1               step · 2^16 + tensor  stream · 2^56 + index

The counter of an element is

    word 0               the image's place in the mini-batch
    word 1               (channel div 2) · 2^32 + pixel div 32

with pixels counted row by row. Of the two words x₀, x₁ that `hw.contract.threefry` makes of it, x₀
is for the even channel of the pair and x₁ for the odd one. Each grows to the bytes of
32 pixels, four words of eight bytes, the lowest byte first:

    w₀ = x    w₍ⱼ₊₁₎ = xorshift(wⱼ)      byte 8·j + i of 32 = bits 8·i + 7 .. 8·i of wⱼ

where xorshift is x ← x ⊕ (x << 14), x ← x ⊕ (x >> 29), x ← x ⊕ (x << 11), of period 2^64 − 1. With
these shifts any three bytes of the 32 are independent: the linear map from the word's 64 bits to
their 24 has full rank (tests compute it). Of most others this is not true: with the customary 13,
7, 17 three pairs of bytes are dependent.
Source: Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (14), 2003.
"""

from __future__ import annotations

from collections.abc import Iterable

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.threefry import Key
from fractrain.hw.contract.values import Whole

WORD_PIXELS = 32
"""Pixels that a word of the generator is for."""

XORSHIFT = (14, 29, 11)
"""Shifts to the left, to the right, to the left."""

SEED_BITS = 63
STEP_BITS = 48
TENSOR_BITS = 16
STREAM_BITS = 8
INDEX_BITS = 56
IMAGE_BITS = 32
CHANNEL_PAIR_BITS = 32
PIXEL_GROUP_BITS = 32


def rounding_key(seed: int, step: int, tensor: int) -> Key:
    """The key of tensor number ``tensor`` in a step; `ParameterError` for a number too large."""
    _check("seed", seed, SEED_BITS)
    _check("step", step, STEP_BITS)
    _check("tensor", tensor, TENSOR_BITS)
    return seed, step << TENSOR_BITS | tensor


def stream_key(seed: int, stream: int, index: int) -> Key:
    """The key of number ``index`` of a host's stream; `ParameterError` for a number too large."""
    _check("seed", seed, SEED_BITS)
    _check("stream", stream, STREAM_BITS)
    _check("index", index, INDEX_BITS)
    return 1 << SEED_BITS | seed, stream << INDEX_BITS | index


def number_tensors(names: Iterable[str]) -> dict[str, int]:
    """The number of each tensor: its place among all that a step rounds at random, from 0.

    In the order of ``names``, which must not depend on precisions or on what is skipped, so that a
    tensor keeps its number throughout a run. Raises `ParameterError` for a name given twice, or
    for more tensors than numbers.
    """
    numbers: dict[str, int] = {}
    for name in names:
        if name in numbers:
            raise ParameterError("tensor", name, "a name for each tensor")
        numbers[name] = len(numbers)
    if len(numbers) > 1 << TENSOR_BITS:
        raise ParameterError("tensors", len(numbers), f"at most {1 << TENSOR_BITS}")
    return numbers


def _check(name: str, value: int, bits: int) -> None:
    Whole(0, (1 << bits) - 1).read(name, value)
