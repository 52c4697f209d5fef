"""What a step graph says about a step on the machine, whatever its scales are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from fractrain.host.graph import operations as ops
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.skipping import carried_out
from fractrain.host.graph.step import StepGraph
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision

Kind = TypeVar("Kind", bound=Operation)


@dataclass(frozen=True)
class End:
    """The end of the network: one pooling, one linear layer, the loss, and their way back."""

    pool: ops.PoolSums
    linear: ops.Linear
    loss: ops.Loss
    back: ops.LinearBackward
    spread: ops.SpreadErrors

    @property
    def pixels(self) -> int:
        """Of an image at the pooling."""
        return self.pool.x.shape[2] * self.pool.x.shape[3]


class Outline:
    """Of ``graph``, a training step in integers.

    Raises `ParameterError` for a network that does not end as `End` has it.
    """

    def __init__(self, graph: StepGraph) -> None:
        self.graph = graph
        self.operations = tuple(graph.operations)
        self.end = self._find_end()
        measuring = ops.Narrow | ops.Form | ops.Join | ops.Apply
        self.ranges = [each.range_name for each in self.operations if isinstance(each, measuring)]
        """Of all tensors, skipped or not."""

    def running(self, table: Sequence[Precision]) -> tuple[Operation, ...]:
        """The operations that are carried out where slots have these precisions."""
        return tuple(carried_out(self.operations, table))

    def _find_end(self) -> End:
        end = End(
            self._only(ops.PoolSums),
            self._only(ops.Linear),
            self._only(ops.Loss),
            self._only(ops.LinearBackward),
            self._only(ops.SpreadErrors),
        )
        for reader, given, made in (
            ("classifier", end.linear.x, end.pool.y),
            ("loss", end.loss.logits, end.linear.y),
            ("way back of the classifier", end.back.e, end.loss.error),
            ("way back of the pooling", end.spread.e, end.back.dx),
        ):
            if given.name != made.name:
                raise ParameterError(f"{reader} of the step", given.name, made.name)
        return end

    def _only(self, kind: type[Kind]) -> Kind:
        found = [each for each in self.operations if isinstance(each, kind)]
        if len(found) != 1:
            name = f"operations {kind.__name__} of the step"
            raise ParameterError(name, len(found), "1, on a machine that does whole steps")
        return found[0]
