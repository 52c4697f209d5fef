"""`LinuxSystem` on real files, real mappings and a real poll."""

from __future__ import annotations

import mmap
import os
import stat
import time
from pathlib import Path

import numpy as np
import pytest

from fractrain.host.board import linux
from fractrain.host.board.linux import LinuxSystem


@pytest.fixture
def system(tmp_path: Path) -> LinuxSystem:
    (tmp_path / "dev").mkdir()
    return LinuxSystem(tmp_path, {})


def put(system: LinuxSystem, path: str, content: bytes) -> Path:
    place = system.root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def test_attributes_are_read_and_written_below_the_root(system: LinuxSystem) -> None:
    place = put(system, "/sys/class/uio/uio0/name", b"fractrain\n")
    put(system, "/sys/class/uio/uio10/name", b"other\n")
    assert system.exists("/sys/class/uio") and not system.exists("/sys/class/uio/uio1")
    assert system.read_text("/sys/class/uio/uio0/name") == "fractrain"
    assert system.glob("/sys/class/uio/uio*") == ["/sys/class/uio/uio0", "/sys/class/uio/uio10"]
    system.write_text("/sys/class/uio/uio0/name", "x")
    assert place.read_bytes() == b"x" and system.read_bytes("/sys/class/uio/uio0/name") == b"x"
    with pytest.raises(FileNotFoundError):
        system.write_text("/sys/class/uio/uio0/none", "x")


def test_a_text_replaces_another_whole(system: LinuxSystem) -> None:
    system.replace_text("/run/fractrain/note", "one")
    system.replace_text("/run/fractrain/note", "two")
    assert [each.name for each in (system.root / "run/fractrain").iterdir()] == ["note"]
    assert system.read_text("/run/fractrain/note") == "two"


def test_a_text_that_cannot_be_replaced_stays(
    system: LinuxSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody ever reads half of one: it is written beside its place, and then renamed."""
    system.replace_text("/run/fractrain/note", "one")
    seen = []

    def fails(source: Path, target: Path) -> None:
        seen.append((source.read_text(), target.read_text()))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(linux.os, "replace", fails)
    with pytest.raises(OSError, match="No space"):
        system.replace_text("/run/fractrain/note", "two")
    assert seen == [("two", "one")]
    assert [each.name for each in (system.root / "run/fractrain").iterdir()] == ["note"]
    assert system.read_text("/run/fractrain/note") == "one"


def test_registers_are_words_from_the_mapped_offset_on(system: LinuxSystem) -> None:
    place = put(system, "/dev/uio0", np.arange(2048, dtype="<u4").tobytes())
    uio = system.open_uio("/dev/uio0", 512, 4096)
    assert uio.words.read(0) == 128 and uio.words.read(1023) == 128 + 1023
    uio.words.write(3, 0xDEADBEEF)
    with pytest.raises(IndexError):
        uio.words.read(2048)
    uio.close()
    uio.close()
    words = np.frombuffer(place.read_bytes(), "<u4")
    assert words[131] == 0xDEADBEEF and words[130] == 130 and words[132] == 132


def test_a_device_is_one_process_s_alone(system: LinuxSystem) -> None:
    put(system, "/dev/uio0", bytes(8192))
    first = system.open_uio("/dev/uio0", 0, 4096)
    with pytest.raises(BlockingIOError):
        system.open_uio("/dev/uio0", 0, 4096)
    first.close()
    system.open_uio("/dev/uio0", 0, 4096).close()


def test_physical_registers(system: LinuxSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    flags, opened = [], os.open
    monkeypatch.setattr(
        linux.os, "open", lambda path, flag: flags.append(flag) or opened(path, flag)
    )
    place = system.root / "dev/mem"
    with place.open("wb") as file:
        os.truncate(file.fileno(), 0xF800_1000)
    words = system.map_physical(0xF800_0000, 4096)
    assert flags[0] & os.O_SYNC  # past the caches: a register is no memory
    words.write(0x240 // 4, 0xF)
    assert words.read(0x240 // 4) == 0xF and words.read(0) == 0
    words.close()
    with place.open("rb") as file:
        file.seek(0xF800_0240)
        assert file.read(4) == b"\x0f\0\0\0"


@pytest.mark.parametrize("cached", [True, False])
def test_the_buffer_is_bytes(
    system: LinuxSystem, cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put(system, "/dev/udmabuf-fractrain", bytes(8192))
    flags = []
    opened = os.open

    def watched(path: Path, flag: int) -> int:
        flags.append(flag)
        return opened(path, flag)

    monkeypatch.setattr(linux.os, "open", watched)
    memory = system.map_buffer("/dev/udmabuf-fractrain", 8192, cached=cached)
    assert bool(flags[-1] & os.O_SYNC) != cached
    memory.data[4096:] = 7
    kept = memory.data[:10]
    memory.close()  # an array of it is still there: nothing crashes
    assert len(memory.data) == 0 and kept[0] == 0
    assert place.read_bytes() == bytes(4096) + bytes([7]) * 4096


class FakeMapping:
    """So that a FIFO, which poll knows, passes for a device, which mmap knows, too."""

    def __call__(self, descriptor: int, length: int, *arguments: int, **named: int) -> mmap.mmap:
        return mmap.mmap(-1, length)


def test_waiting_for_an_interrupt_ends(
    system: LinuxSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(system.root / "dev/uio0")
    assert stat.S_ISFIFO((system.root / "dev/uio0").stat().st_mode)
    module = type(
        "mmap",
        (),
        {
            "mmap": FakeMapping(),
            "MAP_SHARED": mmap.MAP_SHARED,
            "PROT_READ": mmap.PROT_READ,
            "PROT_WRITE": mmap.PROT_WRITE,
            "PAGESIZE": mmap.PAGESIZE,
        },
    )
    monkeypatch.setattr(linux, "mmap", module)
    uio = system.open_uio("/dev/uio0", 0, 4096)
    began = time.monotonic()
    assert not uio.wait(0.05) and not uio.wait(0)
    assert 0.05 <= time.monotonic() - began < 5
    # what is written to unmask the interrupt comes out of the FIFO again: four bytes, a 1
    uio.enable()
    assert uio.wait(5)
    assert not uio.wait(0)
    uio.close()
