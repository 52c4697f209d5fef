"""Block layout: how integer matrices become bit planes in memory and in the operand buffers.

A matrix of ``rows x depth`` integers is cut into *tiles* of M rows and *slices* of K lanes. The
bits of one weight of a slice are a *plane*; planes are stored most significant first, in groups
of ``spatial_bits`` (*digits*), so a reader that wants fewer bits reads a prefix. A plane of a
slice is ``lanes / channels`` *blocks* of ``channels`` lanes x M rows; in a block, bit
``row * channels + channel`` (least significant bit of byte 0 first) belongs to that row and lane.

Negative numbers are two's complement; rows and lanes beyond the matrix are zero, and so are the
planes that fill the last digit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.contract.errors import ParameterError
from hw.contract.parameters import Parameters
from hw.contract.precision import check_bits, value_range


def check_values(name: str, values: NDArray[np.integer], bits: int, signed: bool) -> None:
    """Raise `ParameterError` unless every value fits in ``bits`` bits, naming the first misfit."""
    low, high = value_range(bits, signed)
    if values.size and (int(values.min()) < low or int(values.max()) > high):
        position = np.unravel_index(int(np.argmax((values < low) | (values > high))), values.shape)
        kind = "signed" if signed else "unsigned"
        raise ParameterError(
            f"{name}{[int(i) for i in position]}",
            int(values[position]),
            f"{low}..{high} ({bits} bits, {kind})",
        )


def pack_matrix(
    values: NDArray[np.integer], bits: int, signed: bool, parameters: Parameters
) -> NDArray[np.uint8]:
    """Pack ``values[rows, depth]`` into blocks.

    Returns an array ``[tiles, slices, digits, spatial_bits * lane_groups, block_bytes]``: digit 0
    holds the most significant planes, and within a digit the blocks run plane by plane, lane
    group by lane group: the order in which a load command consumes them.

    Raises `ParameterError` for a value outside its width.
    """
    check_bits("bits", bits, maximum=parameters.precision.max_bits)
    if values.ndim != 2 or 0 in values.shape:
        raise ParameterError("matrix shape", values.shape, "rows x depth, both at least 1")
    check_values("matrix", values, bits, signed)
    grouped = _group(values, parameters)
    tiles, slices, groups, _ = grouped.shape
    spatial = parameters.array.spatial_bits
    planes = np.zeros(
        (tiles, slices, parameters.digits(bits) * spatial, groups, parameters.block_bytes), np.uint8
    )
    for plane in range(bits):
        weight = np.uint16(1 << (bits - 1 - plane))
        planes[:, :, plane] = np.packbits((grouped & weight) != 0, axis=-1, bitorder="little")
    return planes.reshape(tiles, slices, -1, spatial * groups, parameters.block_bytes)


def unpack_matrix(
    blocks: NDArray[np.uint8],
    bits: int,
    signed: bool,
    shape: tuple[int, int],
    parameters: Parameters,
) -> NDArray[np.int64]:
    """Inverse of `pack_matrix`: the ``rows x depth`` matrix of ``shape`` held by ``blocks``."""
    array, groups = parameters.array, parameters.lane_groups
    tiles, slices = blocks.shape[:2]
    planes = blocks.reshape(tiles, slices, -1, groups, parameters.block_bytes)
    grouped = np.zeros((tiles, slices, groups, parameters.block_bits), np.int64)
    for plane in range(bits):
        weight = 1 << (bits - 1 - plane)
        if signed and plane == 0:
            weight = -weight
        grouped += weight * np.unpackbits(planes[:, :, plane], axis=-1, bitorder="little").astype(
            np.int64
        )
    matrix = grouped.reshape(tiles, slices, groups, array.rows, parameters.block.channels)
    matrix = matrix.transpose(0, 3, 1, 2, 4).reshape(tiles * array.rows, slices * array.lanes)
    return matrix[: shape[0], : shape[1]]


def _group(values: NDArray[np.integer], parameters: Parameters) -> NDArray[np.uint16]:
    """Zero-pad to whole tiles and slices and bring the bits of each block together.

    Returns ``[tiles, slices, lane_groups, rows * channels]`` of the low 16 bits of each value.
    """
    array, channels = parameters.array, parameters.block.channels
    rows, depth = values.shape
    tiles, slices = -(-rows // array.rows), -(-depth // array.lanes)
    padded = np.zeros((tiles * array.rows, slices * array.lanes), np.uint16)
    padded[:rows, :depth] = values.astype(np.int64).astype(np.uint16)
    split = padded.reshape(tiles, array.rows, slices, parameters.lane_groups, channels)
    return np.ascontiguousarray(split.transpose(0, 2, 3, 1, 4)).reshape(
        tiles, slices, parameters.lane_groups, array.rows * channels
    )
