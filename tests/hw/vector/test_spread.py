"""Pixels of interleaved tiles: each where the contract has it, in every form."""

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Join, RowPixels
from fractrain.hw.vector.spread import LineGather, LineScatter, spread_layout
from fractrain.sim.functional.pixels import interleaved
from tests.harness.simulation import Simulation, simulate

BITS = 8


class Both(wiring.Component):
    """Gather and scatter of one line, with a clock for the simulator."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        line = data.ArrayLayout(BITS, pixels)
        super().__init__(
            {
                "spread": In(spread_layout()),
                "active": In(pixels),
                "line": In(line),
                "old": In(line),
                "gathered": Out(line),
                "scattered": Out(line),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.gather = gather = LineGather(self.pixels, BITS)
        m.submodules.scatter = scatter = LineScatter(self.pixels, BITS)
        m.d.comb += [
            gather.spread.eq(self.spread),
            gather.line.eq(self.old),
            self.gathered.eq(gather.gathered),
            scatter.spread.eq(self.spread),
            scatter.active.eq(self.active),
            scatter.line.eq(self.line),
            scatter.old.eq(self.old),
            self.scattered.eq(scatter.scattered),
        ]
        m.d.sync += Signal().eq(self.spread.odd)
        return m


def cases(pixels: int) -> list[tuple[dict[str, int], np.ndarray, np.ndarray]]:
    """The form, which pixels of the tile are of it, and their places in the line."""
    found = []
    for row in RowPixels:
        for across in (1, 2, 3):
            for odd_row in (False, True):
                for odd_column in (False, True):
                    command = Join(
                        row_pixels=row,
                        tiles_x=across,
                        tiles_y=2,
                        interleaved=True,
                        odd_row=odd_row,
                        odd_column=odd_column,
                    )
                    for number in range(2 * across):
                        blocks, places = interleaved(command, number, pixels)
                        lines = list(dict.fromkeys(blocks.tolist()))
                        assert len(lines) == (4 if row is RowPixels.QUARTER else 2)
                        for part, line in enumerate(lines):
                            of_part = blocks == line
                            spread = {
                                "interleaved": 1,
                                "quarters": int(row is RowPixels.QUARTER),
                                "odd": int(odd_column),
                                "upper": int(places[of_part][0] >= pixels // 2),
                                "part": part,
                            }
                            found.append((spread, of_part, places))
    return found


@pytest.mark.parametrize("pixels", [16, 32])
def test_every_pixel_where_the_contract_has_it(pixels: int) -> None:
    async def body(simulation: Simulation) -> None:
        rng = np.random.default_rng(1)
        seen: set[tuple[Any, ...]] = set()
        for spread, of_part, places in cases(pixels):
            seen.add(tuple(spread.values()))
            line, old = rng.integers(0, 1 << BITS, (2, pixels))
            active = of_part & (rng.random(pixels) < 0.7)
            wanted = old.copy()
            wanted[places[active]] = line[active]
            packed = int((active << np.arange(pixels)).sum())
            simulation.set(spread=spread, active=packed, line=line.tolist(), old=old.tolist())
            assert list(simulation.get("scattered")) == wanted.tolist(), spread
            gathered = np.array(list(simulation.get("gathered")))
            assert np.array_equal(gathered[of_part], old[places[of_part]]), spread
            simulation.set(spread=spread | {"interleaved": 0})
            assert list(simulation.get("scattered")) == line.tolist()
            assert list(simulation.get("gathered")) == old.tolist()
        # quarters: both halves of four lines; halves: two lines, without an upper half
        assert len(seen) == 2 * (2 * 4 + 2)

    simulate(Both(pixels), body)
