"""A machine that answers what a test has written down, to see what the driver does then."""

from __future__ import annotations

from fractrain.host.driver import Advice, Driver, Ended, Launch
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.registers import CONTROL, FAULT_INDEX, REGISTERS, STATUS

TINY = load_parameters("tiny")
IDLE, DONE, FAULT, DRAINING = 1, 2, 4, 8
NAMES = {each.address: each.name for each in REGISTERS}
LAUNCH = Launch(0x1000, 3, (0x1000, 0x1FFF), 1000)
INTERRUPT_CYCLES = 200
PATIENCE = 50_000


class ScriptedMachine:
    """Bus and clock in one.

    states : what STATUS reads, the last for ever; before START it is idle
    interrupts : how many come after START, `INTERRUPT_CYCLES` after each other
    stale : an interrupt of before has been counted, and the next `wait` takes it
    right : how often the clock is right when it is checked
    seen : everything that was done, in order
    """

    advice = Advice("(machine)", "(build)", "(line)", "(stuck)")
    hz, exact, real = 200e6, False, True

    def __init__(
        self, *states: int, interrupts: int = 1, stale: bool = False, right: int = 1 << 30
    ) -> None:
        self.states, self.interrupts, self.stale, self.right = (
            list(states),
            interrupts,
            stale,
            right,
        )
        self.time = 0.0
        self.started = False
        self.seen: list[str] = []
        self.driver = Driver(self, self, TINY)

    # -- bus ---------------------------------------------------------------------------------------

    def read(self, address: int) -> int:
        self.seen.append(f"read {NAMES.get(address, address)}")
        if address == STATUS.address:
            if not self.started:
                return IDLE
            return self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return 17 if address == FAULT_INDEX.address else 0

    def write(self, address: int, value: int) -> None:
        self.seen.append(f"write {NAMES.get(address, address)} {value}")
        self.started |= (address, value) == (CONTROL.address, 1)

    def listen(self) -> None:
        self.seen.append("listen")

    def wait(self, cycles: float) -> bool:
        self.seen.append("wait")
        if self.stale or not self.started:
            came, self.stale = self.stale, False
            return came
        if self.interrupts:
            self.interrupts -= 1
            self.time += INTERRUPT_CYCLES
            return True
        self.time += cycles
        return False

    def observed(self) -> str:
        return "5 beats"

    # -- clock -------------------------------------------------------------------------------------

    def now(self) -> float:
        return self.time

    def sleep(self, cycles: float) -> None:
        self.time += cycles

    def patience(self, cycle_limit: int, watchdog_cycles: int) -> float:
        return PATIENCE

    def describe(self, cycles: float) -> str:
        return f"{cycles:.0f} ticks"

    def check(self) -> None:
        self.right -= 1
        if self.right < 0:
            self.seen.append("wrong clock")
            raise WrongClock("the clock has changed")

    def check_pace(self, counted: int, elapsed: float) -> None:
        self.seen.append(f"pace {counted} {elapsed:.0f}")

    # -- what a test asks --------------------------------------------------------------------------

    def run(self) -> Ended:
        return self.driver.run(LAUNCH)

    @property
    def written(self) -> list[str]:
        """Writes, in order."""
        return [each.removeprefix("write ") for each in self.seen if each.startswith("write ")]


class WrongClock(Exception):
    """Of the machine."""
