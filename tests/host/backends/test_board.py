"""The board behind the accelerator's interface, here a simulated one: exact, bounded, mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.backends import board as board_module
from fractrain.host.backends.board import BoardAccelerator
from fractrain.host.backends.cycle_limit import launch
from fractrain.host.board.bitstream import NOTE
from fractrain.host.board.device import BoardDevice
from fractrain.host.board.linux import LinuxSystem
from fractrain.host.compiler import Planes, Port, Step, compile_program
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import DataError, MachineError, ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.hw.contract.registers import IDLE, STATUS, WINDOW_FIRST, WINDOW_LAST
from fractrain.sim.board import SimulatedBoard
from fractrain.sim.cosim.convolution_faults import BusFaults, ErrorRegion
from tests.host.board.plain_board import plain_board
from tests.host.compiler.running import random_operands, three_passes

TINY = load_parameters("tiny")
LAYER = Geometry(2, 8, 16, (16, 16), (3, 3), 1, 1)
BITS = (3, 2, 4)
BUFFER_BYTES = 1 << 20


@pytest.fixture(scope="module")
def board() -> Iterator[SimulatedBoard]:
    with SimulatedBoard(TINY, buffer_bytes=BUFFER_BYTES) as opened:
        yield opened


@pytest.fixture
def accelerator(board: SimulatedBoard) -> Iterator[BoardAccelerator]:
    with BoardDevice.open(board) as device:
        yield BoardAccelerator.over(device)


def operands(seed: int = 0) -> dict[str, np.ndarray]:
    program = compile_program(TINY, three_passes(LAYER, BITS))
    return random_operands(program, np.random.default_rng(seed))


def forward(accelerator: BoardAccelerator, t: dict[str, np.ndarray]) -> np.ndarray:
    return accelerator.forward(t["a"], t["w"], bits=BITS[:2], padding=1)


def test_the_three_passes_are_golden_s(accelerator: BoardAccelerator) -> None:
    t, (a, w, e) = operands(), BITS
    with open_accelerator("golden") as golden:
        for found, wanted in (
            (each.forward(t["a"], t["w"], (a, w), padding=1) for each in (accelerator, golden)),
            (
                each.error(t["e"], t["w"], (e, w), padding=1, input_size=16)
                for each in (accelerator, golden)
            ),
            (
                each.gradient(t["a"], t["e"], (a, e), padding=1, kernel_size=3)
                for each in (accelerator, golden)
            ),
        ):
            np.testing.assert_array_equal(found, wanted)
    assert accelerator.measured_as == "RTL cycles" and accelerator.clock_hz == 200e6


def test_results_of_other_calls_are_not_touched(accelerator: BoardAccelerator) -> None:
    y = forward(accelerator, operands(1))
    before = y.copy()
    forward(accelerator, operands(2))
    assert np.array_equal(y, before)


def test_counters_are_those_of_co_simulation(accelerator: BoardAccelerator) -> None:
    """The same RTL and the same memory: all but the handful of cycles around a program."""
    t = operands()
    forward(accelerator, t)
    with open_accelerator("cosim") as cosim:
        cosim.forward(t["a"], t["w"], bits=BITS[:2], padding=1)
        found, wanted = accelerator.counters, cosim.counters
    assert abs(found.cycles - wanted.cycles) < 30
    assert replace(found, cycles=0) == replace(wanted, cycles=0)
    assert accelerator.work is not None and accelerator.work.seconds == 0


def test_the_machine_may_touch_the_program_and_nothing_else(
    accelerator: BoardAccelerator, board: SimulatedBoard
) -> None:
    program = compile_program(TINY, three_passes(LAYER, BITS)[:1], accelerator.base_address)
    accelerator.run(program, {each: operands()[each] for each in "aw"}, {0: Precision(*BITS)})
    registers = accelerator.driver.registers
    assert registers.read(WINDOW_FIRST) == board.buffer_address
    last = board.buffer_address + program.memory_bytes - 1
    assert registers.read(WINDOW_LAST) == last


@pytest.mark.parametrize(
    ("base", "destination", "images", "message"),
    [
        (0, None, 2, "base address of the program: got '0x0', allowed: 0x10100000, where the buf"),
        (None, Port(), 2, "destination of a step: got 'Port', allowed: Raw or Planes"),
        (None, None, 800, "memory of the program in bytes: got .* at most 1048576, .* --batch"),
    ],
)
def test_programs_that_the_board_cannot_run(
    accelerator: BoardAccelerator,
    base: int | None,
    destination: Port | None,
    images: int,
    message: str,
) -> None:
    g = replace(LAYER, images=images)
    step = Step(Pass.FORWARD, g, 0, "a", "w", "y", BITS[:2], destination or Planes(4))
    address = accelerator.base_address if base is None else base
    program = compile_program(TINY, [step], address)
    t = random_operands(program, np.random.default_rng(0))
    with pytest.raises(ParameterError, match=message):
        accelerator.run(program, t, {0: Precision(*BITS)})


@pytest.mark.parametrize("reads", [True, False])
def test_after_a_fault_the_next_call_is_exact(
    accelerator: BoardAccelerator, board: SimulatedBoard, reads: bool
) -> None:
    t, before = operands(), accelerator.counters
    region = ErrorRegion(0, (1 << 32) - 1, reads=reads, writes=not reads)
    board.engine.inject(BusFaults((region,)))
    with pytest.raises(EngineFault, match="at command") as error:
        forward(accelerator, t)
    assert error.value.cause is (Fault.READ_ERROR if reads else Fault.WRITE_ERROR)
    assert accelerator.counters == before
    board.engine.inject(BusFaults())
    with open_accelerator("golden") as golden:
        wanted = golden.forward(t["a"], t["w"], bits=BITS[:2], padding=1)
    assert np.array_equal(forward(accelerator, t), wanted)


def test_memory_that_stops_answering_and_the_way_back(
    accelerator: BoardAccelerator, board: SimulatedBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator.driver, "watchdog_cycles", 1 << 12)
    board.engine.inject(BusFaults(stuck_from=300))
    with pytest.raises(MachineError, match=r"WATCHDOG cycles; not idle .* power cycle"):
        forward(accelerator, operands())
    with pytest.raises(MachineError, match="an earlier program; the board needs a power"):
        forward(accelerator, operands())
    # the bitstream anew would leave the HP ports waiting
    with pytest.raises(MachineError, match="not loaded: .* not idle .* power cycle"):
        accelerator.device.configure(again=True)
    accelerator.device.close()
    board.power_cycle()
    t = operands()
    with open_accelerator("golden") as golden:
        wanted = golden.forward(t["a"], t["w"], bits=BITS[:2], padding=1)
    with BoardDevice.open(board) as device:
        assert np.array_equal(forward(BoardAccelerator.over(device), t), wanted)


@pytest.mark.parametrize("same_build", [True, False])
def test_a_machine_that_moves_data_is_stopped_before_another_is_loaded(
    board: SimulatedBoard, same_build: bool
) -> None:
    """A process was killed, and the next loads anew: memory must answer the new machine."""
    t = operands()
    with BoardDevice.open(board) as device:
        program = compile_program(TINY, three_passes(LAYER, BITS)[:1], device.buffer.address)
        image = program.pack({each: t[each] for each in "aw"})
        table = {0: Precision(*BITS)}
        device.driver.table.set(table)
        device.buffer.write(image)
        device.driver.start(launch(program, table))
        board.engine.advance(300, until_interrupt=False)
        assert not IDLE.extract(device.driver.registers.read(STATUS))
    if not same_build:
        board.replace_text(NOTE, json.dumps({"build_hash": "0" * 64, "clock_mhz": 200}))
    with BoardDevice(board) as device:
        device.reserve()
        assert device.configure(again=same_build) == "loaded through fpga0"
    with open_accelerator("golden") as golden:
        wanted = golden.forward(t["a"], t["w"], bits=BITS[:2], padding=1)
    with BoardDevice.open(board) as device:
        assert np.array_equal(forward(BoardAccelerator.over(device), t), wanted)


def test_opening_by_name_and_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    accelerator = open_accelerator("board", device="simulated")
    assert isinstance(accelerator, BoardAccelerator) and accelerator.parameters == TINY
    system = accelerator.device.system
    assert isinstance(system, SimulatedBoard) and system.root.exists()
    forward(accelerator, operands())
    accelerator.close()
    accelerator.close()
    assert not system.root.exists() and accelerator.counters.busy_cycles > 0
    with pytest.raises(MachineError, match="closed"):
        forward(accelerator, operands())


def test_nothing_stays_open_when_opening_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[SimulatedBoard] = []

    def broken(device: str | None, parameters: object = None) -> SimulatedBoard:
        opened.append(SimulatedBoard(TINY, ["wrong-id"], buffer_bytes=BUFFER_BYTES))
        return opened[-1]

    monkeypatch.setattr(board_module, "open_system", broken)
    with pytest.raises(MachineError, match="another bitstream is loaded"):
        BoardAccelerator(TINY)
    assert not opened[0].root.exists()


# -- which machine the board has -------------------------------------------------------------------


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LinuxSystem:
    """A board of plain files in place of this computer."""
    system = plain_board(tmp_path)
    monkeypatch.setattr(board_module, "LinuxSystem", lambda: system)
    return system


def test_the_configuration_is_the_bitstream_s(linux: LinuxSystem) -> None:
    assert BoardAccelerator.usual_config(None) == "tiny"
    assert BoardAccelerator.find_parameters("tiny", "local") == TINY
    with open_accelerator("board") as accelerator:
        assert accelerator.parameters == TINY and accelerator.measured_as == "board"
    with pytest.raises(
        ParameterError, match="--config: got 'zc706', allowed: tiny, the machine of the bitstream"
    ):
        open_accelerator("board", config="zc706")
    with pytest.raises(ParameterError, match="parameters: .* those of the board's bitstream"):
        open_accelerator("board", load_parameters("zc706"))


def test_a_bitstream_of_a_machine_that_is_no_preset(linux: LinuxSystem) -> None:
    path = linux.root / "lib/firmware/fractrain/bitstream.json"
    path.write_text(path.read_text().replace('"config": "tiny"', '"config": "mine"'))
    assert BoardAccelerator.usual_config(None) == "mine"
    # as a run records it, which makes a path of what is no preset
    assert BoardAccelerator.find_parameters("/somewhere/mine", None) == TINY
    with pytest.raises(DataError, match="other"):
        BoardAccelerator.find_parameters("/somewhere/other", None)


def test_this_computer_is_no_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "LinuxSystem", lambda: LinuxSystem(tmp_path, {}))
    with pytest.raises(DataError, match="no bitstream: there is no"):
        open_accelerator("board")


def test_devices_that_there_are_not() -> None:
    with pytest.raises(ParameterError, match="device: got 'cuda', allowed: local or simulated"):
        open_accelerator("board", device="cuda")
    with pytest.raises(ParameterError, match="device"):
        open_accelerator("golden", device="simulated")
