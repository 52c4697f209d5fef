"""Tokens between the stages."""

from __future__ import annotations

from functools import partial

from fractrain.hw.contract.commands import (
    ENGINE_SIGNAL,
    ENGINE_STAGES,
    ENGINE_WAIT,
    Command,
    Stage,
)
from fractrain.sim.cycles.kernel import Change, Kernel, Process


class Tokens:
    """Counts of tokens per (from, to); a stage's command waits for all that it needs."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._count = {(a, b): 0 for a in ENGINE_STAGES for b in ENGINE_STAGES}
        self._change = {b: Change(kernel) for b in ENGINE_STAGES}
        self._told: dict[Stage, set[Change]] = {b: set() for b in ENGINE_STAGES}

    def tell(self, stage: Stage, change: Change) -> None:
        """Notify ``change``, too, whenever ``stage`` is given a token."""
        self._told[stage].add(change)

    def missing(self, stage: Stage, command: Command) -> list[Stage]:
        """Stages that still owe ``command`` a token."""
        return [
            source
            for bit, source in enumerate(ENGINE_WAIT[stage])
            if command.wait >> bit & 1 and not self._count[source, stage]
        ]

    def take(self, stage: Stage, command: Command) -> Process:
        """Wait for the tokens of ``command`` and take them."""
        while self.missing(stage, command):
            yield self._change[stage]
        for bit, source in enumerate(ENGINE_WAIT[stage]):
            self._count[source, stage] -= command.wait >> bit & 1

    def give(self, stage: Stage, command: Command, time: float) -> None:
        """At ``time``, the tokens of ``command``, which has ended."""
        if command.signal:
            self._kernel.call(partial(self._give, stage, command), time)

    def _give(self, stage: Stage, command: Command) -> None:
        for bit, target in enumerate(ENGINE_SIGNAL[stage]):
            if command.signal >> bit & 1:
                self._count[stage, target] += 1
                self._change[target].notify()
                for change in self._told[target]:
                    change.notify()
