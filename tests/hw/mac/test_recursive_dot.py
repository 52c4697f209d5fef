"""Dot products of 1, 2, 4 and 8 bits a digit, of every combination of signs."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.flow.delay import delayed
from fractrain.hw.mac.recursive_dot import (
    RecursiveDot,
    dot_latency_cycles,
    signs_delay_cycles,
    total_shape,
)
from tests.hw.mac.digits import pack, planes_of, signed_value
from tests.hw.refusals import assert_refused
from tests.hw.verilator import Player, primitive_models

# bits, lanes, style; the first four are exhausted
EXHAUSTED = [(1, 4, "lut6"), (2, 2, "lut6"), (4, 1, "lut6"), (8, 1, "words")]
SAMPLED = [(2, 7, "inferred"), (4, 7, "lut6"), (8, 2, "lut6")]
WIDE = [(2, 144, "words"), (8, 144, "words")]
OPERAND_BITS = 8 * 144
CASES = EXHAUSTED + SAMPLED + WIDE
Case = tuple[int, int, str]


def _name(case: Case) -> str:
    bits, lanes, style = case
    return f"total_{bits}_{lanes}_{style}"


class Dots(wiring.Component):
    """All cases on the low bits of the same operands; the signs come with the operands."""

    def __init__(self) -> None:
        self.dots = {_name(case): RecursiveDot(case[1], case[0], case[2]) for case in CASES}
        totals = {name: Out(len(dot.total)) for name, dot in self.dots.items()}
        super().__init__(
            {
                "rows": In(OPERAND_BITS),
                "columns": In(OPERAND_BITS),
                "row_negative": In(1),
                "column_negative": In(1),
                **totals,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, dot in self.dots.items():
            m.submodules[name] = dot
            cycles = signs_delay_cycles(dot.lanes)
            m.d.comb += [
                dot.rows.eq(self.rows[: len(dot.rows)]),
                dot.columns.eq(self.columns[: len(dot.columns)]),
                dot.row_negative.eq(delayed(m, self.row_negative, cycles, name="row")),
                dot.column_negative.eq(delayed(m, self.column_negative, cycles, name="column")),
                getattr(self, name).eq(dot.total),
            ]
        return m


@pytest.fixture(scope="module")
def player() -> Player:
    return Player(Dots(), "recursive_dots", models=primitive_models())


def check(
    player: Player, case: Case, rows: np.ndarray, columns: np.ndarray, signs: np.ndarray
) -> None:
    """``rows``, ``columns`` [cycles, lanes] bit patterns; ``signs`` [cycles]: row, column."""
    bits = case[0]
    dot = player.design.dots[_name(case)]
    idle = ((0, dot.latency_cycles), (0, 0))
    rows, columns = np.pad(rows, idle), np.pad(columns, idle)
    row_negative, column_negative = np.pad(signs & 1, idle[0]), np.pad(signs >> 1, idle[0])
    outputs = player.play(
        rows=pack(planes_of(rows, bits), 2),
        columns=pack(planes_of(columns, bits), 2),
        row_negative=row_negative,
        column_negative=column_negative,
    )
    expected = np.sum(
        signed_value(rows, bits, row_negative[:, None])
        * signed_value(columns, bits, column_negative[:, None]),
        axis=1,
    )
    if bits == 1:  # a count; the sign is the accumulator's to apply
        expected = np.abs(expected)
    width = total_shape(case[1], bits).width
    got = outputs[_name(case)].astype(np.int64)
    if bits > 1:
        got = (got << (64 - width)) >> (64 - width)
    latency = dot.latency_cycles
    assert np.array_equal(got[latency:], expected[: len(got) - latency]), _name(case)


@pytest.mark.parametrize("case", EXHAUSTED, ids=_name)
def test_exhaustive(player: Player, case: Case) -> None:
    """Every pair of operands with every pair of signs."""
    bits, lanes, _ = case
    width = bits * lanes
    patterns = np.arange(1 << (2 * width + 2), dtype=np.int64)
    digits = patterns[:, None] >> 2 >> (bits * np.arange(2 * lanes)) & ((1 << bits) - 1)
    check(player, case, digits[:, :lanes], digits[:, lanes:], patterns & 3)


@pytest.mark.parametrize("case", SAMPLED + WIDE, ids=_name)
def test_sampled(player: Player, case: Case, rng: np.random.Generator) -> None:
    """Random operands, and the extremes of both signs in every combination."""
    bits, lanes, _ = case
    cycles = 1_000
    rows, columns = rng.integers(0, 1 << bits, (2, cycles, lanes))
    extremes = np.array([0, 1 << (bits - 1), (1 << (bits - 1)) - 1, (1 << bits) - 1])
    for operand in (rows, columns):
        uniform = rng.random(cycles) < 0.5
        operand[uniform] = rng.choice(extremes, uniform.sum())[:, None]
    check(player, case, rows, columns, rng.integers(0, 4, cycles))


def test_latency() -> None:
    """One cycle per level of the tree, two more for every doubling of the width."""
    for bits, doublings in ((1, 0), (2, 1), (4, 2), (8, 3)):
        assert dot_latency_cycles(144, bits) == 6 + 2 * doublings


def test_other_widths_are_refused() -> None:
    for bits in (0, 3, 16):
        assert_refused(lambda bits=bits: RecursiveDot(8, bits, "words"), "1 or 2 or 4 or 8")
