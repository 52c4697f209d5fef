"""Programs on the machine: start one, meet it on the way, wait for its end, report what went wrong,
mend it."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from fractrain.host.driver.bus import Bus, Clock
from fractrain.host.driver.launch import Ended, Launch, Running
from fractrain.host.driver.registers import Counts, EngineRegisters
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
    HOST_GIVE,
    HOST_TOKENS,
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
    SEED_HIGH,
    SEED_LOW,
    START,
    STATUS,
    STEP_HIGH,
    STEP_LOW,
    WATCHDOG,
    WINDOW_FIRST,
    WINDOW_LAST,
)

__all__ = ["Driver", "Ended", "Launch", "Running"]

WATCHDOG_CYCLES = 1 << 20
"""Cycles for an answer of memory, as after a reset; the machine stops by itself before the driver
gives up."""

IDLE_WATCHDOGS = 4
"""For so many times the watchdog's cycles a program that meets the host may do no work at all."""

WORK = (
    *("BUSY", "BYTES_READ", "BYTES_WRITTEN"),
    *("VECTOR_BUSY", "VECTOR_CHANNEL", "STASH_READ", "STASH_WRITTEN"),
)
"""Counters of what is done; all others count waiting."""

RESET_PAUSES = tuple(16 << step for step in range(13))
"""Cycles between checks whether the machine has come to rest. Memory answers within microseconds,
if at all. Pauses are counted, not timed: time without being scheduled is no waiting."""


class _Seen(NamedTuple):
    """Whether the program's interrupt came, when, and STATUS and tokens for the host at that
    time."""

    came: bool
    ended: float
    status: int
    tokens: int

    @property
    def over(self) -> bool:
        return bool(DONE.extract(self.status) or FAULT.extract(self.status))


class Driver:
    """Runs programs on the machine behind ``bus``; nothing in it waits without a limit.

    Nothing else accesses the machine's registers. No register is accessed while ``clock.check``
    raises.

    registers, table : the machine's
    watchdog_cycles : how long memory may owe the machine an answer
    """

    def __init__(self, bus: Bus, clock: Clock, parameters: Parameters) -> None:
        self._bus, self._clock = bus, clock
        self.registers = EngineRegisters(bus, with_unit=parameters.vector is not None)
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
        if running.launch.cycle_limit is None:
            raise ParameterError("cycle_limit", None, "a limit, or the program is followed by meet")
        limit = self._clock.patience(running.launch.cycle_limit, self.watchdog_cycles)
        try:
            seen = self._wait(running.begun + limit)
        except BaseException:
            self._abandon()
            raise
        return self._end(running, seen)

    def _end(self, running: Running, seen: _Seen, trouble: str = "") -> Ended:
        """The end of a program, or the error that it is; ``trouble``: of a program that does not
        end, by default that it takes too long."""
        self.registers.write(INTERRUPT, INTERRUPT_PENDING.insert(1))
        elapsed = seen.ended - running.begun
        if seen.came and DONE.extract(seen.status) and not FAULT.extract(seen.status):
            return Ended(elapsed, seen.ended - running.before)
        error = self._failure(seen, elapsed, trouble)
        if unrest := self.reset():
            raise MachineError(f"{error}; {unrest}") from error
        raise error

    def measure(self, run: Ended, counts: Counts | None = None) -> MachineWork:
        """The last program, by the machine's counters, ``counts`` if they have been read.

        Raises `MachineError` if they say that the clock was too fast.
        """
        clock = self._clock
        work = program_work(
            self.registers.counters() if counts is None else counts,
            cycles=round(run.elapsed) if clock.exact else None,
            seconds=run.most / clock.hz if clock.real else 0.0,
        )
        clock.check_pace(work.total.cycles, run.most)
        return work

    def counted_cycles(self) -> int:
        """Cycles of the last program so far, by the machine's counters."""
        counters = self.registers.counters().values()
        return sum(each[name] for each in counters for name in CYCLE_CAUSES)

    # -- programs that meet the host -----------------------------------------------------------

    def set_rounding(self, seed: int, step: int) -> None:
        """Seed and step of the random bits of programs from now on."""
        self.registers.write_pair(SEED_LOW, SEED_HIGH, seed)
        self.registers.write_pair(STEP_LOW, STEP_HIGH, step)

    def meet(self, running: Running) -> Ended | None:
        """Wait until a started program gives the host a token, which is taken (None), or ends.

        However long that takes, the program must go on: raises `MachineError` if the machine does
        nothing for `IDLE_WATCHDOGS`, and else as `run` does.
        """
        idle = IDLE_WATCHDOGS * self.watchdog_cycles
        patience = self._clock.patience(idle, self.watchdog_cycles)
        done: int | None = None
        try:
            while True:
                seen = self._wait(self._clock.now() + patience, tokens=True)
                if not seen.came and (seen.over or seen.tokens):  # it may just have happened
                    seen = seen._replace(came=self._bus.wait(patience))
                if seen.came or seen.over or seen.tokens:
                    break
                before, done = done, self._work_done()
                if before == done:
                    break
            if seen.came and seen.tokens and not FAULT.extract(seen.status):
                self.registers.write(HOST_TOKENS, 1)
                self._bus.listen()
                return None
        except BaseException:
            self._abandon()
            raise
        nothing = f"nothing was done for {self._clock.describe(patience)}"
        return self._end(running, seen, nothing)

    def give(self, tokens: int) -> None:
        """Give the running program tokens of the host; it is stopped if that fails."""
        try:
            self._clock.check()
            self.registers.write(HOST_GIVE, tokens)
        except BaseException:
            self._abandon()
            raise

    def _work_done(self) -> int:
        """Grows while the machine does anything."""
        return sum(
            count
            for each in self.registers.counters().values()
            for name, count in each.items()
            if name in WORK
        )

    # -- waiting, and what goes wrong ----------------------------------------------------------

    def _wait(self, deadline: float, *, tokens: bool = False) -> _Seen:
        """Until the program ends or, with ``tokens``, gives the host some. Spurious interrupts are
        ignored."""
        while True:
            came = self._bus.wait(max(0.0, deadline - self._clock.now()))
            ended = self._clock.now()
            self._clock.check()
            status = self.registers.read(STATUS)
            given = self.registers.read(HOST_TOKENS) if tokens else 0
            seen = _Seen(came, ended, status, given)
            if not came or seen.over or given:
                return seen
            self._bus.listen()
            if self._clock.now() >= deadline:
                return _Seen(False, self._clock.now(), status, given)

    def _abandon(self) -> None:
        """Stop an abandoned program: its memory may be reused next."""
        self._clock.check()
        with suppress(MachineError):  # the caller already raises one
            self.reset()

    def _failure(self, seen: _Seen, elapsed: float, trouble: str) -> MachineError:
        status = seen.status
        if FAULT.extract(status):
            index = self.registers.read(FAULT_INDEX)
            return EngineFault(CAUSE.extract(status), index, self.counted_cycles())
        within = self._clock.describe(elapsed)
        if (DONE.extract(status) or seen.tokens) and not seen.came:
            did = "has ended" if DONE.extract(status) else "waits for the host"
            return MachineError(
                f"the program {did} (STATUS 0x{status:08X}) but no interrupt came within "
                f"{within}: {self._bus.advice.no_interrupt}"
            )
        state = ", ".join(filter(None, (f"STATUS 0x{status:08X}", self._bus.observed())))
        trouble = trouble or f"no end within {within}"
        return MachineError(f"{trouble}: {state}; {self._activity()}")

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
