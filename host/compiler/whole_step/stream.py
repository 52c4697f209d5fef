"""A command stream whose tokens follow from what its commands read and write.

A stage carries out its own commands one after the other, so only what another stage has at work
needs a token: of its commands that must have ended, the last, and that only if nothing that was
waited for before implies it. What the vector stage writes to memory is there only when a token to
the fetch stage says so (hw.contract.commands), so that no other token implies it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fractrain.host.compiler.whole_step.changing import changed
from fractrain.host.compiler.whole_step.partition import Partition
from fractrain.hw.contract.commands import (
    ACKNOWLEDGED,
    SIGNAL,
    STAGES,
    WAIT,
    Command,
    End,
    Stage,
    opcode_of,
)

ON_CHIP = frozenset(
    {"planes", "columns", "staging", "side", "records", "moments", "gradients", "peaks", "shapes"}
)
"""Memories of the machine; everything else of which a command says that it reads or writes it is in
memory."""
Span = tuple[Any, int, int]
"""A part of a memory, or of a tensor in memory: which, first, and end."""

NEVER = -1
WRITTEN = len(STAGES)
"""Place behind the stages, of what is acknowledged."""


class _Accesses:
    """Of a memory: last writer of each part, and its last readers since, by stage."""

    def __init__(self) -> None:
        self._parts: Partition[list[int]] = Partition([NEVER] * (1 + len(STAGES)), list)

    def read(self, start: int, end: int, stage: int, position: int) -> set[int]:
        """Writers of a part; ``position`` of ``stage`` reads it."""
        parts = self._parts.within(start, end)
        for part in parts:
            part[1 + stage] = position
        return {part[0] for part in parts}

    def write(self, start: int, end: int, position: int) -> set[int]:
        """Writers and readers of a part; ``position`` writes it."""
        before = self._parts.replace(start, end, [position] + [NEVER] * len(STAGES))
        return {each for part in before for each in part}


class CommandStream:
    """Commands in order."""

    def __init__(self) -> None:
        self._commands: list[Command] = []
        self._stages: list[Stage] = []
        self._waits: list[int] = []
        self._signals: list[int] = []
        self._accesses: dict[Any, _Accesses] = {}
        self._known = [[NEVER] * (len(STAGES) + 1) for _ in STAGES]
        """Of each stage: the last command of each other one that has ended when it goes on; and the
        last of the vector stage up to which memory has acknowledged what was written."""
        self._at_begin: list[tuple[int, ...]] = []

    def __len__(self) -> int:
        return len(self._commands)

    def add(
        self,
        command: Command,
        reads: Iterable[Span] = (),
        writes: Iterable[Span] = (),
        *,
        wait_host: bool = False,
        signal_host: bool = False,
    ) -> None:
        """Append ``command``, which may take a token of the host, or give it one."""
        stage, position = opcode_of(command).stage, len(self._commands)
        assert stage is not None
        self._commands.append(command)
        self._stages.append(stage)
        self._waits.append(1 << WAIT[stage].index(Stage.HOST) if wait_host else 0)
        self._signals.append(1 << SIGNAL[stage].index(Stage.HOST) if signal_host else 0)
        before: set[int] = set()
        written: set[int] = set()
        for memory, start, end in reads:
            found = self._of(memory).read(start, end, stage, position)
            (before if memory in ON_CHIP else written).update(found)
        for memory, start, end in writes:
            before |= self._of(memory).write(start, end, position)
        # what it reads and writes itself, and what nobody has written
        for giver in sorted((before | written) - {position, NEVER}, reverse=True):
            self._order(giver, position, in_memory=giver in written)
        self._at_begin.append(tuple(self._known[stage]))

    def _of(self, memory: Any) -> _Accesses:
        found = self._accesses.get(memory)
        if found is None:
            found = self._accesses[memory] = _Accesses()
        return found

    def _order(self, giver: int, taker: int, *, in_memory: bool) -> None:
        """A token from one command to the other, unless the order is known; ``in_memory`` if the
        one reads there what the other has written."""
        source, target = self._stages[giver], self._stages[taker]
        known = self._known[target]
        posts = source is Stage.VECTOR and target in ACKNOWLEDGED
        if source is target or giver <= known[WRITTEN if posts and in_memory else source]:
            return
        self._waits[taker] |= 1 << WAIT[target].index(source)
        self._signals[giver] |= 1 << SIGNAL[source].index(target)
        known[:] = map(max, known, self._at_begin[giver])
        known[source] = max(known[source], giver)
        if posts:
            known[WRITTEN] = max(known[WRITTEN], giver)

    def commands(self) -> list[Command]:
        """With tokens, and END."""
        found = [
            changed(each, wait=wait, signal=signal) if wait or signal else each
            for each, wait, signal in zip(self._commands, self._waits, self._signals, strict=True)
        ]
        return [*found, End()]
