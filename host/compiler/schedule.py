"""From batches of work to one command stream: loads ahead of their use, and the tokens for it.

A *batch* is some convolutions with the loads they need and the stores of what they make. Loads
are placed among the convolutions of earlier batches, as early as the memory they overwrite
allows. In the stream every token is given before the command that takes it, so executing the
stream command by command is possible, and with it every other order that queues and tokens allow.

Tokens are as few as can be: stages do their own commands in order, so waiting for the last of
several is enough, and waiting twice for the same is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

from host.compiler.residency import NEVER, PatternTable, Residency
from hw.contract.commands import (
    SIGNAL,
    WAIT,
    Command,
    Convolve,
    End,
    Load,
    Pattern,
    Stage,
    Store,
)
from hw.contract.parameters import Parameters

LOOK_AHEAD = 8
"""Batches before its use at which a load may start."""


def wait_for(stage: Stage, source: Stage) -> int:
    """``wait`` of a command of ``stage`` for a token from ``source``."""
    return 1 << WAIT[stage].index(source)


def signal_to(stage: Stage, target: Stage) -> int:
    """``signal`` of a command of ``stage`` to ``target``."""
    return 1 << SIGNAL[stage].index(target)


@dataclass
class Item:
    """A command on its way into the stream, of batch ``batch``.

    A load must come after the convolutions of batch ``after`` have read their last operand, and
    after the stores of batch ``written`` are in memory.
    """

    command: Command
    batch: int
    after: int = NEVER
    written: int = NEVER

    def add(self, *, wait: int = 0, signal: int = 0) -> None:
        command = self.command
        self.command = replace(command, wait=command.wait | wait, signal=command.signal | signal)


@dataclass
class Batch:
    """``work``: patterns, convolutions, and stores, each before those whose tiles it takes."""

    loads: list[Item] = field(default_factory=list)
    work: list[Item] = field(default_factory=list)


class Builder:
    """Collects the batches of a program; knows what the on-chip memories will hold."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.batches: list[Batch] = []
        self._planes = Residency(parameters.buffers.plane_words)
        self._columns = Residency(parameters.buffers.column_words)
        self._patterns = PatternTable(parameters.buffers.patterns)

    @property
    def number(self) -> int:
        """Of the batch at work."""
        return len(self.batches) - 1

    def begin(self) -> None:
        """Start a new batch."""
        self.batches.append(Batch())

    def planes(
        self, key: Hashable, words: int, loads: Callable[[int], list[Load]], written: int = NEVER
    ) -> int:
        """Address of ``key`` in the plane memory; ``loads`` bring it to an address."""
        return self._need(self._planes, key, words, loads, written)

    def columns(
        self, key: Hashable, words: int, loads: Callable[[int], list[Load]], written: int = NEVER
    ) -> int:
        """Address of ``key`` in the column memory."""
        return self._need(self._columns, key, words, loads, written)

    def _need(
        self,
        memory: Residency,
        key: Hashable,
        words: int,
        loads: Callable[[int], list[Load]],
        written: int,
    ) -> int:
        place = memory.need(key, words, self.number)
        if place.fresh:
            self.batches[-1].loads += [
                Item(load, self.number, place.after, written) for load in loads(place.address)
            ]
        return place.address

    def store(self, command: Store) -> None:
        self._add(command)

    def convolve(self, command: Convolve, entries: tuple[Pattern, ...]) -> None:
        """``command`` with ``entries`` as its pattern."""
        first, missing = self._patterns.need(entries)
        if missing:
            for each in entries:
                self._add(replace(each, entry=first + each.entry))
        self._add(replace(command, pattern=first, pairs=len(entries)))

    def _add(self, command: Command) -> None:
        self.batches[-1].work.append(Item(command, self.number))

    def commands(self) -> list[Command]:
        """The whole stream, END included."""
        stream = _in_order(self.batches)
        _free_memory(stream)
        _announce_operands(stream)
        return [item.command for item in stream] + [End()]


def _in_order(batches: Sequence[Batch]) -> list[Item]:
    """All commands: the loads of a batch go between convolutions of the batches before it."""
    within: list[list[Item]] = [[] for _ in batches]
    behind: list[list[Item]] = [[] for _ in batches]
    stream: list[Item] = []
    for number, batch in enumerate(batches):
        for index, load in enumerate(batch.loads):
            earliest = max(load.after, load.written)
            first = max(earliest + 1, number - LOOK_AHEAD, 0)
            if number == 0:
                stream.append(load)
            elif first >= number:
                behind[number - 1].append(load)
            else:
                within[first + index * (number - first) // len(batch.loads)].append(load)
    for batch, loads, last in zip(batches, within, behind, strict=True):
        stream += _spread(batch.work, loads) + last
    return stream


def _spread(work: list[Item], loads: list[Item]) -> list[Item]:
    """``loads`` in equal parts behind the convolutions of ``work``."""
    count = sum(isinstance(item.command, Convolve) for item in work)
    result: list[Item] = []
    done = sent = 0
    for item in work:
        result.append(item)
        if isinstance(item.command, Convolve):
            done += 1
            due = len(loads) * done // count
            result += loads[sent:due]
            sent = due
    return result


def _free_memory(stream: list[Item]) -> None:
    """Loads wait until what they overwrite has been used and what they read has been written."""
    last: dict[tuple[type, int], Item] = {}
    for item in stream:
        if isinstance(item.command, Convolve | Store):
            last[type(item.command), item.batch] = item
    freed = written = NEVER
    for item in stream:
        if item.after > freed:
            freed = item.after
            last[Convolve, freed].add(signal=signal_to(Stage.EXECUTE, Stage.FETCH))
            item.add(wait=wait_for(Stage.FETCH, Stage.EXECUTE))
        if item.written > written:
            written = item.written
            last[Store, written].add(signal=signal_to(Stage.RESULT, Stage.FETCH))
            item.add(wait=wait_for(Stage.FETCH, Stage.RESULT))


def _announce_operands(stream: list[Item]) -> None:
    """The first convolution of a batch waits for the batch's last load."""
    loads: dict[int, int] = {}
    first: dict[int, Item] = {}
    for position, item in enumerate(stream):
        if isinstance(item.command, Load):
            loads[item.batch] = position
        elif isinstance(item.command, Convolve):
            first.setdefault(item.batch, item)
    present = NEVER
    for batch in sorted(loads):
        if loads[batch] > present:
            present = loads[batch]
            stream[present].add(signal=signal_to(Stage.FETCH, Stage.EXECUTE))
            first[batch].add(wait=wait_for(Stage.EXECUTE, Stage.FETCH))
