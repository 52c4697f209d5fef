"""Passes and window reads of a CONVOLVE, counted by hand."""

from dataclasses import replace

import numpy as np

from fractrain.hw.contract.commands import Convolve, Pattern, Zero
from fractrain.hw.contract.precision import Operand
from fractrain.sim.cycles.tiles import tile_work

CONVOLVE = Convolve(
    0,
    Operand.ACTIVATION,
    Operand.WEIGHT,
    False,
    True,
    pattern=0,
    pairs=2,
    address=0,
    column_address=0,
    slices=2,
    tiles_y=3,
    images=2,
)
ROWS = [
    Pattern(0, a_enable=True, a_offset=-1, a_zero=Zero.TOP, b_enable=True, b_offset=0),
    Pattern(1, a_enable=True, a_offset=1, a_zero=Zero.BOTTOM),
]
SAME_BANK = [replace(ROWS[0], b_offset=1), ROWS[1]]


def test_windows_hide_behind_passes() -> None:
    work = tile_work(CONVOLVE, ROWS, rows=3, columns=4)
    np.testing.assert_array_equal(work.passes, [2 * 3 * 4] * 6)
    np.testing.assert_array_equal(work.cycles, work.passes)
    assert work.first_read == 2 and work.places.sum() == work.cycles.sum()


def test_few_passes_wait_for_the_reads() -> None:
    work = tile_work(CONVOLVE, ROWS, rows=3, columns=1)
    np.testing.assert_array_equal(work.cycles, [2 * 3 * 2] * 6)


def test_a_bank_conflict_costs_a_cycle_except_where_a_read_is_zero() -> None:
    work = tile_work(CONVOLVE, SAME_BANK, rows=1, columns=1)
    np.testing.assert_array_equal(work.cycles, [2 * 2, 2 * 3, 2 * 3] * 2)
    strip = replace(CONVOLVE, top_edge=False)
    np.testing.assert_array_equal(tile_work(strip, SAME_BANK, 1, 1).cycles, [2 * 3] * 6)


def test_summed_places_are_one_tile() -> None:
    work = tile_work(replace(CONVOLVE, reduce=True), ROWS, rows=2, columns=2)
    assert work.passes.tolist() == [6 * 2 * 2 * 2]
