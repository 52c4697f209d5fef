"""The window with instantiated multiplexers is proved equal to the one that is simulated."""

import subprocess
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.gen.synthesis.yosys import yosys_command
from fractrain.gen.tool_environment import python_environment
from fractrain.hw.feeder.window import PIECE, write_piece
from fractrain.hw.shared_module import ModuleLibrary

WIDTH = 3
SCRIPT = """\
read_verilog gold.v gate.v
read_verilog +/xilinx/cells_sim.v
proc
flatten gold gate
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


def equal(folder: Path, gate: str) -> bool:
    (folder / "gold.v").write_text(ModuleLibrary().emit(Piece(False), "gold"))
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
def test_wide_multiplexers(tmp_path: Path, wrong: bool) -> None:
    gate = ModuleLibrary().emit(Piece(True), "gate")
    assert gate.count("MUXF7") == WIDTH
    if wrong:  # one multiplexer, the other way round
        first = gate.index("MUXF7")
        end = gate.index(";", first)
        cell = gate[first:end].replace(".I0(", ".X(").replace(".I1(", ".I0(").replace(".X(", ".I1(")
        gate = gate[:first] + cell + gate[end:]
    assert equal(tmp_path, gate) is not wrong
