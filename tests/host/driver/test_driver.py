"""Programs through registers and interrupt: what a machine may do that answers as it likes."""

from __future__ import annotations

import pytest

from fractrain.host.board.registers import EngineRegisters
from fractrain.host.board.runner import RESET_POLLS, ProgramRunner
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.registers import (
    CONTROL,
    FAULT_INDEX,
    INTERRUPT,
    INTERRUPT_ENABLE,
    PROGRAM_ADDRESS,
    REGISTERS,
    STATUS,
    WINDOW_LAST,
)

TINY = load_parameters("tiny")
IDLE, DONE, FAULT, DRAINING = 1, 2, 4, 8
NAMES = {each.address: each.name for each in REGISTERS}


class Machine:
    """Words, UIO device and system in one; ``states`` are what STATUS reads, the last for ever.

    ``stale``: an interrupt of before has been counted, and the next `wait` takes it. ``seen``:
    registers and waits in the order of what was done.
    """

    def __init__(self, *states: int, interrupts: int = 1, stale: bool = False) -> None:
        self.states, self.interrupts, self.stale = list(states), interrupts, stale
        self.written: list[tuple[int, int]] = []
        self.time = 0.0
        self.enabled = 0
        self.started = False
        self.seen: list[str] = []

    def read(self, index: int) -> int:
        if index == STATUS.address:
            return self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return 17 if index == FAULT_INDEX.address else 0

    def write(self, index: int, value: int) -> None:
        self.written.append((index, value))
        self.seen.append(f"write {NAMES.get(index, index)} {value}")
        self.started |= (index, value) == (CONTROL.address, 1)

    def enable(self) -> None:
        self.enabled += 1
        self.seen.append("enable")

    def wait(self, timeout_s: float) -> bool:
        self.seen.append("wait")
        if self.stale or not self.started:
            came, self.stale = self.stale, False
            return came
        if self.interrupts:
            self.interrupts -= 1
            self.time += 0.001
            return True
        self.time += timeout_s
        return False

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def run(self) -> float:
        runner = ProgramRunner(self, EngineRegisters(self, TINY), self, 200e6)  # type: ignore[arg-type]
        return runner.run(0x1000, 3, (0x1000, 0x1FFF), 1000)


def test_a_program_that_ends() -> None:
    machine = Machine(DONE | IDLE, stale=True)
    assert machine.run() == pytest.approx(0.001)
    written = dict(machine.written)
    assert written[PROGRAM_ADDRESS.address] == 0x1000 and written[WINDOW_LAST.address] == 0x1FFF
    assert written[INTERRUPT_ENABLE.address] == 1
    # the interrupt was cleared before START and after the end; one of before was forgotten
    assert machine.written.count((INTERRUPT.address, 1)) == 2
    assert machine.enabled == 1 and machine.written[-2] == (CONTROL.address, 1)


def test_nothing_of_before_is_taken_for_the_end_of_a_program() -> None:
    """An interrupt that was counted before and a cause that is still set: both go before START,
    the counters with them, and only then the next interrupt is let through."""
    machine = Machine(DONE | IDLE, stale=True)
    machine.run()
    start = machine.seen.index("write CONTROL 1")
    assert machine.seen[start - 5 : start + 3] == [
        "write INTERRUPT 1",
        "write INTERRUPT_ENABLE 1",
        "write CONTROL 4",
        "wait",
        "enable",
        "write CONTROL 1",
        "wait",
        "write INTERRUPT 1",
    ]
    # START is the last: everything that the program needs is there before
    assert {name.split()[1] for name in machine.seen[: start - 5]} == {
        *("WATCHDOG", "WINDOW_FIRST", "WINDOW_LAST", "PROGRAM_ADDRESS", "PROGRAM_COMMANDS"),
    }


def test_a_stale_interrupt_does_not_hide_that_none_arrives() -> None:
    machine = Machine(DONE | IDLE, interrupts=0, stale=True)
    with pytest.raises(MachineError, match="no interrupt came"):
        machine.run()


@pytest.mark.parametrize("states", [(IDLE | DRAINING,), (0,), (DRAINING,), (DONE,)])
def test_a_machine_that_may_still_touch_the_buffer_is_given_nothing(states: tuple[int]) -> None:
    machine = Machine(*states)
    runner = ProgramRunner(machine, EngineRegisters(machine, TINY), machine, 200e6)  # type: ignore[arg-type]
    with pytest.raises(MachineError, match="is not idle"):
        runner.require_idle()
    machine.states = [IDLE]
    runner.require_idle()


def test_a_reset_is_over_when_the_ports_are_quiet() -> None:
    machine = Machine(0, IDLE | DRAINING, IDLE)
    runner = ProgramRunner(machine, EngineRegisters(machine, TINY), machine, 200e6)  # type: ignore[arg-type]
    assert runner.reset() == ""
    assert machine.time == pytest.approx(2 * 2e-5) and machine.written == [(CONTROL.address, 2)]


@pytest.mark.parametrize("right", [0, 1, 2, 3])
def test_no_register_is_accessed_once_the_clock_is_wrong(right: int) -> None:
    """Before a program, after its interrupt, at its end: the clock is looked at so often, is right
    the first times, and after that nothing is read or written any more."""
    machine, looks = Machine(DONE | IDLE), 0
    status_reads = []

    def check_clock() -> None:
        nonlocal looks
        looks += 1
        if looks > right:
            raise MachineError("the clock has changed")

    read = machine.read
    machine.read = lambda index: status_reads.append(looks) or read(index)  # type: ignore[func-returns-value,method-assign]
    runner = ProgramRunner(
        machine,  # type: ignore[arg-type]
        EngineRegisters(machine, TINY),  # type: ignore[arg-type]
        machine,
        200e6,
        check_clock=check_clock,
    )
    if right == 3:
        runner.run(0x1000, 3, (0x1000, 0x1FFF), 1000)
    else:
        with pytest.raises(MachineError, match="has changed"):
            runner.run(0x1000, 3, (0x1000, 0x1FFF), 1000)
    assert len(machine.written) == (0 if right == 0 else 10 if right == 3 else 9)
    assert len(status_reads) == max(0, right - 1)


def test_a_line_that_stays_up_is_noticed() -> None:
    machine = Machine(IDLE, interrupts=1)
    machine.started = True
    runner = ProgramRunner(machine, EngineRegisters(machine, TINY), machine, 200e6)  # type: ignore[arg-type]
    assert not runner.stays_quiet(0.01) and machine.enabled == 1
    assert runner.stays_quiet(0.01) and machine.enabled == 2


def test_an_interrupt_that_means_nothing_is_waited_past() -> None:
    machine = Machine(0, DONE | IDLE, interrupts=2)
    assert machine.run() == pytest.approx(0.002) and machine.enabled == 2


def test_a_fault_is_named_and_the_machine_reset() -> None:
    machine = Machine(FAULT | Fault.WINDOW << 8, FAULT | Fault.WINDOW << 8, IDLE)
    with pytest.raises(EngineFault, match="with a fault at command 17") as error:
        machine.run()
    assert error.value.cause is Fault.WINDOW
    assert machine.written[-1] == (CONTROL.address, 2)


def test_a_fault_counts_whatever_else_the_machine_says() -> None:
    machine = Machine(DONE | FAULT | Fault.OPCODE << 8, DONE | FAULT | Fault.OPCODE << 8, IDLE)
    with pytest.raises(EngineFault):
        machine.run()


def test_an_interrupt_that_never_comes_is_not_waited_for_for_ever() -> None:
    machine = Machine(DONE | IDLE, interrupts=0)
    with pytest.raises(MachineError, match=r"has ended .* no interrupt came within 0\.26 s"):
        machine.run()
    assert machine.time < 0.3


def test_a_program_that_does_not_end() -> None:
    machine = Machine(0, IDLE, interrupts=0)
    with pytest.raises(MachineError, match=r"no end within 0\.26 s: STATUS 0x00000000, counters"):
        machine.run()


def test_a_machine_that_does_not_come_to_rest() -> None:
    machine = Machine(FAULT | Fault.TIMEOUT << 8, FAULT | Fault.TIMEOUT << 8, DRAINING)
    with pytest.raises(
        MachineError, match="WATCHDOG cycles; not idle 0.4 ms after a reset"
    ) as error:
        machine.run()
    assert isinstance(error.value.__cause__, EngineFault)
    assert machine.time == pytest.approx(0.001 + RESET_POLLS * 2e-5)
    with pytest.raises(MachineError, match="owes answers to an earlier program"):
        ProgramRunner(machine, EngineRegisters(machine, TINY), machine, 1e6).require_idle()  # type: ignore[arg-type]


def test_interrupts_without_end() -> None:
    """Each is let pass, and the time still runs out."""
    machine = Machine(0, interrupts=10**9)
    with pytest.raises(MachineError, match="no end within"):
        machine.run()
    assert machine.time < 0.3


def test_an_interruption_stops_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(IDLE)

    def interrupted(self: Machine, timeout_s: float) -> bool:
        if self.started:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(Machine, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    assert machine.written[-1] == (CONTROL.address, 2)


def test_a_device_without_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Machine) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Machine, "enable", fails)
    with pytest.raises(MachineError, match=r"has no interrupt \(Input/output error\)"):
        Machine(IDLE).run()
