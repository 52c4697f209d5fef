"""A step while the host's work in it is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fractrain.host.graph import operations as ops
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.step import StepGraph
from fractrain.host.graph.tensor import Tensor
from fractrain.host.modelling.host_kinds import HostWork, Kind
from fractrain.host.networks.gates import Gates
from fractrain.hw.contract.precision import Precision


@dataclass
class Counting:
    """A step while it is counted, its slots at the precisions of ``table``; ``gates``: who chooses,
    if gates do.

    ``missing``: names of the tensors that do not exist. ``convolved``: what the machine does.
    ``from_gates``: names of the errors that gates make.
    """

    step: StepGraph
    table: Sequence[Precision]
    gates: Gates | None = None
    work: HostWork = field(default_factory=HostWork)
    convolved: set[ops.Convolve] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    from_gates: set[str] = field(default_factory=set)

    @property
    def integers(self) -> bool:
        """Whether the step is one of hardware mode."""
        return self.step.options.integers is not None

    @cached_property
    def masters(self) -> set[str]:
        """Names of the weights that convolutions multiply with."""
        found = (each for each in self.step.operations if isinstance(each, ops.QuantizeWeights))
        return {each.x.name for each in found}

    def add(self, kind: Kind, elements: float, calls: float = 1) -> None:
        """Count work on ``elements``."""
        self.work.add(kind, elements, calls)

    def exist(self, *tensors: Tensor) -> bool:
        """Whether all of ``tensors`` do."""
        return not any(each.name in self.missing for each in tensors)


Handler = Callable[[Counting, Any], None]
"""Adds the work of an operation."""


def nothing(counting: Counting, operation: Operation) -> None:
    """No work on the elements of a tensor, or work that another operation's kind has in it."""


def convolve(counting: Counting, operation: ops.Convolve) -> None:
    """The machine's: what remains is the way there and back, of the piece that it is in."""
    counting.convolved.add(operation)
