"""The model of the system-level control registers."""

from __future__ import annotations

import pytest

from fractrain.hw.targets.registry import targets
from fractrain.sim.board.slcr import (
    CLOCK,
    GATE,
    LOCK,
    LOCK_STATE,
    RESET,
    SHIFTERS,
    UNLOCK,
    SlcrModel,
)

CLOCKS = targets()["zc706"].clocks


def test_writes_while_locked_do_nothing() -> None:
    slcr = SlcrModel(CLOCKS, locked=True)
    before = slcr.read(CLOCK // 4)
    slcr.write(CLOCK // 4, 1 << 20 | 5 << 8)
    slcr.write(UNLOCK // 4, 0x1234)
    assert slcr.read(CLOCK // 4) == before and slcr.read(LOCK_STATE // 4) == 1
    slcr.write(UNLOCK // 4, 0xDF0D)
    slcr.write(CLOCK // 4, 1 << 20 | 5 << 8)
    assert slcr.clock_mhz == pytest.approx(200) and slcr.read(LOCK_STATE // 4) == 0
    slcr.write(LOCK // 4, 0x767B)
    slcr.write(CLOCK // 4, before)
    assert slcr.clock_mhz == pytest.approx(200)


def test_what_keeps_the_fpga_from_answering() -> None:
    slcr = SlcrModel(CLOCKS)
    assert "level shifters" in slcr.obstacle and slcr.clock_mhz == pytest.approx(50)
    slcr.configured()
    assert slcr.obstacle == ""
    for offset, value, obstacle in ((GATE, 1, "stopped"), (RESET, 1, "reset")):
        slcr.write(offset // 4, value)
        assert obstacle in slcr.obstacle
        slcr.write(offset // 4, 0)
    slcr.write(SHIFTERS // 4, 0xA)
    assert slcr.obstacle != ""


@pytest.mark.parametrize(("source", "mhz"), [(0, 1000), (1, 1000), (2, 4000 / 3), (3, 3200 / 3)])
def test_sources(source: int, mhz: float) -> None:
    slcr = SlcrModel(CLOCKS)
    slcr.write(CLOCK // 4, source << 4 | 1 << 8 | 1 << 20)
    assert slcr.clock_mhz == pytest.approx(mhz)
