"""`board_status`: looking at a board without touching what might not answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fractrain.host.board.bitstream import NOTE
from fractrain.host.board.device import BoardDevice
from fractrain.host.board.linux import LinuxSystem
from fractrain.host.board.status import board_status
from tests.host.board.plain_board import plain_board


@pytest.fixture
def system(tmp_path: Path) -> LinuxSystem:
    return plain_board(tmp_path)


@pytest.mark.parametrize("by_note", [True, False])
def test_status_of_a_board_that_is_ready(system: LinuxSystem, by_note: bool) -> None:
    """As the note has it, or whoever asks."""
    if by_note:
        BoardDevice.open(system).close()
    lines = board_status(system, loaded_by_boot=not by_note)
    assert lines["machine"].endswith("as in the manifest") and lines["STATUS"].endswith(": idle")
    assert lines["FCLK0"].startswith("200 MHz") and "cycles" in lines["counters FORWARD"]
    assert lines["FPGA manager"] == "fpga0: operating; loads bitstreams"
    assert lines["buffer"] == "/dev/udmabuf-fractrain: 65,536 bytes at 0x10100000"


def test_status_without_a_clock_reads_no_register(system: LinuxSystem) -> None:
    BoardDevice.open(system).close()
    with (system.root / "dev/mem").open("r+b") as memory:
        memory.seek(0xF800_0178)
        memory.write(b"\x01")
    lines = board_status(system)
    assert lines["FCLK0"].startswith("stopped") and lines["machine"].startswith("not read:")
    assert "STATUS" not in lines


@pytest.mark.parametrize("noted", [None, "0" * 64])
def test_status_reads_no_register_of_a_design_that_may_be_any(
    system: LinuxSystem, noted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is right, but nobody has noted that the design is this bitstream's."""
    if noted is not None:
        system.replace_text(NOTE, json.dumps({"build_hash": noted, "clock_mhz": 200}))
    monkeypatch.setattr(
        "fractrain.host.board.status.open_uio", lambda system: pytest.fail("opened")
    )
    lines = board_status(system)
    assert lines["FCLK0"].startswith("200 MHz") and "STATUS" not in lines
    assert lines["machine"].startswith("not read: the FPGA may hold a bitstream of unknown origin")


def test_status_of_nothing_at_all(tmp_path: Path) -> None:
    lines = board_status(LinuxSystem(tmp_path, {}))
    assert lines["bitstream"].startswith("no bitstream") and lines["FPGA manager"] == "none"
    assert "/dev/mem" in lines["FCLK0"] and lines["buffer"].startswith("no buffer")
