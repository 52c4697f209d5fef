"""Formats of x̂, a batch norm's normalized input: how many bits, and in which part of σ."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.values import Whole


@dataclass(frozen=True)
class Format:
    """x̂ in σ/2^``fraction``, |x̂| ≤ 2^(``bits``−1) − 1."""

    bits: int
    fraction: int

    @property
    def most(self) -> int:
        """The greatest x̂."""
        return (1 << (self.bits - 1)) - 1


WIDE = Format(words.WIDE_BITS, words.WIDE_BITS - words.FORMED_RANGE_BITS)
"""At the end of a block, where z is formed: ±8σ in σ/2^8."""


def inner_format(bits: int, range_bits: int = words.FORMED_RANGE_BITS) -> Format:
    """Inside a block, where z is formed from what is kept for the way back: ±8σ, or ±4σ for
    ``range_bits`` of 3.

    Raises `ParameterError` for other than 4..11 bits (4..10 at ±4σ) and other ranges.
    """
    Whole(words.OUTER_RANGE_BITS, words.FORMED_RANGE_BITS).read("range of x̂, bits", range_bits)
    most = min(words.MAX_INNER_BITS, words.LIFTED_FRACTION + range_bits)
    Whole(words.MIN_NORMALIZED_BITS, most).read("bits of x̂ inside a block", bits)
    return Format(bits, bits - range_bits)


def outer_format(bits: int) -> Format:
    """At the end of a block, for the way back only: ±4σ, as what is beyond matters little there.

    Raises `ParameterError` for other than 4..8 bits.
    """
    Whole(words.MIN_NORMALIZED_BITS, words.MAX_OUTER_BITS).read("bits of x̂ of a block's end", bits)
    return Format(bits, bits - words.OUTER_RANGE_BITS)


@dataclass(frozen=True)
class KeptBits:
    """Bits of x̂ for the way back, of one precision slot: ``inner`` inside a block, ``outer`` at its
    end."""

    inner: int
    outer: int

    def format(self, *, end: bool) -> Format:
        """Of x̂ inside a block or at its ``end``; errors as `inner_format`, `outer_format`."""
        return outer_format(self.outer) if end else inner_format(self.inner)
