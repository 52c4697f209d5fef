"""How far the loops of the execute stage run ahead of the array, and so which task they take."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Convolve
from fractrain.sim.cycles.kernel import Change, Kernel, Process
from fractrain.sim.cycles.tiles import TileWork

ITEMS_AHEAD = 3
"""Of each loop, between the turn that it shows and the one that the loop inside it is at: the loop
inside holds one, the register between them two."""
LOOPS = 5
"""Images, rows of tiles, tiles, slices and row digits, whose turns are windows."""
READS_AHEAD = 8
"""Pairs of reads that have been looked up, behind the window that is complete."""
READS_FOUND = 2
"""More of them that have left the loops."""
PASSES_AHEAD = 2
"""Of the sequencer."""
TASKS_AHEAD = 3
"""In front of the sequencer's loops."""
TASKS_KEPT = TASKS_AHEAD + LOOPS * ITEMS_AHEAD


@dataclass(frozen=True)
class Walked:
    """A task: turns of each loop, the outermost first; the array's cycles before each of its places
    and behind the last one, counted from when it began to work; ``pairs`` of reads of a window."""

    turns: tuple[int, ...]
    places: NDArray[np.float64]
    pairs: int

    def before(self, window: float) -> float:
        """Cycles of the array before that window, which may be of a task before or behind."""
        each = self.turns[-1] * self.turns[-2]
        place, rest = divmod(window, each)
        last = len(self.places) - 2
        number = min(max(int(place), 0), last)
        rest += each * (place - number)
        first, end = self.places[number], self.places[number + 1]
        return float(first + rest * (end - first) / each)


def walked(command: Convolve, work: TileWork, digits: int, begin: float) -> Walked:
    """A CONVOLVE, which the array begins after ``begin`` cycles of work."""
    turns = (command.images, command.tiles_y, command.tiles_x, command.slices, digits)
    return Walked(turns, begin + np.concatenate(([0], np.cumsum(work.places))), command.pairs)


def passed_on(begin: float) -> Walked:
    """A task without passes, which goes through the loops all the same."""
    return Walked((1,) * LOOPS, np.array([begin, begin]), 1)


class Nest:
    """Loops in a chain, as many items between them as there is room for; ``waiting`` tasks are in
    front of them."""

    def __init__(self, waiting: int) -> None:
        self._waiting = waiting
        self._tasks: deque[Walked] = deque(maxlen=TASKS_KEPT)

    def add(self, task: Walked) -> None:
        self._tasks.append(task)

    def freed_by(self) -> tuple[Walked, int] | None:
        """The window that has to enter the innermost loop before there is room for another task;
        None if there is room."""
        tasks = self._tasks
        number, item = len(tasks) - self._waiting, 0
        if number < 0:
            return None
        for loop in range(LOOPS):
            if loop:
                item *= tasks[number].turns[loop]
            item -= ITEMS_AHEAD
            while item < 0:
                number -= 1
                if number < 0:
                    return None
                item += int(np.prod(tasks[number].turns[: loop + 1]))
        return tasks[number], item


class Progress:
    """Cycles that the array has worked."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel, self._change = kernel, Change(kernel)
        self._done, self._tile, self._since = 0.0, 0.0, 0.0

    def begin(self, cycles: float) -> None:
        """The next so many, from now on; all before are over."""
        self._done += self._tile
        self._tile, self._since = cycles, self._kernel.now
        self._change.notify()

    def reach(self, cycles: float) -> Process:
        """Wait until so many are over."""
        while self._done + self._tile < cycles:
            yield self._change
        due = self._since + cycles - self._done
        if due > self._kernel.now:
            yield due


class Walk:
    """The loops of feeder and sequencer, which a task enters when both have room."""

    def __init__(self, kernel: Kernel) -> None:
        self.progress = Progress(kernel)
        self._feeder, self._sequencer = Nest(0), Nest(TASKS_AHEAD)
        self._last: Walked | None = None
        self._end = 0.0

    def enter(self, task: tuple[Convolve, TileWork, int] | None) -> Process:
        """Wait for room for a CONVOLVE, its work and its row digits; None: for a task without
        passes."""
        for place in self._places(feeder=task is not None):
            yield from self.progress.reach(place)
        if task is None:
            self._sequencer.add(passed_on(self._end))
            return
        self._last = walked(*task, self._end)
        self._end = float(self._last.places[-1])
        self._sequencer.add(self._last)
        self._feeder.add(self._last)

    def _places(self, *, feeder: bool) -> Iterator[float]:
        """Cycles of work after which each of the parts has room."""
        found = self._sequencer.freed_by()
        if found is not None:
            yield found[0].before(found[1]) - PASSES_AHEAD
        found = self._feeder.freed_by() if feeder else None
        if found is not None:
            yield _looked_up(found[0], found[1] - 1, READS_AHEAD + READS_FOUND)

    def looked_up(self) -> Process:
        """Wait until the last reads of all tasks have been looked up."""
        if self._last is not None:
            windows = int(np.prod(self._last.turns))
            yield from self.progress.reach(_looked_up(self._last, windows - 1, READS_AHEAD))


def _looked_up(task: Walked, window: int, ahead: int) -> float:
    """Cycles of work after which the reads of that window are so many behind those of the window
    that is complete: it was gathered when the one before it was taken."""
    return task.before(window - 1 - ahead // task.pairs) + task.pairs
