"""What the driver finds in Linux's files, by `LinuxSystem`: bitstream, UIO, buffer, manager."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fractrain.host.board.bitstream import NOTE, find_bitstream, read_note, write_note
from fractrain.host.board.device import BoardDevice
from fractrain.host.board.dma_buffer import DmaBuffer, find_buffer
from fractrain.host.board.fpga_manager import find_manager, load
from fractrain.host.board.linux import LinuxSystem
from fractrain.host.board.uio import find_uio, open_uio
from fractrain.hw.contract.errors import DataError, MachineError, MissingToolError, ParameterError
from tests.host.board.plain_board import BUFFER, TINY, plain_board

Mend = Callable[[Path], object]


@pytest.fixture
def system(tmp_path: Path) -> LinuxSystem:
    return plain_board(tmp_path)


def text(system: LinuxSystem, path: str, content: str) -> None:
    (system.root / path).write_text(content)


def test_the_whole_driver_opens_on_plain_files(system: LinuxSystem) -> None:
    with BoardDevice.open(system) as device:
        assert device.parameters == TINY and device.buffer.address == BUFFER[0]
        assert device.driver.check_identity() is None
        device.buffer.data[:8] = 5
        device.buffer.for_device(4, 8)
        written = int(system.read_text("/sys/class/u-dma-buf/udmabuf-fractrain/sync_for_device"), 0)
        assert written == 0 << 32 | 64 | 1 << 2 | 1
        device.buffer.for_processor(1000, 100)
        written = int(system.read_text("/sys/class/u-dma-buf/udmabuf-fractrain/sync_for_cpu"), 0)
        assert written == 960 << 32 | 192 | 2 << 2 | 1
        with pytest.raises(ParameterError, match="bytes of the buffer"):
            device.buffer.for_device(BUFFER[1] - 4, 8)
    assert (system.root / "dev/udmabuf-fractrain").read_bytes()[:8] == bytes([5] * 8)
    note = read_note(system)
    assert note is not None and note.clock_mhz == 200
    # the second time nothing is loaded, and nothing but the note is needed without /dev/mem
    (system.root / "sys/class/fpga_manager/fpga0/firmware").unlink()
    BoardDevice.open(system).close()


@pytest.mark.parametrize(("size", "aligned"), [(1, 64), (64, 64), (65, 128), (128, 128)])
def test_whole_lines_are_synced(system: LinuxSystem, size: int, aligned: int) -> None:
    buffer = DmaBuffer(system, find_buffer(system))
    path = "/sys/class/u-dma-buf/udmabuf-fractrain/sync_for_cpu"
    buffer.for_processor(128, size)
    assert int(system.read_text(path), 0) == 128 << 32 | aligned | 2 << 2 | 1
    buffer.for_processor(127, 2)
    assert int(system.read_text(path), 0) == 64 << 32 | 128 | 2 << 2 | 1
    buffer.close()
    past = DmaBuffer(system, find_buffer(system), cached=False)
    text(system, path.lstrip("/"), "untouched")
    past.write(np.full(64, 3, np.uint8))
    copy = past.read(64)
    past.data[0] = 4
    assert copy.tolist() == [3] * 64  # not the mapping itself
    past.for_processor(0, 64)
    assert system.read_text(path) == "untouched"
    past.close()


# -- the bitstream ---------------------------------------------------------------------------------


def test_another_folder_is_named_by_a_variable(system: LinuxSystem, tmp_path: Path) -> None:
    installed = find_bitstream(system)
    elsewhere = tmp_path / "elsewhere"
    (system.root / "lib/firmware/fractrain").rename(elsewhere)
    with pytest.raises(DataError, match="no bitstream: there is no .*FRACTRAIN_BITSTREAM"):
        find_bitstream(system)
    system = LinuxSystem(system.root, {"FRACTRAIN_BITSTREAM": str(elsewhere)})
    found = find_bitstream(system)
    assert found.manifest == installed.manifest and found.folder == elsewhere
    # the kernel loads files below /lib/firmware only: it is copied there for the while
    load(system, found)
    name = system.read_text("/sys/class/fpga_manager/fpga0/firmware")
    assert name == f"fractrain-{found.manifest.build_hash[:16]}.bin"
    assert not list((system.root / "lib/firmware").glob("*.bin"))


def test_installed_files_are_loaded_by_their_names(system: LinuxSystem) -> None:
    text(system, "sys/class/fpga_manager/fpga0/flags", "1")
    assert load(system, find_bitstream(system)).name == "fpga0"
    written = system.read_text("/sys/class/fpga_manager/fpga0/firmware")
    assert written == "fractrain/fractrain_zc706.bin"
    assert system.read_text("/sys/class/fpga_manager/fpga0/flags") == "0"


def test_a_manager_that_does_not_come_to_operate(system: LinuxSystem) -> None:
    text(system, "sys/class/fpga_manager/fpga0/state", "write complete error\n")
    with pytest.raises(MachineError, match="'write complete error', .* another part"):
        load(system, find_bitstream(system))
    text(system, "sys/class/fpga_manager/fpga0/state", "something new\n")
    with pytest.raises(MachineError, match="'something new', .* dmesg"):
        load(system, find_bitstream(system))


def test_notes(system: LinuxSystem) -> None:
    assert read_note(system) is None
    for content in ("", "{}", "[]", '{"build_hash": "x", "clock_mhz": "y"}'):
        system.replace_text(NOTE, content)
        assert read_note(system) is None
    system.replace_text(NOTE, json.dumps({"build_hash": "x", "clock_mhz": 50}))
    note = read_note(system)
    assert note is not None and note.build_hash == "x"
    (system.root / "run/fractrain/loaded.json").unlink()
    (system.root / "run/fractrain").rmdir()
    (system.root / "run/fractrain").write_text("in the way")
    write_note(system, note)  # without a place for it, no note
    assert read_note(system) is None


def test_a_bitstream_of_before_is_replaced_or_refused(system: LinuxSystem) -> None:
    before = json.dumps({"build_hash": "0" * 64, "clock_mhz": 200})
    system.replace_text(NOTE, before)
    device = BoardDevice(system)
    device.reserve()
    assert device.configure() == "loaded through fpga0"
    system.replace_text(NOTE, before)
    (system.root / "sys/class/fpga_manager/fpga0/firmware").unlink()
    with pytest.raises(MissingToolError, match="no attribute 'firmware'"):
        device.configure()
    (system.root / NOTE.lstrip("/")).unlink()
    assert "before Linux" in device.configure()
    with pytest.raises(MissingToolError, match="in U-Boot"):
        device.configure(again=True)
    device.close()


def test_there_is_no_manager(system: LinuxSystem) -> None:
    folder = system.root / "sys/class/fpga_manager/fpga0"
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()
    assert find_manager(system) is None
    # signals pass the level shifters, so somebody has configured the FPGA
    with BoardDevice.open(system) as device:
        assert device.driver.registers.read(0)


# -- the UIO device and the buffer -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("break_", "error", "message"),
    [
        (lambda root: (root / "sys/class/uio/uio0/name").unlink(), MissingToolError, "no UIO dev"),
        (
            lambda root: (root / "sys/class/uio/uio0/name").write_text("x"),
            MissingToolError,
            "uio0 is 'x'",
        ),
        (
            lambda root: (root / "sys/class/uio/uio0/maps/map0/size").write_text("0x100"),
            DataError,
            "size is 256 bytes, the registers take 4096",
        ),
        (
            lambda root: (root / "sys/class/uio/uio0/maps/map0/size").write_text("many"),
            DataError,
            "map0/size: not a number",
        ),
        (
            lambda root: (root / "dev/uio0").unlink(),
            MachineError,
            "cannot map the registers of /dev/uio0: No such",
        ),
        (lambda root: (root / "dev/uio0").write_bytes(b""), MachineError, "greater than file"),
    ],
)
def test_a_uio_device_that_cannot_serve(
    system: LinuxSystem, break_: Mend, error: type[Exception], message: str
) -> None:
    break_(system.root)
    with pytest.raises(error, match=message):
        open_uio(system)


def test_the_device_is_found_by_its_name(system: LinuxSystem) -> None:
    (system.root / "sys/class/uio/uio0").rename(system.root / "sys/class/uio/uio3")
    (system.root / "sys/class/uio/uio1").mkdir()
    text(system, "sys/class/uio/uio1/name", "xadc")
    assert find_uio(system) == "/sys/class/uio/uio3"


FOLDER = "sys/class/u-dma-buf/udmabuf-fractrain"


@pytest.mark.parametrize(
    ("break_", "error", "message"),
    [
        (
            lambda root: (root / FOLDER).rename(root / "sys/class/u-dma-buf/udmabuf0"),
            MissingToolError,
            "no u-dma-buf is named udmabuf-fractrain, there are udmabuf0: .* FRACTRAIN_UDMABUF",
        ),
        (
            lambda root: (root / FOLDER / "dma_coherent").write_text("1"),
            DataError,
            "dma_coherent is 1.*HP ports are not coherent",
        ),
        (
            lambda root: (root / FOLDER / "phys_addr").write_text("0x1234"),
            DataError,
            "no range of whole pages",
        ),
        (
            lambda root: (root / FOLDER / "size").write_text("a lot"),
            DataError,
            "cannot read .*size: not a number",
        ),
        (
            lambda root: (root / "dev/udmabuf-fractrain").unlink(),
            MissingToolError,
            "/dev/udmabuf-fractrain is missing although",
        ),
        (
            lambda root: (root / "dev/udmabuf-fractrain").write_bytes(b""),
            MachineError,
            "cannot map 65536 bytes",
        ),
    ],
)
def test_a_buffer_that_cannot_serve(
    system: LinuxSystem, break_: Mend, error: type[Exception], message: str
) -> None:
    break_(system.root)
    with pytest.raises(error, match=message):
        DmaBuffer(system, find_buffer(system))


def test_buffers_of_other_names_and_versions(system: LinuxSystem) -> None:
    old = system.root / "sys/class/udmabuf"
    old.mkdir()
    (system.root / FOLDER).rename(old / "udmabuf0")
    system = LinuxSystem(system.root, {"FRACTRAIN_UDMABUF": "udmabuf0"})
    place = find_buffer(system)
    assert (place.folder, place.device) == ("/sys/class/udmabuf/udmabuf0", "/dev/udmabuf0")


@pytest.mark.parametrize("mode", [-1, 4, 5, 6, 7, 8])
def test_a_buffer_that_does_not_go_by_how_it_is_opened(system: LinuxSystem, mode: int) -> None:
    text(system, f"{FOLDER}/sync_mode", str(mode))
    with pytest.raises(DataError, match=f"sync_mode is {mode}, allowed are 0 to 3: .* O_SYNC"):
        BoardDevice.open(system)


@pytest.mark.parametrize("mode", [0, 2, 3])
def test_a_buffer_that_cannot_be_mapped_past_the_caches(system: LinuxSystem, mode: int) -> None:
    text(system, f"{FOLDER}/sync_mode", str(mode))
    with pytest.raises(ParameterError, match=f"sync_mode: got {mode}, allowed: 1 for a mapping"):
        DmaBuffer(system, find_buffer(system), cached=False)
