"""The drain of a row with and without wide multiplexers."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.mac.drain import RowDrain
from fractrain.hw.shared_module import ModuleLibrary
from tests.hw.verilator import Player, primitive_models

BITS, CYCLES = 8, 400


class Both(wiring.Component):
    """Both forms on the same inputs."""

    def __init__(self, columns: int) -> None:
        self.forms = {name: RowDrain(columns, BITS, primitives=name == "muxf7") for name in NAMES}
        values = {"values": In(data.ArrayLayout(BITS, columns)), "start": In(1)}
        super().__init__(values | {name: Out(BITS) for name in NAMES})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, drain in self.forms.items():
            m.submodules[name] = drain
            m.d.comb += [
                drain.values.eq(self.values),
                drain.start.eq(self.start),
                getattr(self, name).eq(drain.result),
            ]
        return m


NAMES = ("plain", "muxf7")


@pytest.mark.parametrize("columns", [5, 8])
def test_every_column_in_turn(columns: int) -> None:
    design = Both(columns)
    assert design.forms["muxf7"].name == f"mac_drain_{columns}x{BITS}_muxf7"
    player = Player(design, f"drains_{columns}", models=primitive_models())
    random = np.random.default_rng(columns)
    values = random.integers(0, 256, (CYCLES, columns), np.uint8)
    start = np.zeros(CYCLES, np.uint8)
    start[:: columns + 3] = 1
    packed = values.astype(np.uint64)
    number = sum(packed[:, column] << np.uint64(8 * column) for column in range(columns))
    results = player.play(values=number, start=start)
    for cycle in np.flatnonzero(start)[:-1]:
        for beat in range(columns):
            for name in NAMES:
                assert results[name][cycle + 2 + beat] == values[cycle + 1 + beat, beat], name


@pytest.mark.parametrize("columns", [1, 2, 4, 9])
def test_no_primitives_where_they_do_not_help(columns: int) -> None:
    drain = RowDrain(columns, BITS, primitives=True)
    assert drain.name == f"mac_drain_{columns}x{BITS}"
    assert "MUXF7" not in ModuleLibrary().emit(drain, "drain")
