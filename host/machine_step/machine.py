"""A machine that carries whole steps out: what the host gives it, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fractrain.host.graph.machine_records import StepResults
from fractrain.host.graph.step import StepGraph
from fractrain.host.machine_step.records import StepColumns
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.precision import Precision

Masters = tuple[NDArray[np.integer], NDArray[np.integer]]
"""Master weights and momenta of a parameter, [K,C,R,S], 32 bits."""


@dataclass(frozen=True)
class StepOrder:
    """A step of ``graph``: ``images[N,C,H,W]`` as the data set has them; ``table`` and ``kept``:
    the precision of every slot, and its bits of x̂; ``seed`` and ``step``, of the random bits; all
    ``records`` that are known before."""

    graph: StepGraph
    images: NDArray[Any]
    table: Sequence[Precision]
    kept: Sequence[KeptBits]
    seed: int
    step: int
    records: StepColumns


@dataclass(frozen=True)
class PooledSums:
    """Σr over the pixels of some images at the last pooling, ``sums[images, channels]``; ``first``:
    the place of the first one in the mini-batch."""

    first: int
    sums: NDArray[np.integer]


class WholeStepMachine(Protocol):
    """A step is `forward`, whose iterator has been followed to its end, and then `backward`. In
    between weights are not touched; a `forward` without a `backward` (the loss was refused) is
    abandoned, and the next one begins anew.

    Raises `MachineError` where the machine fails.
    """

    def refusal(self, graph: StepGraph) -> ParameterError | None:
        """Why it cannot carry out steps of ``graph``, which then go layer by layer; None if it
        can."""
        ...

    def refuses(self, order: StepOrder) -> ParameterError | None:
        """The same of one step, for what its records say."""
        ...

    def write_weights(self, weights: Mapping[str, Masters]) -> None:
        """New weights and momenta, by parameter, in the place of the machine's own."""
        ...

    def read_weights(self) -> Mapping[str, Masters]:
        """Those after the last step."""
        ...

    def forward(self, order: StepOrder) -> Iterator[PooledSums]:
        """Start the step; the pooled sums of each chunk when they are there, in any order."""
        ...

    def backward(self, errors: NDArray[np.int16], records: StepColumns) -> StepResults:
        """The way back and the updates, from E at the pooling, ``[images, channels]``, and the
        records that depend on it."""
        ...
