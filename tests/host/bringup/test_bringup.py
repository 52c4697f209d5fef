"""The board brought up on the RTL: every stage passes, and each thing that can be wrong says so."""

from __future__ import annotations

import time

import numpy as np
import pytest

from fractrain.host.backends.board import BoardAccelerator
from fractrain.host.board.bitstream import read_note
from fractrain.host.board.device import BoardDevice
from fractrain.host.board.status import board_status
from fractrain.host.bringup import checks
from fractrain.host.bringup.stages import STAGES, StageResult, bring_up
from fractrain.host.driver import driver
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.sim.board import INJECTIONS, BusHang, SimulatedBoard
from fractrain.sim.board.board import MARGIN_BYTES
from fractrain.sim.board.devices import UioDevice
from fractrain.sim.board.injections import MENDED
from fractrain.sim.board.slcr import CLOCK

TINY = load_parameters("tiny")
SMALL = 1 << 20
AT_200_MHZ, AT_50_MHZ = 1 << 20 | 5 << 8, 1 << 20 | 20 << 8

# Injection -> stage that fails, exit code, what its message says, a word of the diagnosis.
FAILURES = {
    "no-bitstream": ("bitstream", 3, "no bitstream: there is no", "docs/board.md"),
    "damaged-bitstream": ("bitstream", 3, "checksums differ", "docs/board.md"),
    "no-uio": ("bitstream", 4, "uio_pdrv_genirq must be loaded", "docs/board.md"),
    "other-uio": ("bitstream", 4, "no UIO device is named 'fractrain'", "docs/board.md"),
    "permission-uio": ("bitstream", 3, "no permission to open /dev/uio0", "run as root"),
    "busy": ("bitstream", 5, "another process uses the board", ""),
    "no-fpga-manager": ("bitstream", 4, "this kernel has no FPGA manager", "docs/board.md"),
    "mainline-empty": ("bitstream", 4, "cannot load a bitstream from a program", "docs/board.md"),
    "permission-fpga-manager": ("bitstream", 3, "board load` as root", "run as root"),
    "fpga-manager-error": ("bitstream", 5, "'write init error'", "dmesg"),
    "level-shifters": ("FCLK0", 5, "LVL_SHFTR_EN reads 0xA", "boot loader"),
    "permission-mem": ("FCLK0", 3, "no permission to open /dev/mem", "run as root"),
    "no-ps-clock": ("FCLK0", 3, "the device tree has no ps-clk-frequency", "docs/board.md"),
    "fclk-stuck": ("FCLK0", 5, "0xF8000170 was written", "another driver"),
    "fclk-unreachable": ("FCLK0", 2, "FCLK0 in MHz: got 200", "boot loader"),
    "wrong-id": ("ID", 5, "register ID reads 0x0BADF00D", "another bitstream"),
    "wrong-hash": ("build hash", 5, "register BUILD_HASH reads", "different builds"),
    "stuck-bit": ("registers", 6, "WINDOW_FIRST was written .* bits 0x00000080", "GP0"),
    "no-udmabuf": ("interrupt", 4, "the module u-dma-buf must be loaded", "docs/board.md"),
    "permission-udmabuf": ("interrupt", 3, "no permission to open /dev/udmabuf", "run as root"),
    "permission-sync": ("interrupt", 3, "no permission to write .*sync_for_device", "run as root"),
    "short-buffer": ("4 KB loopback", 2, "memory of the program in bytes: got .* 8192", ""),
    "no-interrupt": ("interrupt", 5, "has ended .* but no interrupt came", "/proc/interrupts"),
    "no-uio-interrupt": ("interrupt", 5, "the UIO device has no interrupt", "interrupts = <0 29"),
    "axi-error": ("interrupt", 5, "a read with SLVERR or DECERR", "refuses reads"),
    "axi-write-error": ("4 KB loopback", 5, "a write with SLVERR or DECERR", "refuses writes"),
    "stuck-memory": ("interrupt", 5, "memory did not answer .* not idle 0.66 ms after", "AFI"),
    "unwritten-caches": ("interrupt", 6, "sync_for_device did not write all", "dma-coherent"),
    "half-written-caches": ("interrupt", 6, "sync_for_device did not write all", "dma-coherent"),
    "stale-caches": ("4 KB loopback", 6, "past the caches they are right", "dma-coherent"),
    "half-stale-caches": ("4 KB loopback", 6, "past the caches they are right", "dma-coherent"),
    "fclk-changed": ("interrupt", 5, r"FCLK0 is 250 MHz \(IO PLL 1000 MHz / 4", "another driver"),
    "fclk-stopped": ("interrupt", 5, "FCLK0 is stopped, set to 200 MHz", "another driver"),
}


def run(*injected: str) -> list[StageResult]:
    with SimulatedBoard(TINY, injected, buffer_bytes=SMALL) as board:
        return bring_up(board, time.monotonic)


def test_every_stage_passes_on_the_rtl() -> None:
    with SimulatedBoard(TINY, buffer_bytes=SMALL) as board:
        outside = board.engine.memory[:MARGIN_BYTES], board.engine.memory[MARGIN_BYTES + SMALL :]
        for each in outside:
            each[:] = 0xA5
        told: list[StageResult] = []
        results = bring_up(board, time.monotonic, told.append)
        assert [each.name for each in results if each.passed] == list(STAGES)
        assert told == results
        # the machine has kept to the buffer
        assert all((each == 0xA5).all() for each in outside)
        # and the board is free again, as it was left
        with BoardDevice.open(board) as device:
            assert device.configure() == "loaded before, since this boot"
    details = {each.name: each.detail for each in results}
    assert details["FCLK0"].startswith("was 50 MHz") and "set to 200 MHz" in details["FCLK0"]
    assert "2 x 4,096 bytes" in details["4 KB loopback"]
    assert details["cached and uncached"] == "the same either way"


def test_how_fast_the_buffer_is_filled_is_said_of_a_board_only() -> None:
    with SimulatedBoard(TINY, buffer_bytes=SMALL) as board, BoardDevice.open(board) as device:
        assert "MB/s" not in checks.check_mappings(device)
        board.simulated = False
        assert checks.check_mappings(device).count(" MB/s") == 2


def test_every_injection_is_covered() -> None:
    assert set(FAILURES) | set(MENDED) == set(INJECTIONS)


@pytest.mark.parametrize("name", FAILURES)
def test_what_is_wrong_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "WATCHDOG_CYCLES", 1 << 12)  # simulated, a million take long
    stage, code, message, cause = FAILURES[name]
    failed = run(name)[-1]
    assert (failed.name, failed.passed) == (stage, False)
    assert failed.error is not None and failed.error.exit_code == code
    with pytest.raises(type(failed.error), match=message):
        raise failed.error
    assert cause in " ".join(failed.causes) and bool(cause) == bool(failed.causes)


@pytest.mark.parametrize(
    ("name", "stage", "said"),
    [
        ("mainline", "bitstream", "configured before Linux"),
        ("mainline", "FCLK0", "was 200 MHz (IO PLL 1000 MHz / 5 / 1); reset once"),
        ("fclk-gated", "FCLK0", "it was gated"),
        ("held-reset", "FCLK0", "its reset was held"),
    ],
)
def test_what_can_be_mended_is_mended_and_said(name: str, stage: str, said: str) -> None:
    results = run(name)
    assert results[-1].passed and len(results) == len(STAGES)
    assert said in next(each.detail for each in results if each.name == stage)


@pytest.mark.parametrize("config", ["tiny", "zc706"])
def test_the_loopback_is_4_kb(config: str) -> None:
    """Of planes, as they lie in memory on both sides."""
    parameters = load_parameters(config)
    step = checks.loopback_step(parameters)
    program = checks.compile_program(parameters, [step])
    sizes = {
        key.name: tensor.layout.words * parameters.word_bytes
        for key, tensor in program._tensors.items()
    }
    assert sizes["a"] == sizes["y"] == checks.LOOPBACK_BYTES


def test_a_wrong_bit_in_a_convolution_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only memory: the machine computes something else than the golden model."""
    execute = BoardAccelerator._execute

    def flipped(self, program, image, precisions):  # type: ignore[no-untyped-def]
        outcome = execute(self, program, image, precisions)
        if program.steps[0].pass_.label == "gradient":
            outcome.memory[program._compiled[0].regions[0].address - program.base_address] ^= 1
        return outcome

    monkeypatch.setattr(BoardAccelerator, "_execute", flipped)
    failed = run()[-1]
    assert failed.name == "convolution" and failed.error is not None
    assert "dw: 1 of 1,152 values differ, at (0, 0, 0, 0)" in str(failed.error)
    assert failed.error.exit_code == 6 and "timing of the array" in failed.causes[0]


def test_an_interrupt_that_is_not_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edge where a level must be: it comes again and again."""
    monkeypatch.setattr(UioDevice, "wait", lambda self, timeout_s: True)
    with SimulatedBoard(TINY, buffer_bytes=SMALL) as board:
        device = BoardDevice.open(board)
        with pytest.raises(MachineError, match="comes again although it was cleared"):
            checks.check_interrupt(device)
        device.close()


def test_nothing_is_accessed_before_the_clock_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the driver forgot the clock, the simulated board would tell: it hangs."""
    monkeypatch.setattr("fractrain.host.board.device.set_clock", lambda *_, **__: [])
    with SimulatedBoard(TINY, buffer_bytes=SMALL) as board, pytest.raises(BusHang, match="50 MHz"):
        BoardDevice.open(board)


def test_a_machine_left_running_is_stopped() -> None:
    """By the next process, before it writes to the buffer."""
    with SimulatedBoard(TINY, buffer_bytes=SMALL) as board:
        with BoardDevice.open(board) as device:
            np.copyto(device.buffer.data[:64], 0)
            device.driver.registers.write(6, 0xFFFFFFFF)
            device.driver.registers.write(7, device.buffer.address)
            device.driver.registers.write(8, 2)
            device.driver.registers.write(2, 1)
        with BoardDevice.open(board) as device:
            assert device.driver.registers.read(3) == 1


@pytest.mark.parametrize("name", ["wrong-id", "wrong-hash"])
def test_a_machine_that_is_another_is_not_noted(name: str) -> None:
    with SimulatedBoard(TINY, [name], buffer_bytes=SMALL) as board:
        assert not bring_up(board, time.monotonic)[-1].passed
        assert read_note(board) is None
        lines = board_status(board)
        assert lines["machine"].startswith("not read: the FPGA may hold a bitstream of unknown")


def test_a_change_of_the_clock_that_fails_is_not_taken_for_done() -> None:
    with SimulatedBoard(TINY, ["fclk-stuck"], buffer_bytes=SMALL) as board:
        board.slcr._words[CLOCK] = AT_200_MHZ
        BoardDevice.open(board).close()
        assert read_note(board) is not None
        board.slcr._words[CLOCK] = AT_50_MHZ
        with pytest.raises(MachineError, match="FCLK0 is stopped now"):
            BoardDevice.open(board)
        assert board.slcr.obstacle and read_note(board) is None


def test_the_clock_can_be_stopped_and_started() -> None:
    """Between the two the registers are out of reach, for the driver too."""
    with (
        SimulatedBoard(TINY, buffer_bytes=SMALL) as board,
        BoardDevice.open(board) as device,
    ):
        device.stop_clock()
        assert board.slcr.obstacle == "FCLK0 is stopped"
        with pytest.raises(MachineError, match="registers is not open"):
            _ = device.driver
        assert any("was gated" in each for each in device.set_clock())
        device.identify()
        assert "exact" in checks.check_convolution(device)
