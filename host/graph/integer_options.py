"""Parameters of the integer step: chunks, bits of what is normalized, bits of the residual."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import Format, inner_format, outer_format
from fractrain.hw.contract.values import Real, Whole

INNER = tuple(bits + 3 for bits in range(1, words.MAX_ACTIVATION_BITS + 1))
OUTER = (4, 4, 4, 4, 6, 6, 8, 8)
"""Bits of x̂ for activations of 1, 2, … 8 bits: inside a block, and at its end."""

ACTIVATION_RANGE = (0.5, 0.5, 0.5, 0.65, 0.8, 1.0, 1.0, 1.0)
ERROR_RANGE = (0.4, 0.4, 0.4, 0.4, 0.5, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Of activations of 1, 2, … 8 bits, of errors of 1, 2, … 12 bits: the share of their greatest
magnitude that they reach. With few bits, clipping what is rare costs less than wider steps do."""
SHARES = Real(0, 1, above=True)

RESIDUAL_BITS = Whole(words.MIN_RESIDUAL_BITS, words.MAX_RESIDUAL_BITS)
MIXING = Whole(0, (1 << words.MIX_BITS) - 1)


def mixing(share: float) -> int:
    """`IntegerOptions.mixing` of a real share, 0 ≤ share < 1: the nearest."""
    return min(int(share * 256 + 0.5), MIXING.high)


@dataclass(frozen=True)
class IntegerOptions:
    """``chunk_rows``: a chunk is as many images as have so many rows of pixels, rounded down to a
    power of two; None: the batch. ``inner``, ``outer``: bits of x̂ by those of the activations.
    ``mixing``: 256ths of the running statistics in those of a chunk. ``activation_range``,
    ``error_range``: by their bits, the share of last step's greatest magnitude that activations and
    errors reach."""

    chunk_rows: int | None = words.CHUNK_ROWS
    inner: tuple[int, ...] = INNER
    outer: tuple[int, ...] = OUTER
    residual_bits: int = 8
    mixing: int = 0
    activation_range: tuple[float, ...] = ACTIVATION_RANGE
    error_range: tuple[float, ...] = ERROR_RANGE

    def __post_init__(self) -> None:
        for name, bits, most in (
            ("inner", self.inner, words.MAX_INNER_BITS),
            ("outer", self.outer, words.MAX_OUTER_BITS),
        ):
            if len(bits) != words.MAX_ACTIVATION_BITS or not all(
                words.MIN_NORMALIZED_BITS <= each <= most for each in bits
            ):
                allowed = f"{words.MAX_ACTIVATION_BITS} numbers {words.MIN_NORMALIZED_BITS}..{most}"
                raise ParameterError(name, bits, allowed)
        RESIDUAL_BITS.read("residual_bits", self.residual_bits)
        MIXING.read("mixing", self.mixing)
        for name, shares, count in (
            ("activation_range", self.activation_range, words.MAX_ACTIVATION_BITS),
            ("error_range", self.error_range, words.MAX_ERROR_BITS),
        ):
            if len(shares) != count:
                raise ParameterError(name, shares, f"{count} numbers")
            for share in shares:
                SHARES.read(name, share)

    def chunk(self, images: int, height: int, width: int) -> int:
        """Images that share statistics, of ``images`` with so many pixels: max(1, rows / side),
        rounded down to a power of two, at most all of them."""
        if self.chunk_rows is None:
            return images
        rows = max(1, self.chunk_rows // max(height, width))
        return min(images, 1 << (rows.bit_length() - 1))

    def kept_format(self, activation_bits: int, *, inner: bool) -> Format:
        """Of x̂ for the way back, beside activations of so many bits."""
        if inner:
            return inner_format(self.inner[activation_bits - 1])
        return outer_format(self.outer[activation_bits - 1])
