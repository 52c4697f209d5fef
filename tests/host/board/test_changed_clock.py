"""FCLK0 that somebody else changes while the board is in use."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from fractrain.host.backends.board import BoardAccelerator
from fractrain.host.board.bitstream import read_note
from fractrain.host.board.clock import ClockChanged
from fractrain.host.board.device import BoardDevice
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.registers import (
    CONTROL,
    PROGRAM_ADDRESS,
    PROGRAM_COMMANDS,
    START,
    WINDOW_LAST,
)
from fractrain.sim.board import BusHang, SimulatedBoard
from fractrain.sim.board.slcr import CLOCK, GATE, RESET, SHIFTERS, SLCR_ADDRESS
from fractrain.sim.cosim.convolution_faults import BusFaults

TINY = load_parameters("tiny")
AT_100_MHZ, AT_250_MHZ = 1 << 20 | 10 << 8, 1 << 20 | 4 << 8


@pytest.fixture
def board() -> Iterator[SimulatedBoard]:
    with SimulatedBoard(TINY, buffer_bytes=1 << 20) as opened:
        yield opened


def convolve(device: BoardDevice, images: int = 1) -> None:
    a, w = np.ones((images, 16, 16, 16), np.int64), np.ones((16, 16, 3, 3), np.int64)
    BoardAccelerator.over(device).forward(a, w, (8, 8), 1, 1)


@pytest.mark.parametrize(
    ("register", "value", "said"),
    [
        (CLOCK, AT_100_MHZ, "FCLK0 is 100 MHz (IO PLL 1000 MHz / 10 / 1); the bitstream is made"),
        (CLOCK, AT_250_MHZ, "FCLK0 is 250 MHz"),
        (GATE, 1, "FCLK0 is stopped, set to 200 MHz"),
        (RESET, 1, "the FPGA's reset is held; the"),
        (SHIFTERS, 0, "no signals pass to the FPGA; the"),
    ],
)
def test_between_two_programs(register: int, value: int, said: str, board: SimulatedBoard) -> None:
    """No register of the FPGA is accessed any more, as that might never be answered, and nobody
    goes by the note that it is right."""
    with BoardDevice.open(board) as device:
        convolve(device)
        board.map_physical(SLCR_ADDRESS, 0x1000).write(register // 4, value)
        with pytest.raises(ClockChanged) as error:
            convolve(device)
        assert said in str(error.value)
        assert read_note(board) is None
        with pytest.raises(ClockChanged):
            convolve(device)
        with pytest.raises(MachineError, match="registers is not open"):
            device.driver.registers.read(0)
    with BoardDevice(board) as device:
        device.reserve()
        device.configure(again=True)
        device.set_clock()
        device.identify()
        device.map_buffer()
        convolve(device)


@pytest.mark.parametrize("name", ["fclk-changed", "fclk-stopped"])
def test_while_a_program_runs(name: str, board: SimulatedBoard) -> None:
    with BoardDevice.open(board) as device:
        board.injected |= {name}
        with pytest.raises(ClockChanged):
            convolve(device)


def test_an_interruption_while_the_clock_stands(
    board: SimulatedBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine cannot be reset then: that would hang."""
    with BoardDevice.open(board) as device:
        board.injected |= {"fclk-stopped"}

        def interrupted(*_: object, **__: object) -> None:
            if board.slcr.obstacle:
                raise KeyboardInterrupt

        monkeypatch.setattr(board.fpga, "pass_time", interrupted)
        with pytest.raises(ClockChanged) as error:
            convolve(device)
        assert isinstance(error.value.__context__, KeyboardInterrupt)


def test_who_may_not_look_sees_a_clock_that_is_too_fast(board: SimulatedBoard) -> None:
    """By the machine's own count of cycles."""
    BoardDevice.open(board).close()
    board.injected |= {"permission-mem"}
    with BoardDevice.open(board) as device:
        convolve(device)
        board.injected |= {"fclk-changed"}
        with pytest.raises(ClockChanged, match=r"counted [\d,]+ cycles within .* at 2\d\d"):
            convolve(device, 4)


def test_the_simulated_board_would_hang(board: SimulatedBoard) -> None:
    """What the checks keep the driver from."""
    with BoardDevice.open(board) as device:
        board.slcr.stopped_by_another()
        with pytest.raises(BusHang, match="FCLK0 is stopped"):
            device.driver.registers.read(0)


def test_a_clock_is_not_stopped_under_a_machine_that_runs(board: SimulatedBoard) -> None:
    with BoardDevice.open(board) as device:
        board.engine.inject(BusFaults(stuck_from=0))
        for register, value in (
            (WINDOW_LAST, 0xFFFF_FFFF),
            (PROGRAM_ADDRESS, device.buffer.address),
            (PROGRAM_COMMANDS, 4),
            (CONTROL, START.insert(1)),
        ):
            device.driver.registers.write(register, value)
        with pytest.raises(MachineError, match="is not idle"):
            device.stop_clock()
        assert not board.slcr.obstacle and read_note(board) is not None


def test_a_bitstream_that_was_not_loaded_leaves_no_registers(board: SimulatedBoard) -> None:
    """What is in the FPGA then, nobody knows."""
    with BoardDevice.open(board) as device:
        board.injected |= {"fpga-manager-error"}
        with pytest.raises(MachineError, match="write init error"):
            device.configure(again=True)
        with pytest.raises(MachineError, match="registers is not open"):
            device.driver.registers.read(0)
