"""`choose` for every set of codes of three bits and every value among them."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.results.choice import choose
from tests.harness.simulation import Simulation, simulate

BITS = 3
SETS = [
    [code for code in range(1 << BITS) if members >> code & 1]
    for members in range(1, 1 << (1 << BITS))
]


class Choices(wiring.Component):
    """An output for each set of codes: the code that was chosen."""

    def __init__(self) -> None:
        super().__init__(
            {"select": In(BITS)} | {f"chosen_{number}": Out(BITS) for number in range(len(SETS))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number, codes in enumerate(SETS):
            chosen: Signal = getattr(self, f"chosen_{number}")

            def show(code: int, chosen: Signal = chosen) -> None:
                m.d.comb += chosen.eq(code)

            choose(m, self.select, codes, show)
        keep = Signal()
        m.d.sync += keep.eq(~keep)  # the simulator's clock needs something to do
        return m


def test_every_set() -> None:
    async def body(simulation: Simulation) -> None:
        for select in range(1 << BITS):
            simulation.set(select=select)
            for number, codes in enumerate(SETS):
                if select in codes:
                    assert simulation.get(f"chosen_{number}") == select
            await simulation.tick()

    simulate(Choices(), body)
