"""The machine as its registers are meant (`hw.contract.registers`), without what computes.

What the next program does is written down in `EngineDouble.program`. An access takes `ACCESS`
cycles.
"""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.host.driver import Advice, Driver, Launch
from fractrain.hw.contract.commands import Fault, Tag
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.registers import (
    BUILD_HASH,
    CLEAR_COUNTERS,
    CONTROL,
    COUNTERS,
    FAULT_INDEX,
    ID,
    IDENTITY,
    INTERRUPT,
    INTERRUPT_ENABLE,
    RESET,
    START,
    STATUS,
    TABLE_BASE,
)

TINY = load_parameters("tiny")
ACCESS = 4
BUILD = 0xF00D
BUSY = next(each for each in COUNTERS if each.name == "BUSY").address(Tag.FORWARD)
FOREVER = 1 << 60


@dataclass(frozen=True)
class Program:
    """It ends ``cycles`` after START, with ``fault`` at command ``index`` if there is one; memory
    owes answers for ``drain`` cycles after a reset. ``strays``: when the line goes up before that
    although nothing has ended."""

    cycles: int = 100
    fault: Fault = Fault.NONE
    index: int = 0
    drain: int = 0
    strays: tuple[int, ...] = ()


class EngineDouble:
    """Bus and clock of such a machine.

    masks : whether the line is behind an interrupt controller, which lets one through for each
        `listen` and counts it (a board), or seen itself (a simulation)
    deaf : the line does not arrive
    """

    advice = Advice("(machine)", "(build)", "(line)", "(stuck)")
    hz, exact, real = 200e6, True, False

    def __init__(self, *, masks: bool) -> None:
        self.masks, self.deaf = masks, False
        self.program = Program()
        self.time = 0
        self.words: dict[int, int] = {}
        self.table = {slot: 0 for slot in range(TINY.precision.slots)}
        self.started: list[Launch] = []
        self.table_writes = 0
        self._running: Program | None = None
        self._began = self._counted_from = self._busy = self._drained = 0
        self._done = self._pending = self._unmasked = self._counted = False
        self._fault = Fault.NONE
        self._strays: list[int] = []
        self.driver = Driver(self, self, TINY)

    # -- what happens by itself --------------------------------------------------------------------

    def _pass(self, until: int) -> None:
        """Let the time come, with all that happens before."""
        if self._running is not None:
            end = self._began + self._running.cycles
            while self._strays and self._began + self._strays[0] <= min(until, end):
                self._strays.pop(0)
                self._pending = True
                self._look()
            if end <= until:
                self._busy += self._running.cycles
                self._fault, self._done = self._running.fault, not self._running.fault
                self._drained = end + (self._running.drain if self._running.fault else 0)
                self._running, self._pending = None, True
        self.time = max(self.time, until)
        self._look()

    def _look(self) -> None:
        """The interrupt controller looks at the line."""
        if self._line and self._unmasked:
            self._unmasked, self._counted = False, True

    @property
    def _line(self) -> bool:
        return self._pending and bool(self.words.get(INTERRUPT_ENABLE.address)) and not self.deaf

    @property
    def idle(self) -> bool:
        """At rest: no program, and memory owes nothing."""
        return self._running is None and self.time >= self._drained

    # -- bus ---------------------------------------------------------------------------------------

    def read(self, address: int) -> int:
        self._pass(self.time + ACCESS)
        if address >= TABLE_BASE:
            return self.table[address - TABLE_BASE]
        known = {
            ID.address: IDENTITY,
            BUILD_HASH.address: BUILD,
            STATUS.address: self._status(),
            FAULT_INDEX.address: self.program.index,
            BUSY: self._busy,
        }
        return known.get(address, self.words.get(address, 0) if address < 64 else 0)

    def _status(self) -> int:
        draining = self.time < self._drained
        state = self.idle | self._done << 1 | bool(self._fault) << 2 | draining << 3
        return state | self._fault << 8

    def write(self, address: int, value: int) -> None:
        self._pass(self.time + ACCESS)
        if address >= TABLE_BASE:
            self.table[address - TABLE_BASE] = value
            self.table_writes += 1
        elif address == CONTROL.address:
            self._control(value)
        elif address == INTERRUPT.address:
            self._pending &= not value & 1
        else:
            self.words[address] = value

    def _control(self, value: int) -> None:
        if CLEAR_COUNTERS.extract(value):
            self._busy = 0
        if RESET.extract(value):
            if self._running is not None:
                self._drained = self.time + self._running.drain
            self._running, self._done, self._fault = None, False, Fault.NONE
        if START.extract(value):
            assert self.idle, "START is ignored"
            self._running, self._began = self.program, self.time
            self._strays = sorted(self.program.strays)
            self._done, self._fault = False, Fault.NONE
            first, commands = (self.words[each] for each in (7, 8))
            self.started.append(Launch(first, commands, (self.words[5], self.words[6]), 1))

    def listen(self) -> None:
        self._unmasked = True
        self._look()

    def wait(self, cycles: float) -> bool:
        end = self.time + int(cycles)
        while not (self._counted if self.masks else self._line) and self.time < end:
            self._pass(min(end, self._next_event()))
        came, self._counted = (self._counted if self.masks else self._line), False
        return came

    def _next_event(self) -> int:
        if self._running is None:
            return FOREVER
        return self._began + min([self._running.cycles, *self._strays])

    def observed(self) -> str:
        return ""

    # -- clock -------------------------------------------------------------------------------------

    def now(self) -> float:
        return self.time

    def sleep(self, cycles: float) -> None:
        self._pass(self.time + int(cycles))

    def patience(self, cycle_limit: int, watchdog_cycles: int) -> float:
        return cycle_limit

    def describe(self, cycles: float) -> str:
        return f"{cycles:.0f} cycles"

    def check(self) -> None:
        """Always right."""

    def check_pace(self, counted: int, elapsed: float) -> None:
        """Always right."""
