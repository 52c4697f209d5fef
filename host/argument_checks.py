"""Checks of the arguments of a convolution; errors say what was given and what is allowed."""

from __future__ import annotations

import operator

from hw.contract.errors import ParameterError

LARGEST_SIZE = 65535
"""Of strides, paddings and sizes."""


def whole(name: str, value: object, low: int) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = low - 1
    if not low <= number <= LARGEST_SIZE or isinstance(value, bool):
        raise ParameterError(name, value, f"a whole number, {low}..{LARGEST_SIZE}")
    return number


def pair(name: str, value: object) -> tuple[int, int]:
    """``value`` as (height, width): a pair, or one number for both."""
    both = value if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2:
        raise ParameterError(name, value, "one whole number or a pair of them")
    return whole(f"{name}[0]", both[0], 1), whole(f"{name}[1]", both[1], 1)


def check_equal(name: str, given: int, wanted: int, why: str) -> None:
    if given != wanted:
        raise ParameterError(name, given, f"{wanted}, {why}")


def check_output(given: tuple[int, int], wanted: tuple[int, int], source: str) -> None:
    if tuple(given) != wanted:
        raise ParameterError(
            "e.shape[2:]",
            tuple(given),
            f"{wanted}, the output size of {source} with this kernel, stride and padding",
        )
