"""What has instantiated multiplexers is proved equal to what is simulated."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.gen.synthesis.yosys import yosys_command
from fractrain.gen.tool_environment import python_environment
from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.read_merger import read_word
from fractrain.hw.engine.memory_system import WordRouter
from fractrain.hw.engine.write_arbiter import WriteArbiter
from fractrain.hw.feeder.window import PIECE, WindowRegister, write_piece
from fractrain.hw.shared_module import ModuleLibrary
from fractrain.hw.vector.lookup import short_lookup
from tests.hw.machines import machine
from tests.hw.vector.vector_machine import vector_machine

WIDTH = 3
SCRIPT = """\
read_verilog gate.v
read_verilog +/xilinx/cells_sim.v
hierarchy -top gate
proc
flatten
setattr -mod -unset top gate
read_verilog gold.v
proc
opt_clean
equiv_make gold gate equiv
hierarchy -top equiv
equiv_simple
equiv_status -assert
"""


class Piece(wiring.Component):
    """A piece of the window on its own."""

    def __init__(self, primitives: bool) -> None:
        self.primitives = primitives
        super().__init__(
            {"sources": In(data.ArrayLayout(WIDTH, 8)), "piece": In(PIECE), "o": Out(WIDTH)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        part = Signal(WIDTH)
        m.d.comb += self.o.eq(part)
        sources = [self.sources[i] for i in range(8)]
        enable = self.piece.enable
        write_piece(m, part, sources, self.piece, enable, primitives=self.primitives)
        return m


class Program(wiring.Component):
    """A table on its own."""

    TABLE = [(each * 37 + 5) % (1 << WIDTH) for each in range(64)]

    def __init__(self, primitives: bool) -> None:
        self.primitives = primitives
        super().__init__({"index": In(6), "o": Out(WIDTH)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        given = self.TABLE, WIDTH, self.index
        found = short_lookup(m, *given, name="entry", primitives=self.primitives)
        m.d.comb += self.o.eq(found)
        return m


P = machine("tiny")
WITH_UNIT = vector_machine(16)
FORMS: dict[str, tuple[Callable[[bool], wiring.Component], str]] = {
    "piece": (Piece, "MUXF7"),
    "window": (lambda made: WindowRegister(P, primitives=made), "LUT6_2"),
    "router": (lambda made: WordRouter(read_word(BurstShape(8), 3), 3, primitives=made), "LUT6_2"),
    "program": (Program, "LUT6"),
    "arbiter": (lambda made: WriteArbiter(WITH_UNIT, primitives=made), "LUT6_2"),
}
"""What makes each form, and the cell that one of them has."""


def equal(folder: Path, gold: wiring.Component, gate: str) -> bool:
    (folder / "gold.v").write_text(ModuleLibrary().emit(gold, "gold"))
    # wires without a name of their own are not the same in both
    (folder / "gate.v").write_text(gate.replace("\\$", "\\gate$"))
    (folder / "script.ys").write_text(SCRIPT)
    command = yosys_command("-q", "script.ys")
    result = subprocess.run(
        command, cwd=folder, env=python_environment(), capture_output=True, text=True
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0 or "unproven $equiv" in output, output
    return result.returncode == 0


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_wide_multiplexers(tmp_path: Path, name: str, wrong: bool) -> None:
    make, cell = FORMS[name]
    gate = ModuleLibrary().emit(make(True), "gate")
    assert cell in gate
    if wrong:  # two inputs of the first one, the other way round
        first = gate.index(f" {cell} ")
        end = gate.index(";", gate.index(".I0(", first))
        text = gate[first:end].replace(".I0(", ".X(").replace(".I1(", ".I0(").replace(".X(", ".I1(")
        gate = gate[:first] + text + gate[end:]
    assert equal(tmp_path, make(False), gate) is not wrong
