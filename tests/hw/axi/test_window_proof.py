"""Formal, unbounded: no burst has a byte outside the window, or crosses 128 aligned bytes."""

import pytest
from amaranth.hdl import Value

from fractrain.hw.axi.window import Window
from tests.formal.runner import prove, refute
from tests.hw.axi.window_monitors import LEGAL, ReadMonitor, WriteMonitor


@pytest.mark.parametrize("word_bytes", [16, 64, 128, 512])
def test_reads(word_bytes: int) -> None:
    prove(ReadMonitor(word_bytes), f"read_window_{word_bytes}", depth=2)


@pytest.mark.parametrize("block_bytes", [16, 64])
def test_writes(block_bytes: int) -> None:
    prove(WriteMonitor(block_bytes), f"write_window_{block_bytes}", depth=2)


@pytest.mark.parametrize("monitor", [ReadMonitor, WriteMonitor])
def test_the_proof_is_not_of_nothing(monitor: type) -> None:
    prove(monitor(64), "window_cover", depth=20, mode="cover")


@pytest.mark.parametrize("monitor", [ReadMonitor, WriteMonitor])
def test_the_proof_notices_an_item_too_many(monitor: type, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_too_many(self: Window, item: Value) -> Value:
        return item > self.items

    monkeypatch.setattr(Window, "beyond", one_too_many)
    refute(monitor(64), "window_broken", LEGAL, depth=8)
