"""A program whose commands say what they read and write; tokens follow from that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fractrain.hw.contract.commands import SIGNAL, WAIT, Command, End, Stage, opcode_of


@dataclass(frozen=True)
class Entry:
    """A command, and the names of what it reads and writes."""

    command: Command
    reads: frozenset[str]
    writes: frozenset[str]

    @property
    def stage(self) -> Stage:
        stage = opcode_of(self.command).stage
        assert stage is not None
        return stage

    def follows(self, earlier: Entry) -> bool:
        """Whether it must wait for the end of ``earlier``."""
        return bool(self.writes & (earlier.reads | earlier.writes) or self.reads & earlier.writes)


class Program:
    """Commands in order. A stage carries out its own one after the other, so only what another
    stage has at work needs a token: of its commands that must have ended, the last."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, command: Command, reads: Iterable[str] = (), writes: Iterable[str] = ()) -> None:
        self.entries.append(Entry(command, frozenset(reads), frozenset(writes)))

    def commands(self) -> list[Command]:
        """With tokens, and END."""
        waits, signals = [0] * len(self.entries), [0] * len(self.entries)
        known: dict[tuple[Stage, Stage], int] = {}
        for position, entry in enumerate(self.entries):
            for source in Stage:
                giver = self._last(position, entry, source)
                if giver <= known.get((source, entry.stage), -1):
                    continue
                known[source, entry.stage] = giver
                waits[position] |= 1 << WAIT[entry.stage].index(source)
                signals[giver] |= 1 << SIGNAL[source].index(entry.stage)
        found = [
            replace(entry.command, wait=wait, signal=signal)
            for entry, wait, signal in zip(self.entries, waits, signals, strict=True)
        ]
        return [*found, End()]

    def _last(self, position: int, entry: Entry, source: Stage) -> int:
        """Position of the last command of ``source`` that ``entry`` must wait for; -1: none."""
        if source is entry.stage:
            return -1
        return max(
            (
                number
                for number, each in enumerate(self.entries[:position])
                if each.stage is source and entry.follows(each)
            ),
            default=-1,
        )
