"""The FIFO: order under stalls, the item at its head, room for an item in every cycle."""

import pytest
from amaranth.hdl import unsigned
from amaranth.lib import data

from fractrain.hw.flow.fifo import Fifo
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS

ITEM = data.StructLayout({"number": 8, "last": 1})


@pytest.mark.parametrize("gives", STALLS)
@pytest.mark.parametrize("takes", STALLS)
def test_order(gives: str, takes: str) -> None:
    items = list(range(60))

    async def body(simulation: Simulation) -> None:
        source = simulation.source("w_stream", *items, stalls=gives)
        sink = simulation.sink("r_stream", stalls=takes)
        await simulation.until(lambda: len(sink.items) == len(items))
        assert source.drained and sink.items == items

    simulate(Fifo(unsigned(8), 5), body)


@pytest.mark.parametrize("items", [2, 4, 7])
def test_an_item_in_every_cycle_with_slack(items: int) -> None:
    """`SLACK` more places than items inside, two at least: none waits on its way through."""

    async def body(simulation: Simulation) -> None:
        source = simulation.source("w_stream", *range(40))
        sink = simulation.sink("r_stream")
        sink.paused = True
        await simulation.until(lambda: len(source.transfers) == items)
        sink.paused = False
        await simulation.until(lambda: len(sink.items) == 40)
        assert sink.cycles == list(range(sink.cycles[0], sink.cycles[0] + 40))

    simulate(Fifo(unsigned(8), items + Fifo.SLACK), body)


def test_the_head_has_the_layout() -> None:
    async def body(simulation: Simulation) -> None:
        simulation.source("w_stream", 0x1AB)
        await simulation.until(lambda: simulation.get("r_rdy"))
        head = simulation.get("head")
        assert (head.number, head.last) == (0xAB, 1)

    simulate(Fifo(ITEM, 3), body)
