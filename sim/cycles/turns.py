"""Ports of the on-chip memories, where who comes first takes turns from who comes last."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from fractrain.sim.cycles.kernel import Change, Kernel

KEPT_CYCLES = 256
"""For which turns that are over are still known."""
LINES_HELD = 2
"""Lines of a FILL that are whole."""
KNOWN_CYCLES = 16
"""For which it is known before which turns will be taken."""
BEHIND_CYCLES = 1
"""From a word that is whole to its turn."""

NEVER = -2.0
"""Before all turns."""

Taking = Generator["float | Change", None, float]
"""Yields what it waits for, and returns when the last word was taken."""


class Turns:
    """A port: cycles that are taken, by whoever does not wait for others."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._taken: deque[tuple[int, int, int]] = deque()
        self.contended = False
        """Whoever takes turns is at work, and may take one at any time."""

    def take(self, first: float, count: int, step: int = 1) -> None:
        """``count`` cycles from ``first`` on, which is to come; every ``step``-th one."""
        if not count:
            return
        while self._taken and self._taken[0][1] < self._kernel.now - KEPT_CYCLES:
            self._taken.popleft()
        begin = math.ceil(first)
        self._taken.append((begin, begin + step * (count - 1) + 1, step))

    def quiet(self, time: float) -> bool:
        """Nothing is known to be taken from then on."""
        return not self._taken or self._taken[-1][1] <= time

    def free(self, time: float) -> float:
        """The first free cycle from then on, as far as is known."""
        cycle = math.ceil(time)
        for begin, end, step in self._taken:
            if begin <= cycle < end:
                cycle = end if step == 1 else cycle + ((cycle - begin) % step == 0)
        return cycle

    def turn(self, time: float) -> Taking:
        """Wait for the first free cycle from then on."""
        while (cycle := self.free(time)) > self._kernel.now:
            yield cycle
        return cycle

    def next_turn(self, time: float) -> Taking:
        """As `turn`, but it does not wait where nothing is taken so soon."""
        if time > self._kernel.now + KNOWN_CYCLES:
            yield time
        if not self.quiet(time):
            time = yield from self.turn(time)
        return time


def turn_of_all(ports: Sequence[Turns], time: float, now: Callable[[], float]) -> Taking:
    """Wait for the first cycle from ``time`` on that is free at all of ``ports``."""
    cycle = time
    while True:
        found = max((each.free(cycle) for each in ports), default=cycle)
        if found > math.ceil(cycle):
            cycle = found
        elif cycle > now():
            yield cycle
        else:
            return cycle


@dataclass(frozen=True)
class OnChip:
    """Ports of memories of a machine with a vector unit, write ports but for two. A MOVE reads
    planes at theirs."""

    kernel: Kernel
    planes: Turns = field(init=False)
    staging: Turns = field(init=False)
    side: Turns = field(init=False)
    staging_reads: Turns = field(init=False)
    side_reads: Turns = field(init=False)

    def __post_init__(self) -> None:
        for name in ("planes", "staging", "side", "staging_reads", "side_reads"):
            object.__setattr__(self, name, Turns(self.kernel))


class Sink(ABC):
    """Takes the words of a command as ``turns`` at its port let it."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    @abstractmethod
    def take(self, begin: float, words: int) -> Taking:
        """``words`` words, the first of them behind ``begin``, if none had to be waited for."""


class WordSink(Sink):
    """Each word takes a turn."""

    def take(self, begin: float, words: int) -> Taking:
        time = begin
        for _ in range(words):
            time = yield from self._turns.next_turn(time + 1)
        return time


class LineSink(Sink):
    """Lines of ``parts`` words take a turn each; a register holds two of them."""

    def __init__(self, turns: Turns, parts: int) -> None:
        super().__init__(turns)
        self._parts = parts
        self._whole: deque[float] = deque()
        """When those lines were whole that have not had their turn, as far as is known."""
        self._last = NEVER
        """The last turn that is known."""

    def take(self, begin: float, words: int) -> Taking:
        time = begin
        for _ in range(-(-words // self._parts)):
            time += self._parts
            if self._turns.quiet(time - self._parts):
                self._whole.clear()
                continue
            if len(self._whole) == LINES_HELD:
                first = max(self._whole.popleft(), self._last) + BEHIND_CYCLES
                self._last = yield from self._turns.turn(first)
                time = max(time, self._last + 1)
            self._whole.append(time)
        return time


class BlockSink(Sink):
    """``words`` words are a block, which then leaves as ``pairs`` of lines with a turn each, before
    the next one is taken."""

    HELD_CYCLES = 2
    """From a block's last word to the first pair's offer."""

    def __init__(self, turns: Turns, words: int, pairs: int) -> None:
        super().__init__(turns)
        self._words, self._pairs = words, pairs
        self._number = 0
        self._offered = NEVER
        """The last pair that was, which may still wait for its turn."""

    def take(self, begin: float, words: int) -> Taking:
        time = begin
        for _ in range(words):
            if self._number and self._number % self._words == 0:
                time = yield from self._leave(time)
            self._number += 1
            time += 1
        return time

    def _leave(self, last: float) -> Taking:
        """A block leaves; a cycle later the next word may come."""
        offer = last + self.HELD_CYCLES
        for _ in range(self._pairs):
            if not self._turns.quiet(self._offered + BEHIND_CYCLES):
                turn = yield from self._turns.turn(self._offered + BEHIND_CYCLES)
                offer = max(offer, turn)
            self._offered = offer
            offer += 1
        return self._offered + 1
