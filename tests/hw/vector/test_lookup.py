"""Tables in look-up tables: every entry, of full tables and of those that end early."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.vector.lookup import lookup
from tests.harness.simulation import Simulation, simulate

WIDTH = 7


class Table(wiring.Component):
    def __init__(self, table: list[int]) -> None:
        self.table = table
        super().__init__({"index": In(range(max(2, len(table)))), "entry": Out(WIDTH)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.entry.eq(lookup(self.table, WIDTH, self.index))
        return m


@pytest.mark.parametrize("length", [1, 2, 3, 8, 13, 100, 128])
def test_every_entry(length: int) -> None:
    table = [(each * 37 + 5) % (1 << WIDTH) for each in range(length)]

    async def body(simulation: Simulation) -> None:
        for index, entry in enumerate(table):
            simulation.set(index=index)
            await simulation.tick()
            assert simulation.get("entry") == entry

    simulate(Table(table), body)
