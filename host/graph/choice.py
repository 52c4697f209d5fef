"""The choice for a block of a network: the precision of each path through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.hw.contract.precision import Operand, Precision

UNQUANTIZED = Precision(8, 8, 8)
"""Precision of first convolution and shortcuts, which the paper leaves in floating point. Here they
run on the array like the others, always at 8 bits. In reference mode they have the precision of the
blocks, as in the authors' code; the first convolution in front of gates runs in float32, and counts
as if at this precision."""

SKIP = Precision(0, 0, 0)


def is_skip(precision: Precision) -> bool:
    """Whether a block of this precision is skipped: 0 bits of any operand."""
    return 0 in (precision.activation, precision.weight, precision.error)


@dataclass(frozen=True)
class Path:
    """One path through a block: all its convolutions at ``precision`` (0 bits: around them).

    ``images`` of the batch take it, all if None, and ``mask[N]`` says which: 1 for those.
    """

    precision: Precision
    images: int | None = None
    mask: Any = None


@dataclass(frozen=True)
class Choice:
    """The choice for a block: one path for the whole batch, or several that share it."""

    paths: tuple[Path, ...]

    def bits(self, images: int) -> tuple[float, float, float]:
        """Bits of activations, weights and errors, averaged over the ``images`` of the batch."""
        shares = [images if path.images is None else path.images for path in self.paths]
        activation, weight, error = (
            sum(
                share * path.precision.bits(operand)
                for share, path in zip(shares, self.paths, strict=True)
            )
            / images
            for operand in Operand
        )
        return activation, weight, error


def fixed_choices(precisions: Sequence[Precision]) -> list[Choice]:
    """One path through each block for the whole batch, at these precisions."""
    return [Choice((Path(precision),)) for precision in precisions]
