"""Measured work of a machine: its counters by pass, and by program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fractrain.host.machine.counters import Counters
from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.precision import Precision

if TYPE_CHECKING:
    from fractrain.host.compiler import Program

CYCLE_CAUSES = (
    *("BUSY", "STALL_OPERAND", "STALL_RESULT", "STALL_MEMORY", "STALL_TOKEN", "OTHER_CYCLES"),
)
"""Counters of `hw.contract.registers`: exactly one of them counts each cycle of a program."""


@dataclass(frozen=True)
class MachineWork:
    """Counters by pass, added up over ``programs`` programs.

    ``passes``: in the cycles of a pass the array worked for it or waited for its operands;
    `Tag.OTHER` has the command stream's bytes and the cycles without a command for the array.
    ``seconds``: wall clock from a program's start to its end, 0 in a simulation, where cycles take
    no real time.
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
        """The work since ``other``."""
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

    ``cycles`` from start to interrupt, if counted outside: cycles that the counters do not explain
    (a handful at both ends) go to `Tag.OTHER`, so that passes add up.
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
        bytes_in=found["BYTES_READ"] + found.get("STASH_READ", 0),
        bytes_out=found["BYTES_WRITTEN"] + found.get("STASH_WRITTEN", 0),
        stall_operand=found["STALL_OPERAND"],
        stall_result=found["STALL_RESULT"],
        stall_memory=found["STALL_MEMORY"],
        stall_token=found["STALL_TOKEN"],
    )


@dataclass(frozen=True)
class ProgramRun:
    """One program that a machine has run, with its work there and on the host.

    ``pack_seconds``, ``run_seconds``, ``unpack_seconds``: wall clock of packing the memory image,
    running the program, and reading the results.
    """

    program: Program
    precisions: Mapping[int, Precision]
    work: MachineWork
    pack_seconds: float
    run_seconds: float
    unpack_seconds: float
