"""A machine with a vector unit as the host sees it while a whole step is at work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision

Counts = Mapping[Tag, Mapping[str, int]]


@dataclass(frozen=True)
class StepLaunch:
    """A program in memory, ``commands`` commands from ``address`` on, in the first
    ``memory_bytes`` bytes.

    ``precisions`` and ``kept``: of the first slots, as the program looks at them; ``seed`` and
    ``step``, of its random bits.
    """

    address: int
    commands: int
    memory_bytes: int
    precisions: Sequence[Precision]
    kept: Sequence[KeptBits]
    seed: int
    step: int


class VectorMachine(ABC):
    """Carries out one program at a time, and meets the host on the way: by tokens, by memory.

        machine.memory(size)[...] = ...
        machine.written(first, count)
        machine.start(launch)
        while machine.wait():              # a token for the host
            machine.seen(first, count)     # then read machine.memory(size)
            machine.written(first, count)  # of what was written
            machine.give(1)                # a token of the host

    The functional machine, co-simulation and boards are some; what is above cannot tell them apart.
    Raises `MachineError` where the machine fails; it then takes another program.

    parameters : with a ``vector`` section
    base_address : of the first byte of its memory
    least_update_shift : factors of an update are m·2^−k, with k at least this; None: any
    """

    parameters: Parameters
    base_address: int = 0
    least_update_shift: int | None = None

    @abstractmethod
    def memory(self, size: int) -> NDArray[np.uint8]:
        """Its first ``size`` bytes, the same ones each time, also after a program.

        Raises `ParameterError` if there are not as many.
        """

    def written(self, first: int, count: int) -> None:  # noqa: B027  most share their memory
        """The machine is to see what the host has written to ``count`` bytes, from ``first`` of
        `memory` on."""

    def seen(self, first: int, count: int) -> None:  # noqa: B027
        """The host is to see what the machine has written there."""

    @abstractmethod
    def start(self, launch: StepLaunch) -> None:
        """Start a program, where none is at work."""

    @abstractmethod
    def wait(self) -> bool:
        """Until the program gives the host a token, which is taken (True), or ends (False)."""

    @abstractmethod
    def give(self, tokens: int) -> None:
        """Tokens of the host."""

    @abstractmethod
    def stop(self) -> None:
        """Abandon the program, wherever it is; memory keeps what it has written."""

    @property
    def counts(self) -> Counts | None:
        """The counters of the last program, once it has ended, by tag and by name
        (`hw.contract.registers`); None where nothing counts cycles."""
        return None
