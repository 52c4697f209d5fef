"""The driver's way to a machine: its bus, and its clock.

All times are cycles of the machine's clock. A simulation counts them; a processor, which cannot see
that clock, converts its own time by the machine's frequency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Advice", "Bus", "Clock"]


@dataclass(frozen=True)
class Advice:
    """Advice for errors, by the place of the machine.

    other_machine : for an ID of another machine than a FracTrain engine
    other_build : for another BUILD_HASH
    no_interrupt : for a program that has ended without its interrupt
    stuck : for a machine that does not come to rest, because memory owes it answers
    """

    other_machine: str
    other_build: str
    no_interrupt: str
    stuck: str


class Bus(Protocol):
    """The machine's registers and its interrupt.

    ``advice`` ends the driver's messages. Each method raises `MachineError` (`hw.contract.errors`)
    if the machine does not answer properly.
    """

    advice: Advice

    def read(self, address: int) -> int:
        """The register at word ``address``; one access of a whole word."""

    def write(self, address: int, value: int) -> None:
        """Write the register at word ``address``."""

    def listen(self) -> None:
        """Let one interrupt through for each call."""

    def wait(self, cycles: float) -> bool:
        """Whether an interrupt has come since the last call, or comes within ``cycles`` cycles.

        Never waits longer.
        """

    def observed(self) -> str:
        """The far side's view of the program, in words; '' if it has none."""


class Clock(Protocol):
    """Time, in cycles of the machine's clock.

    hz : its frequency
    exact : whether the cycles are the machine's own, counted one by one
    real : whether seconds of it are seconds of the world, unlike in a simulation
    """

    hz: float
    exact: bool
    real: bool

    def now(self) -> float:
        """Cycles since a fixed moment; never goes back."""

    def sleep(self, cycles: float) -> None:
        """Let time pass."""

    def patience(self, cycle_limit: int, watchdog_cycles: int) -> float:
        """How long to wait for the end of a program of at most ``cycle_limit`` cycles, on a machine
        that gives up by itself when memory owes an answer for ``watchdog_cycles``."""

    def describe(self, cycles: float) -> str:
        """A time in the unit of this clock: "0.25 s", or "500 cycles"."""

    def check(self) -> None:
        """Raise `MachineError` if the machine's clock is not right: a register access might never
        end, and results cannot be trusted."""

    def check_pace(self, counted: int, elapsed: float) -> None:
        """Raise `MachineError` if the machine has ``counted`` more cycles than can have
        ``elapsed``."""
