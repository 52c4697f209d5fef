"""What a machine was measured to do: its counters pass by pass, and program by program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fractrain.host.counters import Counters
from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.precision import Precision

if TYPE_CHECKING:
    from fractrain.host.compiler import Program

CYCLE_CAUSES = (
    *("BUSY", "STALL_OPERAND", "STALL_RESULT", "STALL_MEMORY", "STALL_TOKEN", "OTHER_CYCLES"),
)
"""Counters of `hw.contract.registers` of which exactly one counts each cycle of a program."""


@dataclass(frozen=True)
class MachineWork:
    """Counters by the pass that they are of, added up over ``programs`` programs.

    ``passes``: the cycles of a pass are those in which the array worked for it or waited for what
    it needs; `Tag.OTHER` has the command stream's bytes and the cycles that no command for the
    array was there. ``seconds``: wall clock from a program's start to its end, 0 where the
    machine's clock is not the world's (a simulation).
    """

    passes: Mapping[Tag, Counters] = field(default_factory=dict)
    programs: int = 0
    seconds: float = 0.0

    @property
    def total(self) -> Counters:
        """Over all passes."""
        return sum(self.passes.values(), start=Counters())

    def __add__(self, other: MachineWork) -> MachineWork:
        tags = [tag for tag in Tag if tag in self.passes or tag in other.passes]
        return MachineWork(
            {tag: self.of(tag) + other.of(tag) for tag in tags},
            self.programs + other.programs,
            self.seconds + other.seconds,
        )

    def __sub__(self, other: MachineWork) -> MachineWork:
        """What was done since ``other``."""
        return MachineWork(
            {tag: self.of(tag) - other.of(tag) for tag in Tag if tag in self.passes},
            self.programs - other.programs,
            self.seconds - other.seconds,
        )

    def of(self, tag: Tag) -> Counters:
        """The counters of one pass."""
        return self.passes.get(tag, Counters())


def program_work(
    counters: Mapping[Tag, Mapping[str, int]], *, cycles: int | None = None, seconds: float = 0.0
) -> MachineWork:
    """The work of one program, from the machine's ``counters`` by tag and by register name.

    ``cycles`` from start to interrupt, where somebody outside has counted them: what the counters
    do not explain (a handful at both ends) is then `Tag.OTHER`'s, so that passes add up to it.
    """
    passes = {tag: _counters(each) for tag, each in counters.items()}
    if cycles is not None:
        rest = cycles - sum(each.cycles for each in passes.values())
        passes[Tag.OTHER] = passes.get(Tag.OTHER, Counters()) + Counters(cycles=rest)
    return MachineWork(passes, 1, seconds)


def _counters(found: Mapping[str, int]) -> Counters:
    return Counters(
        cycles=sum(found[name] for name in CYCLE_CAUSES),
        busy_cycles=found["BUSY"],
        bytes_in=found["BYTES_READ"],
        bytes_out=found["BYTES_WRITTEN"],
        stall_operand=found["STALL_OPERAND"],
        stall_result=found["STALL_RESULT"],
        stall_memory=found["STALL_MEMORY"],
        stall_token=found["STALL_TOKEN"],
    )


@dataclass(frozen=True)
class ProgramRun:
    """One program that a machine has run: what it was, what it took there, and on the host.

    ``pack_seconds``, ``run_seconds``, ``unpack_seconds``: wall clock of the host while it made the
    memory image, had the program run, and read the results.
    """

    program: Program
    precisions: Mapping[int, Precision]
    work: MachineWork
    pack_seconds: float
    run_seconds: float
    unpack_seconds: float
