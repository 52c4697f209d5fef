"""Boards as values: what each says, and that a new one is a file."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import load_parameters, parse_parameters
from fractrain.hw.targets import boards, zynq
from fractrain.hw.targets.registry import targets
from fractrain.hw.targets.target import Target

ROOT = Path(__file__).parents[3]

PYNQ_Z2 = '''
"""TUL's PYNQ-Z2."""

import dataclasses

from fractrain.hw.targets import zynq
from fractrain.hw.targets.boards import zedboard
from fractrain.hw.targets.target import ProcessingSystem

TARGET = dataclasses.replace(
    zedboard.TARGET,
    name="pynq_z2",
    title="PYNQ-Z2",
    part=dataclasses.replace(zedboard.TARGET.part, name="xc7z020clg400-1"),
    clocks=zynq.clocks(oscillator_mhz=50, io_multiplier=20),
    memory=zynq.ddr3_1066(megabytes=512, bits=16),
    processing_system=ProcessingSystem(settings=(("PCW_CRYSTAL_PERIPHERAL_FREQMHZ", "50"),)),
)
'''


@pytest.fixture
def with_pynq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """A board more, in a file of its own and nowhere else."""
    (tmp_path / "pynq_z2.py").write_text(PYNQ_Z2, encoding="utf-8")
    monkeypatch.setattr(boards, "__path__", [*boards.__path__, str(tmp_path)])
    targets.cache_clear()
    yield targets()["pynq_z2"]
    sys.modules.pop(f"{boards.__name__}.pynq_z2")
    targets.cache_clear()


def document(**changes: object) -> dict[str, object]:
    return load_parameters("z7020").to_mapping() | changes


def test_names_are_those_of_the_files() -> None:
    assert list(targets()) == ["zc706", "zedboard"]
    for name, target in targets().items():
        assert target.name == name
        assert (ROOT / "constraints" / target.family).is_dir()
        assert (ROOT / "board" / target.family).is_dir()


@pytest.mark.parametrize("name", ["zc706", "zedboard"])
def test_clocks_behind_the_plls(name: str) -> None:
    clocks = targets()[name].clocks
    assert clocks.io_pll_mhz == 1000
    assert clocks.oscillator_mhz * clocks.arm_multiplier == pytest.approx(4000 / 3)
    assert clocks.oscillator_mhz * clocks.ddr_multiplier == pytest.approx(3200 / 3)


def test_parts_are_named_as_each_tool_names_them() -> None:
    for target in targets().values():
        part = target.part
        assert re.fullmatch(r"xc7z\d{3}[a-z]{3}\d{3}-\d", part.name)
        assert part.name.upper().startswith(part.device)
        assert f"xc{part.device_and_package}-{part.name[-1]}" == part.name
        assert part.memory_luts < part.luts


def test_a_machine_carries_its_target() -> None:
    assert load_parameters("zc706").target is targets()["zc706"]
    assert load_parameters("z7020").target is targets()["zedboard"]
    parameters = load_parameters("z7020")
    assert parse_parameters(parameters.to_mapping()) == parameters
    assert parameters.to_mapping()["target"] == "zedboard"
    assert parse_parameters(document(target="zc706")) != parameters


@pytest.mark.parametrize("wrong", ["zc702", "", 1, None, ["zc706"]])
def test_an_unknown_target_is_refused(wrong: object) -> None:
    with pytest.raises(ParameterError, match=r"target: got .*allowed: zc706 or zedboard"):
        parse_parameters(document(target=wrong), source="here")


def test_an_older_file_is_told_what_to_add() -> None:
    older = document()
    del older["target"]
    with pytest.raises(ParameterError, match="'target'.*; add target: zc706 or zedboard"):
        parse_parameters(older, source="mine.yaml")


def test_a_new_board_is_one_file(with_pynq: Target) -> None:
    parameters = parse_parameters(document(target="pynq_z2"))
    assert parameters.target is with_pynq
    assert with_pynq.clocks.io_pll_mhz == 1000 and with_pynq.clocks.possible(166.667)
    assert with_pynq.memory.peak_mbps == 2132
    assert with_pynq.ports is zynq.PORTS


def test_its_name_is_offered(with_pynq: Target) -> None:
    with pytest.raises(ParameterError, match="allowed: pynq_z2 or zc706 or zedboard"):
        parse_parameters(document(target="pynq"))
