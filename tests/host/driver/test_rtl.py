"""The driver on the generated RTL: by the bus of co-simulation, and by the simulated board's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from fractrain.gen.build_hash import build_hash, hash_register
from fractrain.host.board.device import BoardDevice
from fractrain.host.driver import Driver, Launch
from fractrain.hw.contract.commands import COMMAND_BYTES, Command, End, Fault, encode_all
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import CONTROL, DONE, INTERRUPT, START, STATUS
from fractrain.sim.board import SimulatedBoard
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.cosim.convolution_faults import BusFaults
from tests.sim.cosim.driven_simulation import DrivenSimulation

TINY = load_parameters("tiny")
SIZE = 4096
LIMIT = 20_000
STUCK = BusFaults(stuck_from=0)


@dataclass
class Driven:
    """A driver, the RTL behind it, and a way to put bytes where its memory is at ``address``."""

    driver: Driver
    engine: ConvolutionSimulation
    address: int
    write: Callable[[np.ndarray], None]

    def program(self, *commands: Command) -> Launch:
        image = np.zeros(SIZE, np.uint8)
        image[: COMMAND_BYTES * len(commands)] = encode_all(list(commands)).reshape(-1)
        self.write(image)
        window = self.address, self.address + SIZE - 1
        return Launch(self.address, len(commands), window, LIMIT)


@pytest.fixture(scope="module", params=["co-simulation", "simulated board"])
def driven(request: pytest.FixtureRequest) -> Iterator[Driven]:
    if request.param == "co-simulation":
        with DrivenSimulation(TINY, memory_bytes=SIZE, base_address=0x1000_0000) as engine:
            yield Driven(
                engine.driver,
                engine,
                engine.base_address,
                lambda image: np.copyto(engine.memory, image),
            )
        return
    with SimulatedBoard(TINY, buffer_bytes=1 << 16) as board, BoardDevice.open(board) as device:
        buffer = device.buffer
        yield Driven(device.driver, board.engine, buffer.address, buffer.write)


def test_it_is_the_machine_of_its_build(driven: Driven) -> None:
    build = hash_register(build_hash(TINY))
    driven.driver.identify(build, "the configuration")
    with pytest.raises(MachineError, match=f"0x{build:08X}, the manifest says 0x{build ^ 1:08X}: "):
        driven.driver.identify(build ^ 1, "the manifest")


def test_programs_end_and_are_counted(driven: Driven) -> None:
    launch = driven.program(End())
    first, second = (driven.driver.execute(launch) for _ in range(2))
    assert first.total == second.total and first.programs == 1
    assert first.total.bytes_in == COMMAND_BYTES and 0 < first.total.cycles < 1_000
    assert not driven.driver.registers.read(INTERRUPT)
    assert driven.driver.stays_quiet(1_000)


def test_what_a_killed_process_has_left(driven: Driven) -> None:
    """A program that has ended, and its interrupt: neither is taken for the next one's."""
    launch = driven.program(End())
    driven.driver.start(launch)
    driven.engine.advance(2_000, until_interrupt=False)
    assert DONE.extract(driven.driver.registers.read(STATUS))
    assert driven.driver.registers.read(INTERRUPT) == 1
    assert 0 < driven.driver.run(launch).elapsed < 1_000


def test_a_machine_that_runs_is_stopped_or_left_alone(driven: Driven) -> None:
    launch = driven.program(End())
    driven.engine.inject(BusFaults(stuck_from=0, stuck_until=3_000))
    driven.driver.registers.write(CONTROL, START.insert(1))
    with pytest.raises(MachineError, match="the machine is not idle"):
        driven.driver.run(launch)
    driven.driver.stop()
    driven.driver.run(launch)


def test_after_a_fault_the_table_is_written_again(driven: Driven) -> None:
    table, wanted = driven.driver.table, {slot: Precision(8, 4, slot % 9) for slot in range(3)}
    table.set(wanted)
    assert table.set(wanted) == 0
    words = [table.read(slot) for slot in wanted]
    launch = driven.program(End())
    window = launch.window[0], launch.window[0]  # not even the command may be read
    with pytest.raises(EngineFault) as error:
        driven.driver.run(Launch(launch.address, 1, window, LIMIT))
    assert error.value.cause is Fault.WINDOW and error.value.index == 0
    assert table.set(wanted) == 3 and table.set(wanted) == 0
    assert [table.read(slot) for slot in wanted] == words
    driven.driver.run(launch)


def test_memory_that_does_not_answer(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine gives up by itself; it is not used before memory has answered."""
    monkeypatch.setattr(driven.driver, "watchdog_cycles", 500)
    launch = driven.program(End())
    driven.engine.inject(STUCK)
    with pytest.raises(MachineError, match="; not idle .* after a reset") as error:
        driven.driver.run(launch)
    assert isinstance(error.value.__cause__, EngineFault)
    assert error.value.__cause__.cause is Fault.TIMEOUT
    with pytest.raises(MachineError, match="the machine is not idle"):
        driven.driver.run(launch)
    driven.engine.inject(BusFaults())
    driven.driver.stop()
    driven.driver.run(launch)
