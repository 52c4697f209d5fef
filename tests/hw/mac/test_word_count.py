"""Counting by words: every pair of short operands, wide ones at their ends and at random."""

from random import Random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.mac.word_count import WordCounter
from tests.harness.simulation import Simulation, simulate


class Counted(wiring.Component):
    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__({"a": In(lanes), "b": In(lanes), "total": Out(range(lanes + 1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.total.eq(WordCounter(m).count_ones(self.a, self.b))
        return m


def check(lanes: int, pairs: list[tuple[int, int]]) -> None:
    async def body(simulation: Simulation) -> None:
        for a, b in pairs:
            simulation.set(a=a, b=b)
            assert simulation.get("total") == (a & b).bit_count()

    simulate(Counted(lanes), body)


@pytest.mark.parametrize("lanes", range(1, 6))
def test_every_pair(lanes: int) -> None:
    check(lanes, [(a, b) for a in range(1 << lanes) for b in range(1 << lanes)])


@pytest.mark.parametrize("lanes", [7, 8, 9, 31, 63, 64, 65, 72, 127, 128, 144, 192, 193, 400])
def test_wide_ones(lanes: int) -> None:
    """All ones as well: no field of a sum may overflow."""
    draw, full = Random(lanes), (1 << lanes) - 1
    pairs = [(full, full), (full, 0), (full, 1 << lanes - 1)]
    pairs += [(draw.getrandbits(lanes), draw.getrandbits(lanes)) for _ in range(20)]
    pairs += [(full & ~(1 << draw.randrange(lanes)), full) for _ in range(5)]
    check(lanes, pairs)
