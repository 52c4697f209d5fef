"""The tensors of a step: name, kind, sign, bits."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from fractrain.hw.contract.precision import Operand


class Kind(enum.Enum):
    """Kinds of tensors. The first four are quantized: integers and one scale."""

    PIXELS = "pixels"
    ACTIVATIONS = "activations"
    WEIGHTS = "weights"
    ERRORS = "errors"
    SUMS = "sums of a convolution, exact integers"
    REAL = "real numbers, float32"
    IMAGES = "images as the data set has them, unsigned"
    LABELS = "class of each image"
    PARAMETER = "parameter that training changes, float32"
    STATISTIC = "running statistic, float32"
    RANGE = "range that a tensor is quantized over"
    MASK = "which elements, or images, take part"
    SAVED = "normalized values and deviations, for the way back of batch norm"
    NARROW = "sums of a convolution in 16 bits, and their moments"
    NORMALIZED = "normalized values, integers of few bits"
    STREAM = "errors in 16 bits, worth a power of two each"
    SHARE = "∂loss by the share of a path"


@dataclass(frozen=True)
class Fixed:
    """So many bits, always."""

    bits: int


@dataclass(frozen=True)
class BySlot:
    """As many bits as precision slot ``slot`` has for ``operand``."""

    slot: int
    operand: Operand


@dataclass(frozen=True)
class OfNormalized:
    """The bits of a normalized tensor by precision slot ``slot``: inside a block (``inner``), or at
    its end (`IntegerOptions` has the rule)."""

    slot: int
    inner: bool


Bits = Fixed | BySlot | OfNormalized


@dataclass(frozen=True)
class Tensor:
    """A value of a step, with a ``name`` that is unique in its graph.

    ``bits``: None for float32, and for sums, which have the bits they need. ``signed``: two's
    complement. ``planes_of``: the stored tensor, if this tensor is its top planes: only the stored
    one is in memory.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind
    signed: bool = True
    bits: Bits | None = None
    planes_of: Tensor | None = None

    @property
    def stored(self) -> Tensor:
        """The tensor that is in memory."""
        return self if self.planes_of is None else self.planes_of
