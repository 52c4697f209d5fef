"""What is said of a board names its own part, registers and interrupt."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from fractrain.host.board.bus import BoardBus
from fractrain.host.bringup.diagnosis import causes
from fractrain.host.bringup.stages import STAGES
from fractrain.hw.contract.errors import FractrainError, MachineError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.targets.registry import targets
from fractrain.hw.targets.target import Target

Z7020 = load_parameters("z7020").target
MOVED = replace(
    Z7020, ports=replace(Z7020.ports, registers_address=0x43C0_0000, interrupt=30)
)  # like no board


def said(target: Target | None) -> str:
    """Everything that is advised at any stage."""
    return "\n".join(each for name in STAGES for each in causes(name, MachineError(""), target))


def test_diagnosis_is_of_the_target() -> None:
    text = said(Z7020)
    assert f"the .bin is of this board's part ({Z7020.part.name}) and" in text
    assert "xc7z045" not in text
    text = said(MOVED)
    assert "in the device tree (0x43c00000) or" in text
    assert "with interrupts = <0 30 4> (IRQ_F2P[0]" in text


def test_without_a_bitstream_no_number_is_said() -> None:
    text = said(None)
    assert "the .bin is of this board's part and" in text
    assert "in the device tree or in the block design" in text
    assert "the node fractrain with interrupts (IRQ_F2P[0]" in text
    assert "{" not in text


class NoInterrupt:
    """A UIO device without one."""

    def enable(self) -> None:
        raise OSError(5, "Input/output error")


def test_the_bus_is_of_the_target() -> None:
    bus = BoardBus(NoInterrupt(), 1e8, MOVED.ports)  # type: ignore[arg-type]
    assert "not at 0x43c00000;" in bus.advice.other_machine
    assert "must say interrupts = <0 30 4>," in bus.advice.no_interrupt
    with pytest.raises(FractrainError, match="fractrain@43c00000 needs interrupts = <0 30 4> and"):
        bus.listen()


def test_no_part_and_no_number_of_a_board_in_the_texts(project_root: Path) -> None:
    folders = [project_root / "host" / each for each in ("board", "bringup", "backends", "driver")]
    numbers = {each.part.name.partition("-")[0] for each in targets().values()} | {"xc7z045"}
    numbers |= {f"{each.ports.registers_address:x}" for each in targets().values()}
    numbers |= {f"<0 {each.ports.interrupt} " for each in targets().values()}
    for file, number in product((f for each in folders for f in each.rglob("*.py")), numbers):
        assert number not in file.read_text(encoding="utf-8"), f"{file}: {number}"
