"""What the driver does, access by access, with a machine that answers as it likes."""

from __future__ import annotations

import pytest

from fractrain.host.driver import Launch
from fractrain.host.driver.driver import RESET_PAUSES, WATCHDOG_CYCLES
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError, ParameterError
from tests.host.driver.scripted_machine import (
    DONE,
    DRAINING,
    FAULT,
    IDLE,
    INTERRUPT_CYCLES,
    LAUNCH,
    PATIENCE,
    ScriptedMachine,
    WrongClock,
)

RESET = "CONTROL 2"


def test_what_is_done_for_a_program_and_in_which_order() -> None:
    """START is the last write: what the program needs is there before, an interrupt that was
    counted and a cause that is still set are gone, and only then the next one is let through."""
    machine = ScriptedMachine(DONE | IDLE, stale=True)
    ended = machine.run()
    assert ended.elapsed == ended.most == INTERRUPT_CYCLES
    assert machine.seen == [
        "read STATUS",
        f"write WATCHDOG {WATCHDOG_CYCLES}",
        f"write WINDOW_FIRST {0x1000}",
        f"write WINDOW_LAST {0x1FFF}",
        f"write PROGRAM_ADDRESS {0x1000}",
        "write PROGRAM_COMMANDS 3",
        "write INTERRUPT 1",
        "write INTERRUPT_ENABLE 1",
        "write CONTROL 4",
        "wait",
        "listen",
        "write CONTROL 1",
        "wait",
        "read STATUS",
        "write INTERRUPT 1",
    ]


def test_a_stale_interrupt_does_not_hide_that_none_arrives() -> None:
    machine = ScriptedMachine(DONE | IDLE, interrupts=0, stale=True)
    with pytest.raises(MachineError, match=rf"no interrupt came within {PATIENCE} ticks: \(line\)"):
        machine.run()


@pytest.mark.parametrize("state", [IDLE | DRAINING, 0, DRAINING, DONE])
def test_a_machine_that_may_still_touch_the_memory_is_given_nothing(state: int) -> None:
    machine = ScriptedMachine(state)
    machine.started = True
    for act in (machine.driver.require_idle, machine.run):
        with pytest.raises(MachineError, match=r"is not idle .* an earlier program; \(stuck\)"):
            act()
    assert not machine.written
    machine.states = [IDLE]
    machine.driver.require_idle()


def test_a_reset_is_over_when_the_ports_are_quiet() -> None:
    machine = ScriptedMachine(0, IDLE | DRAINING, IDLE)
    machine.started = True
    assert machine.driver.reset() == ""
    assert machine.time == sum(RESET_PAUSES[:2]) and machine.written == [RESET]


def test_a_reset_that_never_ends_is_given_up() -> None:
    machine = ScriptedMachine(IDLE | DRAINING)
    machine.started = True
    with pytest.raises(MachineError, match=r"machine is not idle 131056 ticks after a .*\(stuck\)"):
        machine.driver.stop()
    assert machine.time == sum(RESET_PAUSES)
    assert machine.seen.count("read STATUS") == len(RESET_PAUSES) + 1


@pytest.mark.parametrize("right", [0, 1, 2])
def test_no_register_is_accessed_once_the_clock_is_wrong(right: int) -> None:
    """It is looked at before a program, and after its interrupt before anything else."""
    machine = ScriptedMachine(DONE | IDLE, right=right)
    if right == 2:
        machine.run()
        assert "wrong clock" not in machine.seen
        return
    with pytest.raises(WrongClock):
        machine.run()
    assert set(machine.seen[machine.seen.index("wrong clock") :]) == {"wrong clock"}
    assert ("write CONTROL 1" in machine.seen) == (right == 1)


def test_a_line_that_stays_up_is_noticed() -> None:
    machine = ScriptedMachine(IDLE, interrupts=1)
    machine.started = True
    assert not machine.driver.stays_quiet(100)
    assert machine.driver.stays_quiet(100)
    assert machine.seen == ["listen", "wait"] * 2


def test_an_interrupt_that_means_nothing_is_waited_past() -> None:
    machine = ScriptedMachine(0, DONE | IDLE, interrupts=2)
    assert machine.run().elapsed == 2 * INTERRUPT_CYCLES
    assert machine.seen.count("listen") == 2


def test_interrupts_without_end() -> None:
    """Each is let pass, and the time still runs out."""
    machine = ScriptedMachine(0, interrupts=10**9)
    with pytest.raises(MachineError, match="no end within"):
        machine.run()
    assert machine.time < PATIENCE + INTERRUPT_CYCLES + 2 * sum(RESET_PAUSES)


def test_a_fault_is_named_and_the_machine_reset() -> None:
    machine = ScriptedMachine(FAULT | Fault.WINDOW << 8, IDLE)
    with pytest.raises(EngineFault, match="with a fault at command 17") as error:
        machine.run()
    assert error.value.cause is Fault.WINDOW
    assert machine.written[-2:] == ["INTERRUPT 1", RESET]


def test_a_fault_counts_whatever_else_the_machine_says() -> None:
    for interrupts in (1, 0):
        machine = ScriptedMachine(DONE | FAULT | Fault.OPCODE << 8, IDLE, interrupts=interrupts)
        with pytest.raises(EngineFault):
            machine.run()


def test_a_program_that_does_not_end() -> None:
    machine = ScriptedMachine(0, IDLE, interrupts=0)
    with pytest.raises(
        MachineError,
        match=rf"^no end within {PATIENCE} ticks: STATUS 0x00000000, 5 beats; counters: all 0$",
    ):
        machine.run()
    assert machine.written[-1] == RESET


def test_a_machine_that_does_not_come_to_rest() -> None:
    machine = ScriptedMachine(FAULT | Fault.TIMEOUT << 8, DRAINING)
    with pytest.raises(
        MachineError, match="WATCHDOG cycles; not idle 131056 ticks after a reset"
    ) as error:
        machine.run()
    assert isinstance(error.value.__cause__, EngineFault)


def test_an_interruption_stops_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes of stopping it, the interruption is what is told."""
    for states in ((IDLE,), (DRAINING,)):
        machine = ScriptedMachine(*states)
        monkeypatch.setattr(machine, "wait", _interrupted(machine))
        with pytest.raises(KeyboardInterrupt):
            machine.run()
        assert machine.written[-1] == RESET


def _interrupted(machine: ScriptedMachine):  # type: ignore[no-untyped-def]
    def wait(cycles: float) -> bool:
        if machine.started:
            raise KeyboardInterrupt
        return False

    return wait


def test_an_interruption_as_it_is_started_stops_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = ScriptedMachine(IDLE)
    now = machine.now

    def interrupted() -> float:
        if machine.started:
            raise KeyboardInterrupt
        return now()

    monkeypatch.setattr(machine, "now", interrupted)
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    assert machine.written[-1] == RESET


def test_a_bus_that_fails_is_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that the machine cannot be reset over it."""
    machine = ScriptedMachine(IDLE)

    def broken(*_: object) -> bool:
        raise MachineError("a rule is broken")

    monkeypatch.setattr(machine, "wait", lambda cycles: machine.started and fail())

    def fail() -> bool:
        monkeypatch.setattr(machine, "write", broken)
        return broken()

    with pytest.raises(MachineError, match="a rule is broken"):
        machine.run()


def test_what_was_measured() -> None:
    """On a board seconds of the world, from before START; elsewhere the cycles that were counted,
    from after it."""
    machine = ScriptedMachine(DONE | IDLE, interrupts=2)
    work = machine.driver.execute(LAUNCH)
    assert (work.programs, work.seconds, work.total.cycles) == (1, INTERRUPT_CYCLES / 200e6, 0)
    assert machine.seen[-1] == f"pace 0 {INTERRUPT_CYCLES}"
    machine.exact, machine.real, machine.started = True, False, False
    ended = machine.run()
    assert machine.driver.measure(ended).seconds == 0
    assert machine.driver.measure(ended).total.cycles == INTERRUPT_CYCLES


def test_another_machine_is_refused() -> None:
    machine = ScriptedMachine(IDLE)
    with pytest.raises(MachineError, match=r"^register ID reads 0x0{8} instead .*: \(machine\)$"):
        machine.driver.identify(0, "somebody")
    with pytest.raises(MachineError, match=r"BUILD_HASH reads 0x0{8}, the .* says .*: \(build\)$"):
        machine.driver.check_build(1, "the manifest")
    assert not machine.written


def test_values_that_no_register_takes() -> None:
    machine = ScriptedMachine(IDLE)
    with pytest.raises(ParameterError, match="cycle_limit"):
        Launch(0, 1, (0, 1), 0)
    for value in (-1, 1 << 32):
        with pytest.raises(ParameterError, match="register value"):
            machine.driver.registers.write(5, value)
    for address in (-1, 1024):
        with pytest.raises(ParameterError, match="register address"):
            machine.driver.registers.read(address)
    assert not machine.seen
