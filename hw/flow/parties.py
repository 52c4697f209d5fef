"""Who carries out commands in a machine, and who gives tokens to whom."""

from collections.abc import Mapping
from dataclasses import dataclass

from fractrain.hw.contract.commands import (
    ENGINE_OPCODES,
    ENGINE_SIGNAL,
    ENGINE_STAGES,
    ENGINE_WAIT,
    SIGNAL,
    STAGES,
    WAIT,
    Opcode,
    Stage,
)
from fractrain.hw.contract.parameters import Parameters

__all__ = ["ENGINE", "WITH_VECTOR", "Parties", "parties"]


@dataclass(frozen=True)
class Parties:
    """Stages and commands of a machine.

    opcodes : all that it knows
    stages : those that carry out commands
    wait, signal : the parties from which a stage takes tokens, and to which it gives them, from
        bit 0 of the field on
    host : whether the host is one of the parties
    """

    opcodes: tuple[Opcode, ...]
    stages: tuple[Stage, ...]
    wait: Mapping[Stage, tuple[Stage, ...]]
    signal: Mapping[Stage, tuple[Stage, ...]]
    host: bool

    @property
    def channels(self) -> tuple[tuple[Stage, Stage], ...]:
        """Every pair of stages of which the first gives tokens to the second."""
        return tuple(
            (source, target)
            for source in self.stages
            for target in self.signal[source]
            if target in self.stages
        )

    @property
    def unconditional(self) -> tuple[Opcode, ...]:
        """Commands that are carried out whatever bits their operands have."""
        return tuple(opcode for opcode in self.opcodes if not opcode.skips)


ENGINE = Parties(ENGINE_OPCODES, ENGINE_STAGES, ENGINE_WAIT, ENGINE_SIGNAL, host=False)
"""Of a machine without a vector unit."""

_OF_UNIT = tuple(opcode for opcode in Opcode if opcode not in ENGINE_OPCODES)
WITH_VECTOR = Parties((*ENGINE_OPCODES, *_OF_UNIT), STAGES, WAIT, SIGNAL, host=True)
"""Of one with a vector unit."""


def parties(parameters: Parameters) -> Parties:
    """Those of the machine of ``parameters``."""
    return ENGINE if parameters.vector is None else WITH_VECTOR
