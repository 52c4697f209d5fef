"""Tokens between the stages, and the host."""

from __future__ import annotations

from functools import partial

from fractrain.hw.contract.commands import (
    ENGINE_SIGNAL,
    ENGINE_WAIT,
    SIGNAL,
    WAIT,
    Command,
    Stage,
)
from fractrain.sim.cycles.kernel import Change, Kernel, Process


class Tokens:
    """Counts of tokens per (from, to); a stage's command waits for all that it needs. ``vector``:
    of a machine with a vector unit."""

    def __init__(self, kernel: Kernel, *, vector: bool = False) -> None:
        self._kernel = kernel
        self._waits, self._signals = (WAIT, SIGNAL) if vector else (ENGINE_WAIT, ENGINE_SIGNAL)
        self._count = {(a, b): 0 for a in Stage for b in Stage}
        self._change = {b: Change(kernel) for b in Stage}
        self._told: dict[Stage, set[Change]] = {b: set() for b in Stage}

    def tell(self, stage: Stage, change: Change) -> None:
        """Notify ``change``, too, whenever ``stage`` is given a token."""
        self._told[stage].add(change)

    def missing(self, stage: Stage, command: Command) -> list[Stage]:
        """Stages that still owe ``command`` a token."""
        return [
            source
            for bit, source in enumerate(self._waits[stage])
            if command.wait >> bit & 1 and not self._count[source, stage]
        ]

    def take(self, stage: Stage, command: Command) -> Process:
        """Wait for the tokens of ``command`` and take them."""
        while self.missing(stage, command):
            yield self._change[stage]
        for bit, source in enumerate(self._waits[stage]):
            self._count[source, stage] -= command.wait >> bit & 1

    def give(self, stage: Stage, command: Command, time: float) -> None:
        """At ``time``, the tokens of ``command``, which has ended."""
        if command.signal:
            self._kernel.call(partial(self._give, stage, command), time)

    def _give(self, stage: Stage, command: Command) -> None:
        for bit, target in enumerate(self._signals[stage]):
            if command.signal >> bit & 1:
                self.put(stage, target)

    def put(self, source: Stage, target: Stage) -> None:
        """A token, now."""
        self._count[source, target] += 1
        self._change[target].notify()
        for change in self._told[target]:
            change.notify()

    def take_one(self, source: Stage, target: Stage) -> Process:
        """Wait for a token from ``source`` and take it."""
        while not self._count[source, target]:
            yield self._change[target]
        self._count[source, target] -= 1
