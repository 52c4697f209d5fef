"""What a program is to do, before it is put in order: commands, with what they read and write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fractrain.host.compiler.whole_step.partition import Partition
from fractrain.host.compiler.whole_step.stream import Span
from fractrain.hw.contract.commands import Command, Shape, Stage, opcode_of

HOST = "host"
"""What the host reads behind its tokens, and what it writes before its own."""


@dataclass(frozen=True, eq=False, slots=True)
class Entry:
    """A command, the spans it reads and writes, and whether it takes a token of the host, or gives
    it one."""

    command: Command
    stage: Stage
    reads: tuple[Span, ...]
    writes: tuple[Span, ...]
    wait_host: bool
    signal_host: bool


class Recording:
    """Entries in an order in which they could be carried out one after the other."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self.entries)

    def add(
        self,
        command: Command,
        reads: Iterable[Span] = (),
        writes: Iterable[Span] = (),
        *,
        wait_host: bool = False,
        signal_host: bool = False,
    ) -> None:
        """Append ``command``."""
        stage = opcode_of(command).stage
        assert stage is not None
        read, written = [*reads], [*writes]
        if wait_host or signal_host:
            written.append((HOST, 0, 1))
        if isinstance(command, Shape):
            written.append(("shapes", command.entry, command.entry + 1))
        elif (entry := getattr(command, "shape", None)) is not None:
            read.append(("shapes", entry, entry + 1))
        self.entries.append(
            Entry(command, stage, tuple(read), tuple(written), wait_host, signal_host)
        )


class _Accesses:
    """Of a memory, as lists: the last writer of each part, and its readers since."""

    def __init__(self) -> None:
        self._parts: Partition[list[int]] = Partition([-1], list)

    def read(self, start: int, end: int, reader: int) -> set[int]:
        """Writers of a part."""
        parts = self._parts.within(start, end)
        for part in parts:
            part.append(reader)
        return {part[0] for part in parts}

    def write(self, start: int, end: int, writer: int) -> set[int]:
        """Those of which any has used a part since it was written, or has written it."""
        before = self._parts.replace(start, end, [writer])
        return {each for part in before for each in part}


def dependencies(entries: Iterable[Entry]) -> list[set[int]]:
    """Of each entry, those that have to end before it begins: whoever writes what it reads, and
    whoever uses what it writes."""
    accesses: dict[Any, _Accesses] = {}
    found = []
    for number, entry in enumerate(entries):
        before: set[int] = set()
        for spans, written in ((entry.reads, False), (entry.writes, True)):
            for memory, start, end in spans:
                used = accesses.get(memory)
                if used is None:
                    used = accesses[memory] = _Accesses()
                before |= (used.write if written else used.read)(start, end, number)
        before.discard(number)
        before.discard(-1)
        found.append(before)
    return found
