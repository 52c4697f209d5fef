"""Verilator, make and the compiler: in folders of any name, whatever the environment says."""

from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import FractrainError
from fractrain.sim.cosim import toolchain
from fractrain.sim.cosim.compile import Design, compile_model
from fractrain.sim.cosim.toolchain import tool_environment
from tests.hw.verilator import Player

ODD = 'one (odd) [folder] it\'s $HOME #1 %s & ; "q" é'

LEAKING = {
    **{"VERILATOR_BIN": "nonsense", "VERILATOR_ROOT": "/nowhere", "VERILATOR_GDB": "nonsense"},
    **{"CXX": "false", "CXXFLAGS": "-nonsense", "CPPFLAGS": "-nonsense", "LDFLAGS": "-nonsense"},
    **{"OBJCACHE": "nonsense", "MAKEFLAGS": "n", "MAKEFILES": "nonsense", "MAKELEVEL": "7"},
    **{"OPT_FAST": "-nonsense", "USER_CPPFLAGS": "-nonsense", "PERL5OPT": "-Mnonsense"},
    **{"GCC_EXEC_PREFIX": "/nowhere/", "LC_ALL": "nonsense"},
}


class Next(wiring.Component):
    """One more, a cycle later."""

    a: In(8)
    o: Out(8)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.o.eq(self.a + 1)
        return m


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that breaks shells and make, with Verilator and all that is generated."""
    odd = tmp_path / ODD
    odd.mkdir()
    (odd / "verilator").symlink_to(toolchain.verilator_root())
    monkeypatch.setattr(toolchain, "verilator_root", lambda: odd / "verilator")
    monkeypatch.setenv("FRACTRAIN_BUILD", str(odd / "build"))
    monkeypatch.setenv("TMPDIR", str(odd))
    for name, value in LEAKING.items():
        monkeypatch.setenv(name, value)
    return odd


def test_a_simulation_is_compiled_and_runs(odd: Path) -> None:
    values = np.arange(20)
    played = Player(Next(), "next").play(a=values)
    np.testing.assert_array_equal(played["o"][1:], values[:-1] + 1)
    (library,) = odd.rglob("libmodel.so")
    assert library.is_relative_to(odd / "build" / "players")
    assert not list(odd.rglob("obj"))


def test_a_failure_names_the_log_where_it_is(odd: Path) -> None:
    design = Design("top", "module top(clk);\n  input clk;\n  mistake\nendmodule\n")
    constants = {"MEMORY_PORTS": 1, "RESULTS_PER_BEAT": 8, "ACCUMULATOR_BITS": 48}
    with pytest.raises(FractrainError, match="syntax error") as failure:
        compile_model(design, "convolution.cpp", constants)
    (log,) = odd.rglob("compile.log")
    assert str(log) in str(failure.value)
    assert "\n" not in str(failure.value)


def test_what_is_set_does_not_reach_them(odd: Path) -> None:
    environment = tool_environment()
    assert environment["MAKEFLAGS"].startswith("CXX=g++ ")
    assert environment["LC_ALL"] == "C"
    assert "shared_objects.py" in environment["OBJCACHE"]
    for name in LEAKING.keys() - {"MAKEFLAGS", "VERILATOR_ROOT", "LC_ALL", "OBJCACHE"}:
        assert name not in environment
