"""Cuts convolutions so that operands fit on the chip and loads hide behind passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fractrain.hw.contract.commands import FIELDS, Format, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS, value_range

ENOUGH_PASSES = 2048
"""Passes of a convolution command that hide the overhead of a command."""

WARM_UP_STRIPS = 4
"""Strips of a program's first image: no earlier work can hide its load."""

LOAD_WORDS = 256
"""Words of one LOAD of pixels, roughly: short enough to let a more urgent one pass soon."""


MOST_TILES_X, MOST_TILES_Y, MOST_IMAGES, MOST_SLICES, MOST_STRIDE = (
    FIELDS[Opcode.CONVOLVE][name].greatest
    for name in ("tiles_x", "tiles_y", "images", "slices", "y_stride")
)
MOST_RUN = FIELDS[Opcode.LOAD]["words"].greatest
ACCUMULATOR_LIMIT = (1 << SUM_BITS - 1) - 1
"""Greatest magnitude of a sum: 48 bits do not hold +2^47."""
RAW32_LIMIT = (1 << 31) - 1


class TooLarge(Exception):
    """The operands of one tile do not fit on the chip in this form."""


@dataclass(frozen=True)
class Chunk:
    """Images (whole, or a strip of one) that are on the chip together; ``rows`` of tiles."""

    image: int
    images: int
    row: int
    rows: int
    whole: bool


def whole_images(images: int, size: int, rows: int, step: int = 1) -> Iterator[Chunk]:
    """Chunks of about ``size`` images of ``rows`` rows each, multiples of ``step`` if possible."""
    count = -(-images // size)
    even = -(-images // count)
    even = min(size, -(-even // step) * step)
    for first in range(0, images, even):
        last = min(first + even, images)
        yield Chunk(first, last - first, 0, rows, True)


def strips(images: int, size: int, rows: int, step: int = 1) -> Iterator[Chunk]:
    """Chunks of at most ``size`` rows, a multiple of ``step`` where that is possible."""
    height = min(rows, size // step * step or size)
    for image in range(images):
        for row in range(0, rows, height):
            yield Chunk(image, 1, row, min(height, rows - row), False)


def warm_up(chunks: list[Chunk]) -> list[Chunk]:
    """``chunks`` with the first image in `WARM_UP_STRIPS` strips: the array starts sooner."""
    first, *rest = chunks
    if not first.whole:
        return chunks
    found = list(strips(1, -(-first.rows // WARM_UP_STRIPS), first.rows))
    if first.images > 1:
        found.append(Chunk(first.image + 1, first.images - 1, 0, first.rows, True))
    return found + rest


def odd(words: int) -> int:
    """Strides of this many words alternate between the banks."""
    return words | 1


def largest_sum(
    terms: int, bits: tuple[int, int], signed: tuple[bool, bool], parameters: Parameters
) -> int:
    """Greatest magnitude of a sum of ``terms`` products, as accumulators hold it.

    Operands count as padded to whole digits.
    """
    spatial = parameters.array.spatial_bits
    greatest = terms
    for width, sign in zip(bits, signed, strict=True):
        low, high = value_range(parameters.digits(width) * spatial, sign)
        greatest *= max(-low, high)
    return greatest


def exact_sum(terms: int, bits: tuple[int, int], signed: tuple[bool, bool]) -> int:
    """Greatest magnitude of a sum of ``terms`` products."""
    greatest = terms
    for width, sign in zip(bits, signed, strict=True):
        low, high = value_range(width, sign)
        greatest *= max(-low, high)
    return greatest


def raw_format(bound: int) -> Format:
    """The form in memory of sums of at most this magnitude."""
    return Format.RAW32 if bound <= RAW32_LIMIT else Format.RAW48


def image_groups(images: int, bound: int) -> list[range]:
    """The fewest groups of images with sums that fit the accumulators, if sums of one image reach
    ``bound``; raises `TooLarge` if even those do not fit."""
    most = ACCUMULATOR_LIMIT // bound
    if most < 1:
        raise TooLarge
    count = -(-images // most)
    return [range(images * i // count, images * (i + 1) // count) for i in range(count)]
