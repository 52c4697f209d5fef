"""Bit planes: the layout pinned bit by bit, and packing undone by unpacking."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.contract.errors import ParameterError
from hw.contract.layout import check_values, pack_matrix, unpack_matrix
from hw.contract.precision import value_range
from tests.hw.machines import machine


@pytest.mark.parametrize("spatial_bits", [1, 2, 4, 8])
def test_every_bit_is_where_the_layout_says(spatial_bits: int, rng: np.random.Generator) -> None:
    """The definition, written out: tile, slice, digit, plane, lane group, row, channel."""
    p = machine(array__spatial_bits=spatial_bits)
    bits, m, k, c = 5, p.array.rows, p.array.lanes, p.block.channels
    values = rng.integers(-16, 16, (11, 75))
    blocks = pack_matrix(values, bits, True, p)
    assert blocks.shape == (2, 3, p.digits(bits), spatial_bits * p.lane_groups, p.block_bytes)
    for row, lane in [(0, 0), (10, 74), (7, 35), (8, 36), (3, 40), (9, 5)]:
        for plane in range(bits):
            digit, s = divmod(plane, spatial_bits)
            group, channel = divmod(lane % k, c)
            block = blocks[row // m, lane // k, digit, s * p.lane_groups + group]
            bit = (row % m) * c + channel
            stored = block[bit // 8] >> (bit % 8) & 1
            assert stored == (values[row, lane] >> (bits - 1 - plane)) & 1


@given(
    data=st.data(),
    bits=st.integers(1, 16),
    signed=st.booleans(),
    spatial_bits=st.sampled_from([1, 2, 4, 8]),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 80)),
)
@settings(max_examples=60, deadline=None)
def test_unpack_undoes_pack(
    data: st.DataObject, bits: int, signed: bool, spatial_bits: int, shape: tuple[int, int]
) -> None:
    p = machine(array__spatial_bits=spatial_bits)
    low, high = value_range(bits, signed)
    seed = data.draw(st.integers(0, 2**32))
    values = np.random.default_rng(seed).integers(low, high, shape, endpoint=True)
    values.flat[0], values.flat[-1] = low, high
    blocks = pack_matrix(values, bits, signed, p)
    assert np.array_equal(unpack_matrix(blocks, bits, signed, shape, p), values)


def test_fewer_planes_are_a_prefix() -> None:
    p = machine()
    values = np.arange(-64, 64).reshape(8, 16)
    assert np.array_equal(
        pack_matrix(values, 7, True, p)[:, :, :3], pack_matrix(values >> 4, 3, True, p)
    )


@pytest.mark.parametrize(
    ("values", "bits", "signed", "message"),
    [
        ([[0, 8]], 3, False, r"matrix\[0, 1\]: got 8, allowed: 0\.\.7 \(3 bits, unsigned\)"),
        ([[3], [-5]], 3, True, r"matrix\[1, 0\]: got -5, allowed: -4\.\.3 \(3 bits, signed\)"),
        ([[1]], 17, False, r"bits: got 17, allowed: a whole number of bits, 1\.\.16"),
        ([[1]], 0, False, "bits: got 0"),
        ([[1]], True, False, "bits: got True"),
        ([1, 2], 3, False, "matrix shape"),
    ],
)
def test_wrong_values_are_refused(values: list, bits: int, signed: bool, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        pack_matrix(np.array(values), bits, signed, machine())


def test_largest_unsigned_values_pass() -> None:
    check_values("x", np.array([0, 65535], np.uint16), 16, False)
    with pytest.raises(ParameterError, match="got 65535"):
        check_values("x", np.array([0, 65535], np.uint16), 16, True)
