"""The simulated board itself: what hangs, what fails, and what time it is."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import numpy as np
import pytest

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.registers import ID, IDENTITY
from fractrain.sim.board import INJECTIONS, BusHang, SimulatedBoard
from fractrain.sim.board.slcr import CLOCK, GATE, RESET, SLCR_ADDRESS
from fractrain.sim.board.tree import MANAGER, UDMABUF

TINY = load_parameters("tiny")
BIN = "fractrain/fractrain_zc706.bin"
AT_200_MHZ = 1 << 20 | 5 << 8


@pytest.fixture
def board() -> Iterator[SimulatedBoard]:
    with SimulatedBoard(TINY, buffer_bytes=1 << 16) as opened:
        yield opened


def identity(board: SimulatedBoard) -> int:
    """Of the machine, read by whoever looks at no clock first."""
    uio = board.open_uio("/dev/uio0", 0, 0x1000)
    try:
        return uio.words.read(ID.address)
    finally:
        uio.close()


def test_every_access_hangs_until_bitstream_clock_and_reset_are_right(
    board: SimulatedBoard,
) -> None:
    slcr = board.map_physical(SLCR_ADDRESS, 0x1000)
    slcr.write(CLOCK // 4, AT_200_MHZ)
    with pytest.raises(BusHang, match="not configured"):
        identity(board)
    board.write_text(f"{MANAGER}/firmware", BIN)
    assert identity(board) == IDENTITY
    for offset, value, reason in (
        (CLOCK, 1 << 20 | 20 << 8, "at 50 MHz, not at 200"),
        (GATE, 1, "FCLK0 is stopped"),
        (RESET, 1, "held in reset"),
    ):
        before = slcr.read(offset // 4)
        slcr.write(offset // 4, value)
        with pytest.raises(BusHang, match=reason):
            identity(board)
        slcr.write(offset // 4, before)
    assert identity(board) == IDENTITY


def test_the_fpga_manager_takes_files_below_lib_firmware(board: SimulatedBoard) -> None:
    assert board.read_text(f"{MANAGER}/state") == "unknown"
    with pytest.raises(FileNotFoundError):
        board.write_text(f"{MANAGER}/firmware", "elsewhere.bin")
    assert board.read_text(f"{MANAGER}/state") == "firmware request error"
    (board.root / "lib/firmware/plain.bin").write_bytes(b"no sync word")
    with pytest.raises(OSError) as error:
        board.write_text(f"{MANAGER}/firmware", "plain.bin")
    assert error.value.errno == errno.EINVAL
    assert board.read_text(f"{MANAGER}/state") == "write init error"
    board.write_text(f"{MANAGER}/firmware", BIN)
    assert board.read_text(f"{MANAGER}/state") == "operating"


def test_commands_to_the_buffer(board: SimulatedBoard) -> None:
    memory = board.map_buffer("/dev/udmabuf-fractrain", 1 << 16, cached=True)
    memory.data[:] = 3
    board.write_text(f"{UDMABUF}/sync_for_device", hex(64 << 32 | 128 | 1 << 2 | 1))
    assert np.flatnonzero(board.buffer_memory).tolist() == list(range(64, 192))
    for word in (64 << 32 | 128 | 1 << 2, (1 << 16) << 32 | 64 | 1):
        with pytest.raises(OSError):
            board.write_text(f"{UDMABUF}/sync_for_device", hex(word))
    past = board.map_buffer("/dev/udmabuf-fractrain", 1 << 16, cached=False)
    past.data[0] = 9
    assert board.buffer_memory[0] == 9


def test_only_one_process_has_the_device(board: SimulatedBoard) -> None:
    first = board.open_uio("/dev/uio0", 0, 0x1000)
    with pytest.raises(BlockingIOError):
        board.open_uio("/dev/uio0", 0, 0x1000)
    first.close()
    board.open_uio("/dev/uio0", 0, 0x1000).close()


def test_time_passes_without_a_wall(board: SimulatedBoard) -> None:
    began = board.now()
    board.sleep(1000)
    assert board.now() - began == pytest.approx(1000)
    board.write_text(f"{MANAGER}/firmware", BIN)
    board.map_physical(SLCR_ADDRESS, 0x1000).write(CLOCK // 4, AT_200_MHZ)
    uio = board.open_uio("/dev/uio0", 0, 0x1000)
    before = board.now()
    assert before >= began + 1000 and not uio.wait(100)
    assert board.now() - before == pytest.approx(100)
    uio.close()


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ParameterError) as error:
        SimulatedBoard(TINY, ["fclk-gate"])
    assert all(name in str(error.value) for name in INJECTIONS)
