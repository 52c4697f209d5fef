"""Checks that the sizes of a machine fit each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fractrain.hw.contract.errors import ParameterError

if TYPE_CHECKING:
    from fractrain.hw.contract.parameters import Parameters

__all__ = ["WINDOW_PATTERNS", "check_combinations"]

WINDOW_PATTERNS = 16
"""Pattern entries that the largest window takes: of a gradient of stride 2 and rows wider than a
block, 8 slots of four reads each, two to an entry."""

Require = Callable[[bool, str, object, str], None]


def check_combinations(parameters: Parameters, source: str) -> None:
    """Raise `ParameterError` for sizes that do not fit each other, or no convolution."""
    array = parameters.array

    def require(condition: bool, path: str, value: object, allowed: str) -> None:
        if not condition:
            raise ParameterError(path, value, allowed, where=f"{path} in {source}")

    def require_multiple(path: str, value: int, divisor_path: str, divisor: int) -> None:
        require(
            value % divisor == 0, path, value, f"a multiple of {divisor_path}, which is {divisor}"
        )

    require_multiple("array.rows", array.rows, "array.cluster_rows", array.cluster_rows)
    require_multiple("array.columns", array.columns, "array.cluster_columns", array.cluster_columns)
    require(
        parameters.precision.max_bits % array.spatial_bits == 0,
        "precision.max_bits",
        parameters.precision.max_bits,
        f"a multiple of array.spatial_bits, which is {array.spatial_bits}",
    )
    primitives = parameters.target.primitives
    for path, value, allowed in (
        ("array.dot", array.dot, primitives.dots),
        ("array.accumulator", array.accumulator, primitives.accumulators),
    ):
        on_target = f"{' or '.join(allowed)}, on the target {parameters.target.name}"
        require(value in allowed, path, value, on_target)
    _check_buffers(parameters, require)
    if parameters.vector is not None:
        one = "1 on a machine with a vector section: a word is one plane"
        require(array.spatial_bits == 1, "array.spatial_bits", array.spatial_bits, one)


def _check_buffers(parameters: Parameters, require: Require) -> None:
    """Least sizes with which every convolution is possible, even if slow.

    The compiler cannot cut a convolution smaller than a matrix product of single blocks of pixels:
    in a slice all lane groups, each with room for two blocks, so that strides alternate between the
    banks; one slice of weights; one tile.
    """
    buffers, widest = parameters.buffers, parameters.precision.max_bits
    digits = parameters.digits(widest)
    at = f"at precision.max_bits, which is {widest}"
    slices, blocks, tile = (
        2 * digits,
        2 * parameters.lane_groups * digits,
        parameters.beats_per_tile,
    )
    for name, least, what in (
        (
            "column_words",
            slices,
            f"two slices {at}, so that one is loaded while the other is multiplied",
        ),
        ("plane_words", blocks, f"two blocks of each lane group of a slice {at}"),
        ("gradient_words", tile, "the beats of a tile, array.cluster_columns"),
        ("patterns", WINDOW_PATTERNS, "the entries of the largest window"),
    ):
        value = getattr(buffers, name)
        require(value >= least, f"buffers.{name}", value, f"at least {least}: {what}")
