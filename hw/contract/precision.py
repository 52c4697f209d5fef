"""Precision as data: how many bits an operand has, and which operands a pass multiplies."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.numerics import (
    MAX_ACTIVATION_BITS,
    MAX_ERROR_BITS,
    MAX_WEIGHT_BITS,
)
from fractrain.hw.contract.values import Several, Whole

MAX_BITS = 16
"""Widest operand of any machine; a configuration may allow less (``precision.max_bits``)."""

"""Widest operands of a training step in integers (hardware mode): the word lengths around the
convolutions are made for them. A convolution alone takes `MAX_BITS`."""

SUM_BITS = 48
"""Of a sum: the accumulator of a DSP48E1, results, gradient memory. Sums are modulo ``2**48``."""


class Operand(enum.IntEnum):
    """The three kinds of tensor that a precision slot gives bits for.

    Activations follow a ReLU and are unsigned; weights and errors are two's complement.
    """

    ACTIVATION = 0
    WEIGHT = 1
    ERROR = 2

    @property
    def signed(self) -> bool:
        return self is not Operand.ACTIVATION


class Pass(enum.Enum):
    """The three convolutions of training, with their operands on rows and columns of the array."""

    FORWARD = ("forward", Operand.ACTIVATION, Operand.WEIGHT)
    ERROR = ("error", Operand.ERROR, Operand.WEIGHT)
    GRADIENT = ("gradient", Operand.ACTIVATION, Operand.ERROR)

    def __init__(self, label: str, row: Operand, column: Operand) -> None:
        self.label = label
        self.row = row
        self.column = column


@dataclass(frozen=True)
class Precision:
    """Bits of activations, weights and errors of one slot; 0 skips the operations that use them.

    Written ``a,w,e`` on the command line, for example ``4,4,6``.
    """

    activation: int
    weight: int
    error: int

    def __post_init__(self) -> None:
        for name in ("activation", "weight", "error"):
            check_bits(f"precision.{name}", getattr(self, name), allow_skip=True)

    def bits(self, operand: Operand) -> int:
        return (self.activation, self.weight, self.error)[operand]

    @classmethod
    def parse(cls, text: str) -> Precision:
        """Read ``a,w,e``; `ParameterError` as `PRECISION`."""
        parsed: Precision = PRECISION.read("precision", text)
        return parsed

    def __str__(self) -> str:
        return f"{self.activation}/{self.weight}/{self.error}"


PRECISION = Several(
    Whole(0, MAX_BITS),
    3,
    3,
    f"three numbers a,w,e, each 0..{MAX_BITS}",
    "4,4,6",
    build=lambda bits: Precision(*bits),
)
"""How a user writes a `Precision`, in text or as a list."""


def check_bits(
    name: str, bits: object, *, maximum: int = MAX_BITS, allow_skip: bool = False
) -> int:
    """Return ``bits`` if it is a legal operand width, else raise `ParameterError`."""
    low = 0 if allow_skip else 1
    if not isinstance(bits, int) or isinstance(bits, bool) or not low <= bits <= maximum:
        raise ParameterError(name, bits, f"a whole number of bits, {low}..{maximum}")
    return bits


def value_range(bits: int, signed: bool) -> tuple[int, int]:
    """Least and greatest integer of ``bits`` bits: ``[-2^(b-1), 2^(b-1)-1]`` or ``[0, 2^b-1]``."""
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def check_hardware_bits(precisions: Iterable[Precision]) -> None:
    """Raise `ParameterError` for the first of ``precisions`` that hardware mode does not take.

    It takes up to 8 bits of activations and weights and 12 of errors (`hw.contract.numerics`), and
    0 bits, which skip a block.
    """
    limits = (MAX_ACTIVATION_BITS, MAX_WEIGHT_BITS, MAX_ERROR_BITS)
    for precision in precisions:
        for operand, most in zip(Operand, limits, strict=True):
            given = precision.bits(operand)
            if given > most:
                name = f"{operand.name.lower()} bits of {precision}"
                allowed = f"at most {most} in hardware mode (--mode float takes {MAX_BITS})"
                raise ParameterError(name, given, allowed)
