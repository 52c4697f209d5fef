"""Checks of a convolution's arguments; errors say what was given and what is allowed."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fractrain.host.graph.convolution import Convolution
from fractrain.host.graph.geometry import Geometry, output_size
from fractrain.host.graph.operations import Convolve
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.layout import check_values
from fractrain.hw.contract.precision import Pass, check_bits

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


def size_of(shape: Sequence[int]) -> tuple[int, int]:
    """(H, W) of a tensor [.,.,H,W]."""
    return shape[2], shape[3]


def check_operand(name: str, values: object, axes: str, bits: int, *, signed: bool) -> NDArray:
    """``values`` as an array of integers that fit, or a `ParameterError` with the reason."""
    if isinstance(values, np.ma.MaskedArray):
        raise ParameterError(name, type(values).__name__, "an array without a mask")
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        raise ParameterError(name, type(values).__name__, f"an array {axes}") from None
    if array.dtype.kind not in "iu":
        raise ParameterError(f"{name}.dtype", str(array.dtype), "an integer type")
    if array.ndim != 4 or 0 in array.shape:
        raise ParameterError(f"{name}.shape", array.shape, f"four axes {axes}, each at least 1")
    check_values(name, array, bits, signed)
    return array


def check_equal(name: str, given: object, wanted: object, why: str) -> None:
    if given != wanted:
        raise ParameterError(name, given, f"{wanted}, {why}")


def check_output(given: tuple[int, int], wanted: tuple[int, int], source: str) -> None:
    if tuple(given) != wanted:
        raise ParameterError(
            "e.shape[2:]",
            tuple(given),
            f"{wanted}, the output size of {source} with this kernel, stride and padding",
        )


def check_bit_pair(which: Pass, bits: object, maximum: int) -> tuple[int, int]:
    """Bits of the two operands of the pass, in its order."""
    names = which.row.name.lower(), which.column.name.lower()
    try:
        if not isinstance(bits, tuple | list) or any(isinstance(each, bool) for each in bits):
            raise TypeError
        row, column = (operator.index(each) for each in bits)
    except (TypeError, ValueError):
        raise ParameterError(
            "bits", bits, f"a tuple of two whole numbers, ({', '.join(names)})"
        ) from None
    check_bits(f"bits[0], {names[0]}", row, maximum=maximum)
    check_bits(f"bits[1], {names[1]}", column, maximum=maximum)
    return row, column


def check_stored(stored: int | None, bits: int, maximum: int) -> int:
    """Bits of activations in memory; None: ``bits``, all of them are read."""
    if stored is None:
        return bits
    check_bits("stored", stored, maximum=maximum)
    if stored < bits:
        raise ParameterError("stored", stored, f"at least bits[0], {bits}")
    return stored


def check_windows(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, padding: int
) -> tuple[int, int]:
    """Output size; `ParameterError` if the kernel does not fit."""
    windows = output_size(size, kernel, stride, padding)
    if min(windows) < 1:
        padded = tuple(length + 2 * padding for length in size)
        raise ParameterError(
            "kernel size", tuple(kernel), f"at most {padded}, the input with its padding"
        )
    return windows


def check_convolution(convolution: Convolution, maximum: int) -> None:
    """Bits that the machine supports, for operands with as many in memory."""
    pairs = zip(convolution.bits, convolution.stored, strict=True)
    if all(isinstance(bits, int) and 0 < bits <= stored <= maximum for bits, stored in pairs):
        return
    bits = check_bit_pair(convolution.pass_, convolution.bits, maximum)
    for stored, read in zip(convolution.stored, bits, strict=True):
        check_stored(stored, read, maximum)


def check_layers(convolutions: Iterable[Convolve]) -> None:
    """Of a step: layers that backends can multiply."""
    for each in convolutions:
        check_groups(f"groups of {each.layer}", each.geometry)


def check_groups(name: str, geometry: Geometry) -> None:
    """One group."""
    if geometry.groups != 1:
        raise ParameterError(name, geometry.groups, "1: no backend has more")


def check_channels(layer: str, given: int, channels: int, groups: int) -> None:
    """Of the input of ``layer``, with weights for ``channels`` in each of ``groups``."""
    if given != channels * groups:
        each = "" if groups == 1 else f", {channels} for each of {groups} groups"
        allowed = f"{channels * groups}, as its weights have{each}"
        raise ParameterError(f"channels of {layer}", given, allowed)
