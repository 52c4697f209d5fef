"""The ports and the DDR behind them, beat by beat as `sim.memory_model` says.

Only the turn at the start of a program is unknown. A few cycles more or less also change the RTL's
rhythm: programs of some thousand cycles then differ by up to 2 %, whole training steps by 0.4 %.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from functools import partial

from fractrain.hw.contract.bursts import BEAT_BYTES, BURST_BYTES
from fractrain.sim.cycles.kernel import Change, Kernel
from fractrain.sim.memory_model import MemoryModel


@dataclass
class Burst:
    """``beats`` that can begin to move at ``due``; ``moved`` is notified at ``end``, when they have
    moved."""

    beats: int
    due: float
    moved: Change
    left: int = field(init=False)
    end: float | None = None

    def __post_init__(self) -> None:
        self.left = self.beats


class Flow:
    """The bursts of one port and direction, which move in their order. ``place``: its turn among
    those of all ports."""

    def __init__(self, writes: bool, place: int) -> None:
        self.writes, self.place = writes, place
        self.bursts: deque[Burst] = deque()


class Ddr:
    """Moves the beats of all flows, cycle by cycle, in turn.

    Many cycles are one step: until a burst ends, another may begin, or anything else happens.
    """

    def __init__(self, kernel: Kernel, model: MemoryModel) -> None:
        self._kernel, self._model = kernel, model
        self._flows: list[Flow] = []
        self._numbers = {False: 0, True: 0}
        self._places = 0
        self._cycle = 0
        """The first that is not done yet."""
        self._credit = 0
        self._planned = math.inf

    def flow(self, writes: bool) -> Flow:
        """The next port's flow in this direction."""
        made = Flow(writes, 2 * self._numbers[writes] + writes)
        self._numbers[writes] += 1
        self._flows = sorted([*self._flows, made], key=lambda flow: flow.place)
        self._places = max(self._places, made.place + 2 - writes)
        return made

    def add(self, flow: Flow, beats: int, due: float) -> Burst:
        """A burst for ``flow`` that may begin at ``due``."""
        first = math.ceil(max(due, self._kernel.now))
        burst = Burst(beats, first, Change(self._kernel))
        flow.bursts.append(burst)
        self._plan(first)
        return burst

    def _plan(self, time: float) -> None:
        if time < self._planned:
            self._planned = time
            self._kernel.call(partial(self._step, time), time)

    def _step(self, planned: float) -> None:
        if planned != self._planned:
            return  # another plan has replaced this one
        self._planned = math.inf
        now = int(self._kernel.now)
        if now > self._cycle:
            # unused budget is lost
            self._credit = self._model.write_cost - 1
            self._cycle = now
        heads = [flow for flow in self._flows if flow.bursts]
        active = [flow for flow in heads if flow.bursts[0].due <= now]
        later = [flow.bursts[0].due for flow in heads if flow.bursts[0].due > now]
        if active:
            self._move(active, min([*later, max(self._kernel.next_time(), now + 1)]))
            self._plan(self._cycle)
        elif later:
            self._plan(min(later))

    def _move(self, active: list[Flow], until: float) -> None:
        """Let ``active`` move until then, or until one of them has moved a burst."""
        earned, cost = self._model.earned_credit, self._cost(active)
        heads, count, places = [flow.bursts[0] for flow in active], len(active), self._places
        turns = [flow.place for flow in active]
        cycle, credit, done = self._cycle, self._credit, False
        while cycle < until and not done:
            credit += earned
            beats = min(count, credit // cost) if earned else count
            credit -= beats * cost
            if beats:
                start = bisect_left(turns, cycle % places)
                for number in range(start, start + beats):
                    burst = heads[number % count]
                    burst.left -= 1
                    if not burst.left:
                        done = True
            if credit >= cost:
                credit = cost - 1
            cycle += 1
        self._cycle, self._credit = cycle, credit
        if done:
            self._end(active)

    def _end(self, active: list[Flow]) -> None:
        for flow in active:
            burst = flow.bursts[0]
            if not burst.left:
                flow.bursts.popleft()
                burst.end = self._cycle
                self._kernel.call(burst.moved.notify, self._cycle)

    def _cost(self, active: list[Flow]) -> int:
        """Of a beat, in the budget's units."""
        model, kinds = self._model, {flow.writes for flow in active}
        if len(kinds) == 2:
            return model.mixed_cost
        return model.write_cost if True in kinds else model.read_cost


def granules(address: int, size: int) -> list[int]:
    """Bytes of the pieces of a run that do not cross a multiple of `BURST_BYTES`."""
    pieces = []
    while size:
        piece = min(size, BURST_BYTES - address % BURST_BYTES)
        pieces.append(piece)
        address, size = address + piece, size - piece
    return pieces


def beats_of(size: int) -> int:
    return size // BEAT_BYTES
