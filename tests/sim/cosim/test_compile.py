"""From Verilog to a library: ports, missing tools, failures."""

from pathlib import Path

import pytest

from fractrain.gen.verilog import emit, ports
from fractrain.hw.contract.errors import FractrainError, MissingToolError, ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.sim.cosim.compile import QUICK_VARIABLE, Design, compile_model, optimization
from tests.sim.cosim.convolution_stand_in import ConvolutionStandIn

CONSTANTS = {"MEMORY_PORTS": 1, "RESULTS_PER_BEAT": 8, "ACCUMULATOR_BITS": 48}


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("config", ["tiny", "zc706"])
def test_ports_are_those_of_the_component(config: str) -> None:
    component = ConvolutionStandIn(load_parameters(config))
    expected = {port.name: port.width for port in ports(component)}
    assert Design("stand_in", emit(component, "stand_in")).ports == expected


def test_registers_in_front_of_the_inputs_leave_the_ports_as_they_are() -> None:
    design = Design("stand_in", emit(ConvolutionStandIn(load_parameters("tiny")), "stand_in"))
    registered = design.with_registered_inputs()
    assert registered.ports == design.ports
    assert "hp0__rdata_held <= hp0__rdata;" in registered.verilog
    assert ".clk(clk)" in registered.verilog and "port__payload_held" not in registered.verilog


def test_ports_of_an_unknown_module() -> None:
    with pytest.raises(ParameterError, match="top module"):
        _ = Design("other", "module top(clk);\n  input clk;\nendmodule\n").ports


@pytest.mark.parametrize("tool", ["g++", "make", "perl"])
def test_missing_tool_names_its_package(
    tool: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for present in {"g++", "make", "perl"} - {tool}:
        (tmp_path / present).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as error:
        compile_model(Design("top", ""), "convolution.cpp", {})
    assert f"apt install {tool}" in str(error.value)


def test_a_failure_shows_the_tools_words_and_leaves_no_model(empty_cache: Path) -> None:
    design = Design("top", "module top(clk);\n  input clk;\n  mistake\nendmodule\n")
    for _ in range(2):
        with pytest.raises(FractrainError, match="verilator failed(?s:.*)syntax error"):
            compile_model(design, "convolution.cpp", CONSTANTS)
    assert not list(empty_cache.rglob("libmodel.so"))
    assert all("partial" in path.parts[-2] for path in empty_cache.rglob("model.v"))


def test_an_interrupted_compile_is_no_model(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fractrain.sim.cosim.compile._verilate", interrupt)
    design = Design("top", "module top(clk);\n  input clk;\nendmodule\n")
    with pytest.raises(KeyboardInterrupt):
        compile_model(design, "convolution.cpp", CONSTANTS)
    assert not [path for path in (empty_cache / "cosim").iterdir() if path.suffix == ""]


@pytest.mark.parametrize(("value", "level"), [(None, "s"), ("", "s"), ("0", "s"), ("1", "1")])
def test_compiling_quickly(value: str | None, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(QUICK_VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(QUICK_VARIABLE, value)
    assert f"OPT_FAST=-O{level}" in optimization()


def test_compiling_neither_quickly_nor_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(QUICK_VARIABLE, "yes")
    with pytest.raises(ParameterError, match="FRACTRAIN_QUICK_COMPILE: got 'yes', allowed: 0 or 1"):
        optimization()
