"""The host beside a running program: it takes the tokens of its chunks and gives one back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fractrain.hw.contract.commands import SIGNAL, WAIT, Command, Stage, opcode_of
from fractrain.sim.cycles.kernel import Kernel, Process
from fractrain.sim.cycles.tokens import Tokens


class HostModel:
    """Takes ``cycles`` for each token that it is given; when it has had all, it gives those for
    which the program waits."""

    def __init__(
        self, kernel: Kernel, tokens: Tokens, commands: Sequence[Command], cycles: float
    ) -> None:
        self._kernel, self._tokens, self._cycles = kernel, tokens, cycles
        self._given = sum(_names(each, SIGNAL, each.signal) for each in commands)
        self._awaited = sum(_names(each, WAIT, each.wait) for each in commands)

    def start(self) -> None:
        if self._given:
            self._kernel.start(self._run())

    def _run(self) -> Process:
        for _ in range(self._given):
            yield from self._tokens.take_one(Stage.VECTOR, Stage.HOST)
            yield self._kernel.now + self._cycles
        for _ in range(self._awaited):
            self._tokens.put(Stage.HOST, Stage.FETCH)


def _names(command: Command, parties: Mapping[Stage, tuple[Stage, ...]], bits: int) -> bool:
    """Whether ``bits`` of ``command`` name the host."""
    stage = opcode_of(command).stage
    if stage is None:
        return False
    known = parties[stage]
    return Stage.HOST in known and bool(bits >> known.index(Stage.HOST) & 1)
