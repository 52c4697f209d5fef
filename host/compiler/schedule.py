"""Orders batches of work into one command stream: loads ahead of their use, tokens between stages.

A *batch* is a few convolutions with the loads they need and the stores of their results. A load is
placed behind the convolution that runs when the fetch stage reaches it: as early as the memory that
it overwrites allows, but not so early that it holds up commands needed sooner. Every token is given
before the command that takes it. So the stream can be executed command by command, and in every
other order that queues and tokens allow.

Tokens are as few as possible: a stage does its commands in order, so it waits only for the last of
several, and never twice for the same one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

from fractrain.host.compiler.residency import NEVER, PatternTable, Residency
from fractrain.hw.contract.commands import (
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
from fractrain.hw.contract.parameters import Parameters

PORT_EFFICIENCY = 0.6
"""Fraction of the ports' peak rate that loads are assumed to reach when they are placed."""


def wait_for(stage: Stage, source: Stage) -> int:
    """``wait`` of a command of ``stage`` for a token from ``source``."""
    return 1 << WAIT[stage].index(source)


def signal_to(stage: Stage, target: Stage) -> int:
    """``signal`` of a command of ``stage`` to ``target``."""
    return 1 << SIGNAL[stage].index(target)


@dataclass
class Item:
    """A command of batch ``batch`` on its way into the stream; it takes roughly ``cycles``.

    A load must come after the convolutions of batch ``after`` have read their last operand, and
    after the stores of batch ``written`` are in memory.
    """

    command: Command
    batch: int
    cycles: float = 0
    after: int = NEVER
    written: int = NEVER

    def add(self, *, wait: int = 0, signal: int = 0) -> None:
        command = self.command
        self.command = replace(command, wait=command.wait | wait, signal=command.signal | signal)


@dataclass
class Batch:
    """``work``: patterns, convolutions and stores; a store precedes the convolutions that make its
    tiles."""

    loads: list[Item] = field(default_factory=list)
    work: list[Item] = field(default_factory=list)


class CommandBuilder:
    """Collects the batches of a program; tracks what the on-chip memories will hold."""

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
        self,
        key: Hashable,
        words: int,
        loads: Callable[[int], list[Load]],
        digits: int,
        written: int = NEVER,
    ) -> int:
        """Address of ``key`` in the plane memory; ``loads`` bring ``digits`` to an address."""
        return self._need(self._planes, key, words, loads, digits, written)

    def columns(
        self,
        key: Hashable,
        words: int,
        loads: Callable[[int], list[Load]],
        digits: int,
        written: int = NEVER,
    ) -> int:
        """Address of ``key`` in the column memory."""
        return self._need(self._columns, key, words, loads, digits, written)

    def _need(
        self,
        memory: Residency,
        key: Hashable,
        words: int,
        loads: Callable[[int], list[Load]],
        digits: int,
        written: int,
    ) -> int:
        place = memory.need(key, words, self.number)
        if place.fresh:
            p = self.parameters
            rate = PORT_EFFICIENCY * 8 * p.memory.ports
            self.batches[-1].loads += [
                Item(
                    load,
                    self.number,
                    load.runs * load.words * digits * p.word_bytes / rate,
                    place.after,
                    written,
                )
                for load in loads(place.address)
            ]
        return place.address

    def store(self, command: Store) -> None:
        self._add(command)

    def convolve(self, command: Convolve, entries: tuple[Pattern, ...], digits: int) -> None:
        """``command`` with ``entries`` as its pattern; ``digits`` passes for each window."""
        first, missing = self._patterns.need(entries)
        if missing:
            for each in entries:
                self._add(replace(each, entry=first + each.entry))
        places = command.images * command.tiles_y * command.tiles_x
        passes = places * command.slices * digits
        self._add(replace(command, pattern=first, pairs=len(entries)), passes)

    def _add(self, command: Command, cycles: float = 0) -> None:
        self.batches[-1].work.append(Item(command, self.number, cycles))

    def commands(self) -> list[Command]:
        """The whole stream, END included."""
        stream = _in_order(self.batches)
        _free_memory(stream)
        _announce_operands(stream)
        return [item.command for item in stream] + [End()]


def _in_order(batches: Sequence[Batch]) -> list[Item]:
    """All commands, each load behind the convolution that runs when the fetch stage reaches it."""
    timeline = _Timeline()
    behind: dict[int, list[Item]] = {}
    stream: list[Item] = []
    for batch in batches:
        for load in batch.loads:
            position = timeline.load(load)
            if position is None:
                stream.append(load)
            else:
                behind.setdefault(id(position), []).append(load)
        timeline.work(batch)
    for batch in batches:
        for item in batch.work:
            stream.append(item)
            stream += behind.get(id(item), [])
    return stream


class _Timeline:
    """The times at which fetch and execute stage reach each command, if nothing else delays
    them."""

    def __init__(self) -> None:
        self._fetched = self._executed = 0.0
        self._convolutions: list[Item] = []
        self._starts: list[float] = []
        self._ends: dict[int, tuple[int, float]] = {}

    def load(self, load: Item) -> Item | None:
        """The convolution that ``load`` is placed behind; None for the beginning."""
        least, free = self._ends.get(max(load.after, load.written), (-1, 0.0))
        start = max(self._fetched, free)
        self._fetched = start + load.cycles
        index = max(least, bisect_right(self._starts, start) - 1)
        return self._convolutions[index] if index >= 0 else None

    def work(self, batch: Batch) -> None:
        """The convolutions of ``batch``, once its loads are done."""
        time = max(self._executed, self._fetched if batch.loads else 0.0)
        for item in batch.work:
            if isinstance(item.command, Convolve):
                self._convolutions.append(item)
                self._starts.append(time)
                time += item.cycles
                self._ends[item.batch] = len(self._convolutions) - 1, time
        self._executed = time


def _free_memory(stream: list[Item]) -> None:
    """Tokens that hold a load back until the data it overwrites are used and the data it reads
    written."""
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
