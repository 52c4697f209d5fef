"""Who may do what, and the note that root leaves for those who may not see the clock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fractrain.host.board.bitstream import NOTE, find_bitstream, read_note
from fractrain.host.board.clock import SLCR_ADDRESS, SLCR_SIZE
from fractrain.host.board.device import BoardDevice
from fractrain.host.board.fpga_manager import load
from fractrain.host.board.linux import LinuxSystem
from fractrain.host.board.uio import open_uio
from fractrain.hw.contract.errors import DataError, MachineError, MissingToolError
from tests.host.board.plain_board import plain_board

ROOT = os.geteuid() == 0


@pytest.fixture
def system(tmp_path: Path) -> LinuxSystem:
    return plain_board(tmp_path)


@pytest.mark.skipif(ROOT, reason="root may do everything")
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("dev/uio0", "no permission to open /dev/uio0"),
        ("dev/mem", "no permission to open /dev/mem"),
        ("dev/udmabuf-fractrain", "no permission to open /dev/udmabuf-fractrain"),
    ],
)
def test_rights_that_lack(system: LinuxSystem, path: str, message: str) -> None:
    (system.root / path).chmod(0)
    with pytest.raises(DataError, match=message):
        BoardDevice.open(system)


def test_who_may_not_see_the_clock_goes_by_the_note(
    system: LinuxSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_memory(monkeypatch)
    with pytest.raises(DataError, match=r"as root once after each boot; .* iomem=relaxed"):
        BoardDevice.open(system)
    monkeypatch.undo()
    BoardDevice.open(system).close()
    refuse_memory(monkeypatch)
    device = BoardDevice(system)
    device.reserve()
    device.configure()
    assert device.set_clock() == [f"200 MHz, as root has set it since boot ({NOTE})"]
    device.close()


def refuse_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this is not root."""

    def refused(self: LinuxSystem, address: int, size: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LinuxSystem, "map_physical", refused)


def test_nobody_goes_by_a_note_of_a_clock_that_was_stopped(
    system: LinuxSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that stopped it has been killed: it did not start it again."""
    with BoardDevice.open(system) as device:
        device.stop_clock()
    refuse_memory(monkeypatch)
    with pytest.raises(DataError, match="board load` as root once after each boot"):
        BoardDevice.open(system)


def test_no_note_while_the_clock_is_being_set(
    system: LinuxSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    BoardDevice.open(system).close()
    seen = []

    def killed(system: LinuxSystem, *_: object, **__: object) -> None:
        seen.append(read_note(system))
        raise KeyboardInterrupt

    monkeypatch.setattr("fractrain.host.board.device.set_clock", killed)
    with pytest.raises(KeyboardInterrupt):
        BoardDevice.open(system)
    assert seen == [None] and read_note(system) is None


def test_the_first_since_boot_resets_the_design(system: LinuxSystem) -> None:
    for expected in (True, False):
        with BoardDevice(system) as device:
            device.reserve()
            done = device.set_clock()
        assert any("reset once" in each for each in done) == expected


def test_a_load_that_fails_leaves_no_note(system: LinuxSystem) -> None:
    BoardDevice.open(system).close()
    (system.root / "sys/class/fpga_manager/fpga0/state").write_text("write error\n")
    with pytest.raises(MachineError, match="'write error'"):
        load(system, find_bitstream(system))
    assert read_note(system) is None


def slcr_page(system: LinuxSystem) -> bytes:
    """The registers alone: what is before them in the file is nearly 4 GB of nothing."""
    with (system.root / "dev/mem").open("rb") as memory:
        memory.seek(SLCR_ADDRESS)
        return memory.read(SLCR_SIZE)


def test_nothing_is_changed_if_the_note_cannot_be_taken_away(
    system: LinuxSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: LinuxSystem, path: str) -> None:
        raise PermissionError(13, "Permission denied")

    firmware = system.root / "sys/class/fpga_manager/fpga0/firmware"
    firmware.write_text("")
    with BoardDevice.open(system) as device:
        firmware.write_text("untouched")
        before = slcr_page(system)
        monkeypatch.setattr(LinuxSystem, "remove", refused)
        for change in (device.stop_clock, device.set_clock):
            with pytest.raises(DataError, match=r"cannot remove /run/fractrain/loaded.json"):
                change()
        with pytest.raises(DataError, match=r"cannot remove .* as root"):
            device.configure(again=True)
        assert slcr_page(system) == before
    assert firmware.read_text() == "untouched"


def test_the_slcr_must_be_there(system: LinuxSystem) -> None:
    (system.root / "dev/mem").unlink()
    with pytest.raises(MissingToolError, match="cannot map the SLCR through /dev/mem"):
        BoardDevice.open(system)
    # nothing is left open: the lock is free again
    open_uio(system).close()
