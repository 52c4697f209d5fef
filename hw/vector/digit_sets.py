"""Which digits of a line go through the corner turn together."""

import enum

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError

__all__ = ["DIGITS", "Digits", "Kind", "digit_sets"]


class Kind(enum.Enum):
    """What a plane is of."""

    NORMALIZED = 0
    """x̂ as it is kept; digit 0 is the sign of x̂ inside a block, one lower at its end."""
    MASK = 1
    RESIDUAL = 2
    ACTIVATION = 3
    ERROR = 4


DIGITS = {
    Kind.NORMALIZED: numerics.LIFTED_BITS,
    Kind.MASK: 1,
    Kind.RESIDUAL: numerics.MIN_RESIDUAL_BITS,
    Kind.ACTIVATION: numerics.MAX_ACTIVATION_BITS,
    Kind.ERROR: numerics.MAX_ERROR_BITS,
}
"""Most planes of each, the most significant first."""

Digits = tuple[tuple[Kind, int] | None, ...]
"""Kind and number of the digit in each place of a row."""


def digit_sets(channels: int) -> tuple[Digits, ...]:
    """What a row of the turn, of ``channels`` digits, can be, in the order in which a block passes:
    the sets hold every digit, those with activations and errors come last.

    Blocks of 16 channels have a set with activations, mask and an x̂ of few bits beside those with
    everything, so that most blocks pass once.
    Errors: `ParameterError` unless there are 8 or 16 channels.
    """
    x, mask, residual, activation, error = (_digits(each) for each in DIGITS)
    if channels == 16:
        kept = x + [None] * (15 - len(x)) + mask
        return tuple(
            tuple(each)
            for each in (
                kept,
                activation + residual,
                activation + x[:7] + mask,
                error + [None] * (16 - len(error)),
            )
        )
    if channels == 8:
        low = x[8:] + [None] * (7 - len(x[8:])) + mask
        high = error[8:] + [None] * (16 - len(error))
        return tuple(map(tuple, (x[:8], low, residual, activation, error[:8], high)))
    raise ParameterError("channels of a block of a vector unit", channels, "8 or 16")


def _digits(kind: Kind) -> list[tuple[Kind, int] | None]:
    return [(kind, number) for number in range(DIGITS[kind])]
