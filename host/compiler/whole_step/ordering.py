"""The order of a program: the fetch stage and the vector unit take what the array will miss first.

What is recorded is in an order in which it could be carried out, and who waits for whom follows
from addresses. The array keeps its order. A simulation of the stages gives the two others, whenever
they are free, that one of their commands whose predecessors have ended and from which the way to
the end of the program is longest. Whatever it assumes of durations, the program is right: tokens
are made for the order that comes out.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fractrain.host.compiler.whole_step.durations import Durations, Work
from fractrain.host.compiler.whole_step.recording import Entry, dependencies
from fractrain.host.compiler.whole_step.stream import CommandStream
from fractrain.hw.contract.commands import Command, Quantize, Stage, Update

RATE = 15.5
"""Bytes of memory in a cycle. With less than what memory is rated at, 17 (3.4 GB/s at 200 MHz),
FETCH and the vector unit run further ahead: 154.8 instead of 155.0 ms of ResNet-38 at 8/8/8, 71.6
instead of 71.9 at the mix of docs/whole_step.md (modelled)."""
QUEUE_BYTES = 16_384.0
"""Of what the vector stage writes, that may be on their way when its command ends: half the queue
of `zc706-vector`. All of it or a quarter orders no better: 71.7 and 71.8 instead of 71.6 ms of
ResNet-38, at the mix of docs/whole_step.md (modelled)."""
HOST_CYCLES = 20_000.0
"""From the last token to the host to the host's own."""
AHEAD = 4000.0
"""By which FETCH and VECTOR are handed their commands before they begin, as far as queues go."""
LATENCY = {Stage.FETCH: 80.0, Stage.EXECUTE: 100.0, Stage.VECTOR: 12.0}
"""From the end of a command's work to that of what waits for it."""
WAITED = 0.3
"""Part of a command for which a stage waits for a more urgent one."""
REST = 1e-3
"""What is left by rounding."""


@dataclass(frozen=True)
class Program:
    """``numbers`` of the recorded entries in the order of the ``commands``, END behind them."""

    commands: list[Command]
    numbers: list[int]
    array: frozenset[int]
    """Those of the array."""

    def first_pass(self, first: int) -> int:
        """Place of the first command of the array of those that were recorded from ``first`` on."""
        places = enumerate(self.numbers)
        return next(at for at, each in places if each >= first and each in self.array)


def in_order(entries: Sequence[Entry], durations: Durations) -> Program:
    """The program of ``entries``, put in order as they take on ``durations``."""
    nodes = _nodes(entries, durations)
    _link(nodes, entries)
    _Simulation(nodes).run()
    numbers = _emitted(nodes)
    stream = CommandStream()
    for each in (entries[number] for number in numbers):
        stream.add(
            each.command,
            each.reads,
            each.writes,
            wait_host=each.wait_host,
            signal_host=each.signal_host,
        )
    array = frozenset(n for node in nodes if node.stage is Stage.EXECUTE for n in node.entries)
    return Program(stream.commands(), numbers, array)


class Node:
    """A command of FETCH or VECTOR; or what RESULT does with some tiles and EXECUTE's commands that
    make them, with the stage EXECUTE: nothing comes between these."""

    def __init__(
        self, number: int, stage: Stage, entries: list[int], work: Work, *, posts: bool = False
    ) -> None:
        self.number, self.stage, self.entries = number, stage, entries
        self.before: set[int] = set()
        self.after: list[int] = []
        self.missing = 0
        """Of those before, how many have not ended."""
        self.left, self.bytes = work.cycles, work.bytes
        self.posts = posts
        """Its bytes may be on their way when it has ended."""
        self.tail = self.start = 0.0
        """Cycles from its beginning to the end of the program at least; when it has begun."""


def _nodes(entries: Sequence[Entry], durations: Durations) -> list[Node]:
    found: list[Node] = []
    tiles: list[int] = []
    sums = {Stage.RESULT: 0.0, Stage.EXECUTE: 0.0}

    def close() -> None:
        if tiles:
            found.append(Node(len(found), Stage.EXECUTE, [*tiles], Work(max(sums.values()))))
            tiles.clear()
            sums.update(dict.fromkeys(sums, 0.0))

    for number, entry in enumerate(entries):
        work = durations.of(entry.command)
        if entry.stage in sums:
            if entry.stage is Stage.RESULT and sums[Stage.EXECUTE]:
                close()
            tiles.append(number)
            sums[entry.stage] += work.cycles
            continue
        close()
        if entry.wait_host:
            work = Work(work.cycles + HOST_CYCLES, work.bytes)
        posts = entry.stage is Stage.VECTOR and not isinstance(entry.command, Quantize | Update)
        found.append(Node(len(found), entry.stage, [number], work, posts=posts))
    close()
    return found


def _link(nodes: Sequence[Node], entries: Sequence[Entry]) -> None:
    """Who waits for whom, and how long it is to the end."""
    of = {number: node.number for node in nodes for number in node.entries}
    for number, before in enumerate(dependencies(entries)):
        nodes[of[number]].before.update(of[each] for each in before)
    last: Node | None = None
    for node in nodes:
        node.before.discard(node.number)
        if last is not None and isinstance(entries[node.entries[0]].command, Quantize):
            node.before.add(last.number)  # not earlier: memory has no time
        if node.stage is Stage.EXECUTE:
            if last is not None:
                node.before.add(last.number)
            last = node
        node.missing = len(node.before)
        for each in node.before:
            nodes[each].after.append(node.number)
    for node in reversed(nodes):
        behind = max((nodes[each].tail for each in node.after), default=0.0)
        node.tail = behind + max(node.left, node.bytes / RATE)


class _Simulation:
    """Of three stages, each of which does one thing at a time; memory is shared by those that have
    bytes to move."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        stages = Stage.FETCH, Stage.EXECUTE, Stage.VECTOR
        self._ready: dict[Stage, list[tuple[float, int]]] = {each: [] for each in stages}
        self._at_work: dict[Stage, Node] = {}
        self._ends: list[tuple[float, int]] = []
        self._queued = 0.0
        """Bytes of the vector stage that are on their way, of commands at work and before."""
        self._now = 0.0

    def run(self) -> None:
        """Set when each node starts."""
        left = len(self._nodes)
        for node in self._nodes:
            self._offer(node)
        while left:
            self._begin()
            self._pass()
            while self._ends and self._ends[0][0] <= self._now:
                left -= 1
                for each in self._nodes[heapq.heappop(self._ends)[1]].after:
                    self._nodes[each].missing -= 1
                    self._offer(self._nodes[each])

    def _offer(self, node: Node) -> None:
        if not node.missing:
            heapq.heappush(self._ready[node.stage], (-node.tail, node.number))

    def _begin(self) -> None:
        for stage, ready in self._ready.items():
            if ready and stage not in self._at_work:
                node = self._nodes[ready[0][1]]
                if not self._is_awaited(node):
                    heapq.heappop(ready)
                    self._at_work[stage] = node
                    node.start = self._now
                    if node.posts:
                        self._queued, node.bytes = self._queued + node.bytes, 0.0

    def _is_awaited(self, node: Node) -> bool:
        """Whether its stage had better wait for something more urgent: the way behind that is
        longer, and it will be ready before `WAITED` of ``node`` is done."""
        if node.stage is Stage.EXECUTE:
            return False
        soon = WAITED * max(node.left, node.bytes / RATE)
        for other in self._at_work.values():
            left = max(other.left, other.bytes / RATE) + LATENCY[other.stage]
            if left < soon and self._gives(other, node):
                return True
        return any(
            time - self._now < soon and self._gives(self._nodes[number], node)
            for time, number in self._ends
        )

    def _gives(self, other: Node, node: Node) -> bool:
        """Whether the end of ``other`` lets something of the stage of ``node`` begin, which is more
        urgent."""
        behind = (self._nodes[each] for each in other.after)
        return any(
            each.missing == 1 and each.stage is node.stage and each.tail > node.tail
            for each in behind
        )

    def _pass(self) -> None:
        """Time, until something ends or has moved its bytes."""
        working = [*self._at_work.values()]
        moving = sum(node.bytes > REST for node in working) + (self._queued > REST)
        rate = RATE / max(1, moving)
        steps = [step for node in working for step in self._steps(node, rate)]
        if self._queued > REST:
            steps.append(self._queued / rate)
        if self._ends:
            steps.append(self._ends[0][0] - self._now)
        step = max(0.0, min(steps))
        self._now += step
        self._queued = max(0.0, self._queued - step * rate)
        for node in working:
            node.left -= step
            if node.bytes > REST:
                node.bytes -= step * rate
            if node.left <= REST and node.bytes <= REST and not self._is_held(node):
                del self._at_work[node.stage]
                heapq.heappush(self._ends, (self._now + LATENCY[node.stage], node.number))

    def _is_held(self, node: Node) -> bool:
        """Whether the queue to memory has no room for all that it writes."""
        return node.posts and self._queued > QUEUE_BYTES + REST

    def _steps(self, node: Node, rate: float) -> Iterator[float]:
        if node.bytes > REST:
            yield node.bytes / rate
        if node.left > REST:
            yield node.left
        elif self._is_held(node):
            yield (self._queued - QUEUE_BYTES) / rate


def _emitted(nodes: Sequence[Node]) -> list[int]:
    """Entries as they start, those of FETCH and VECTOR a little earlier, but behind all that they
    wait for, and in the order of their stage: its queue takes them in advance, and what is behind
    them does not wait."""
    keys = [0.0] * len(nodes)
    last = dict.fromkeys((Stage.FETCH, Stage.EXECUTE, Stage.VECTOR), -math.inf)
    order = sorted(nodes, key=lambda node: node.start)
    for node in order:
        ahead = 0.0 if node.stage is Stage.EXECUTE else AHEAD
        before = max((keys[each] for each in node.before), default=-math.inf)
        keys[node.number] = last[node.stage] = max(node.start - ahead, last[node.stage], before)
    order.sort(key=lambda node: keys[node.number])
    return [number for node in order for number in node.entries]
