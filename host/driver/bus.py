"""What the driver is handed: the way to a machine, and the time that passes there.

All times are cycles of the machine's clock. A simulation counts them; a processor that cannot see
that clock takes its own, times the frequency that the machine's has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Advice", "Bus", "Clock"]


@dataclass(frozen=True)
class Advice:
    """What to do where this machine is, for the end of an error's line.

    other_machine : ID is not that of a FracTrain engine
    other_build : BUILD_HASH is not the one that is wanted
    no_interrupt : a program has ended, its interrupt has not come
    stuck : the machine does not come to rest, because memory owes it answers
    """

    other_machine: str
    other_build: str
    no_interrupt: str
    stuck: str


class Bus(Protocol):
    """The machine's registers and its interrupt.

    ``advice`` ends the driver's messages. Each method raises `MachineError` (`hw.contract.errors`)
    if the machine does not answer as it must.
    """

    advice: Advice

    def read(self, address: int) -> int:
        """The register at word ``address``; one access of a whole word."""

    def write(self, address: int, value: int) -> None:
        """Write the register at word ``address``."""

    def listen(self) -> None:
        """Let the next interrupt through: one is let through for each call."""

    def wait(self, cycles: float) -> bool:
        """Whether an interrupt has come since the last call, or comes within ``cycles`` cycles.

        Never waits longer, whatever the machine does.
        """

    def observed(self) -> str:
        """What the far side of the bus has seen of the program, in words; '' if it sees nothing."""


class Clock(Protocol):
    """Time, in cycles of the machine's clock.

    hz : its frequency
    exact : whether the cycles are the machine's own, counted one by one
    real : whether they pass in the world: seconds of a simulation are nobody's
    """

    hz: float
    exact: bool
    real: bool

    def now(self) -> float:
        """Cycles since some moment; only goes forward."""

    def sleep(self, cycles: float) -> None:
        """Let time pass."""

    def patience(self, cycle_limit: int, watchdog_cycles: int) -> float:
        """How long to wait for the end of a program that takes ``cycle_limit`` cycles at most,
        whose machine gives up by itself when memory owes an answer ``watchdog_cycles`` long."""

    def describe(self, cycles: float) -> str:
        """A time in the words of whoever reads this clock: "0.25 s", or "500 cycles"."""

    def check(self) -> None:
        """Raise `MachineError` if the machine's clock is not right: a register that is accessed
        then might never answer, and what was computed is not to be trusted."""

    def check_pace(self, counted: int, elapsed: float) -> None:
        """Raise `MachineError` if the machine has ``counted`` more cycles of a program than can
        have ``elapsed``."""
