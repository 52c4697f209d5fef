"""Programs on the machine: start one, wait for its end, report what went wrong, mend it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from fractrain.host.driver.bus import Bus, Clock
from fractrain.host.driver.registers import EngineRegisters
from fractrain.host.driver.table import PrecisionTable
from fractrain.host.machine.work import CYCLE_CAUSES, MachineWork, program_work
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import (
    BUILD_HASH,
    CAUSE,
    CLEAR_COUNTERS,
    CONTROL,
    DONE,
    DRAINING,
    FAULT,
    FAULT_INDEX,
    ID,
    IDENTITY,
    IDLE,
    INTERRUPT,
    INTERRUPT_ENABLE,
    INTERRUPT_ENABLED,
    INTERRUPT_PENDING,
    PROGRAM_ADDRESS,
    PROGRAM_COMMANDS,
    RESET,
    START,
    STATUS,
    WATCHDOG,
    WINDOW_FIRST,
    WINDOW_LAST,
)

__all__ = ["Driver", "Ended", "Launch", "Running"]

WATCHDOG_CYCLES = 1 << 20
"""Cycles for an answer of memory, as after a reset; the machine stops by itself before the driver
gives up."""

RESET_PAUSES = tuple(16 << step for step in range(13))
"""Cycles between checks whether the machine has come to rest. Memory answers within microseconds,
if at all. Pauses are counted, not timed: time without being scheduled is no waiting."""


@dataclass(frozen=True)
class Launch:
    """A program in memory: ``commands`` commands from byte ``address`` on.

    window : first and last byte that the machine may touch
    cycle_limit : a good run takes no more cycles than that; at least 1
    """

    address: int
    commands: int
    window: tuple[int, int]
    cycle_limit: int

    def __post_init__(self) -> None:
        if self.cycle_limit < 1:
            raise ParameterError("cycle_limit", self.cycle_limit, "at least 1")


@dataclass(frozen=True)
class Running:
    """A running program; the clock ``before`` START was written, and after it had ``begun``."""

    launch: Launch
    before: float
    begun: float


@dataclass(frozen=True)
class Ended:
    """A program that has ended.

    elapsed : cycles from the one after START was written to the one with the interrupt
    most : the most cycles the machine can have had, with the time of writing START
    """

    elapsed: float
    most: float


class Driver:
    """Runs programs on the machine behind ``bus``; nothing in it waits without a limit.

    Nothing else accesses the machine's registers. No register is accessed while ``clock.check``
    raises.

    registers, table : the machine's
    watchdog_cycles : how long memory may owe the machine an answer
    """

    def __init__(self, bus: Bus, clock: Clock, parameters: Parameters) -> None:
        self._bus, self._clock = bus, clock
        self.registers = EngineRegisters(bus)
        self.table = PrecisionTable(self.registers, parameters)
        self.watchdog_cycles = WATCHDOG_CYCLES

    # -- which machine this is -----------------------------------------------------------------

    def identify(self, build: int, source: str) -> None:
        """Raise `MachineError` unless this is the machine of ``build``, which ``source`` names;
        then stop what an earlier process has left running."""
        self.check_identity()
        self.check_build(build, source)
        self.stop()

    def check_identity(self) -> None:
        """Raise `MachineError` unless a FracTrain engine answers."""
        found = self.registers.read(ID)
        if found != IDENTITY:
            raise MachineError(
                f"register ID reads 0x{found:08X} instead of 0x{IDENTITY:08X}: "
                f"{self._bus.advice.other_machine}"
            )

    def check_build(self, build: int, source: str) -> None:
        """Raise `MachineError` unless BUILD_HASH is ``build``, which ``source`` names."""
        found = self.registers.read(BUILD_HASH)
        if found != build:
            raise MachineError(
                f"register BUILD_HASH reads 0x{found:08X}, {source} says 0x{build:08X}: "
                f"{self._bus.advice.other_build}"
            )

    # -- programs ------------------------------------------------------------------------------

    def execute(self, launch: Launch) -> MachineWork:
        """`run` and `measure` it."""
        return self.measure(self.run(launch))

    def run(self, launch: Launch) -> Ended:
        """Run a program to its end.

        Raises `EngineFault` if the machine stops, `MachineError` if the program does not end in
        time (`Clock.patience`) or its interrupt does not come. The machine is then reset, also if
        the wait is interrupted.
        """
        return self.finish(self.start(launch))

    def start(self, launch: Launch) -> Running:
        """Start a program, with nothing left of the one before: no counts, no interrupt.

        Raises `MachineError` if the machine is not idle, before anything is written.
        """
        self.require_idle()
        for register, value in (
            (WATCHDOG, self.watchdog_cycles),
            (WINDOW_FIRST, launch.window[0]),
            (WINDOW_LAST, launch.window[1]),
            (PROGRAM_ADDRESS, launch.address),
            (PROGRAM_COMMANDS, launch.commands),
            (INTERRUPT, INTERRUPT_PENDING.insert(1)),
            (INTERRUPT_ENABLE, INTERRUPT_ENABLED.insert(1)),
            (CONTROL, CLEAR_COUNTERS.insert(1)),
        ):
            self.registers.write(register, value)
        self._bus.wait(0)  # one that was counted before
        self._bus.listen()
        before = self._clock.now()
        try:
            self.registers.write(CONTROL, START.insert(1))
            return Running(launch, before, self._clock.now())
        except BaseException:
            self._abandon()
            raise

    def finish(self, running: Running) -> Ended:
        """Wait for the end of a started program; raises as `run` does."""
        limit = self._clock.patience(running.launch.cycle_limit, self.watchdog_cycles)
        try:
            came, ended, status = self._wait(running.begun + limit)
        except BaseException:
            self._abandon()
            raise
        self.registers.write(INTERRUPT, INTERRUPT_PENDING.insert(1))
        elapsed = ended - running.begun
        if came and DONE.extract(status) and not FAULT.extract(status):
            return Ended(elapsed, ended - running.before)
        error = self._failure(came, status, elapsed)
        if trouble := self.reset():
            raise MachineError(f"{error}; {trouble}") from error
        raise error

    def measure(self, run: Ended) -> MachineWork:
        """The last program, by the machine's counters.

        Raises `MachineError` if they say that the clock was too fast.
        """
        clock = self._clock
        work = program_work(
            self.registers.counters(),
            cycles=round(run.elapsed) if clock.exact else None,
            seconds=run.most / clock.hz if clock.real else 0.0,
        )
        clock.check_pace(work.total.cycles, run.most)
        return work

    def counted_cycles(self) -> int:
        """Cycles of the last program so far, by the machine's counters."""
        counters = self.registers.counters().values()
        return sum(each[name] for each in counters for name in CYCLE_CAUSES)

    def _wait(self, deadline: float) -> tuple[bool, float, int]:
        """Whether the program's interrupt came, when, and STATUS at that time. Spurious interrupts
        are ignored."""
        while True:
            came = self._bus.wait(max(0.0, deadline - self._clock.now()))
            ended = self._clock.now()
            self._clock.check()
            status = self.registers.read(STATUS)
            if not came or DONE.extract(status) or FAULT.extract(status):
                return came, ended, status
            self._bus.listen()
            if self._clock.now() >= deadline:
                return False, self._clock.now(), status

    def _abandon(self) -> None:
        """Stop an abandoned program: its memory may be reused next."""
        self._clock.check()
        with suppress(MachineError):  # the caller already raises one
            self.reset()

    def _failure(self, came: bool, status: int, elapsed: float) -> MachineError:
        if FAULT.extract(status):
            index = self.registers.read(FAULT_INDEX)
            return EngineFault(CAUSE.extract(status), index, self.counted_cycles())
        within = self._clock.describe(elapsed)
        if DONE.extract(status) and not came:
            return MachineError(
                f"the program has ended (STATUS 0x{status:08X}) but no interrupt came within "
                f"{within}: {self._bus.advice.no_interrupt}"
            )
        seen = ", ".join(filter(None, (f"STATUS 0x{status:08X}", self._bus.observed())))
        return MachineError(f"no end within {within}: {seen}; {self._activity()}")

    def _activity(self) -> str:
        """The counters that are not 0."""
        shown = [
            f"{tag.name}_{name} {value}"
            for tag, counters in self.registers.counters().items()
            for name, value in counters.items()
            if value
        ]
        return "counters: " + (", ".join(shown) or "all 0")

    # -- between programs ----------------------------------------------------------------------

    def require_idle(self) -> None:
        """Raise `MachineError` while the machine may still touch the memory, or if its clock is not
        right."""
        self._clock.check()
        status = self.registers.read(STATUS)
        if not _at_rest(status):
            raise MachineError(
                f"the machine is not idle (STATUS 0x{status:08X}): memory owes answers to an "
                f"earlier program; {self._bus.advice.stuck}"
            )

    def stop(self) -> None:
        """Stop what an earlier process has left running; `MachineError` if that does not end."""
        if trouble := self.reset():
            raise MachineError(f"the machine is {trouble}")

    def stays_quiet(self, cycles: float) -> bool:
        """Whether no interrupt comes for so long, although one is let through."""
        self._bus.listen()
        return not self._bus.wait(cycles)

    def reset(self) -> str:
        """Stop the machine and wait until its ports are quiet; '' or what is wrong if they are not
        in time. The table's entries count as unknown afterwards."""
        self.table.forget()
        self.registers.write(CONTROL, RESET.insert(1))
        for pause in (*RESET_PAUSES, 0):
            status = self.registers.read(STATUS)
            if _at_rest(status):
                return ""
            if pause:
                self._clock.sleep(pause)
        return (
            f"not idle {self._clock.describe(sum(RESET_PAUSES))} after a reset (STATUS "
            f"0x{status:08X}): memory owes answers, so the buffer must not be touched; "
            f"{self._bus.advice.stuck}"
        )


def _at_rest(status: int) -> bool:
    """No program runs, and memory owes nothing."""
    return bool(IDLE.extract(status)) and not DRAINING.extract(status)
