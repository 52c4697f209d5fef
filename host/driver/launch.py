"""A program on the machine: where it is, when it began, when it ended."""

from __future__ import annotations

from dataclasses import dataclass

from fractrain.hw.contract.errors import ParameterError

__all__ = ["Ended", "Launch", "Running"]


@dataclass(frozen=True)
class Launch:
    """A program in memory: ``commands`` commands from byte ``address`` on.

    window : first and last byte that the machine may touch
    cycle_limit : a good run takes no more cycles than that; at least 1. None: it is followed by
        `Driver.meet`, which looks whether it goes on
    """

    address: int
    commands: int
    window: tuple[int, int]
    cycle_limit: int | None

    def __post_init__(self) -> None:
        if self.cycle_limit is not None and self.cycle_limit < 1:
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
