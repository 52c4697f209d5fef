"""What a step graph says about a step on the machine, whatever its scales are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from fractrain.host.graph import operations as ops
from fractrain.host.graph.machine_records import NormKey
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.skipping import carried_out
from fractrain.host.graph.step import StepGraph
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision

Kind = TypeVar("Kind", bound=Operation)

REMEMBERED = 256
"""Tables whose operations are kept: gates come back to the same choices."""


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
        forms = [each for each in self.operations if isinstance(each, ops.Form)]
        self.norm_of = {
            kept.name: NormKey(form.name, place)
            for form in forms
            for place, kept in enumerate(form.kept)
        }
        """By the name of x̂ for the way back."""
        self.maker_of = {form.r.name: form for form in forms if form.r is not None}
        """By the name of a residual."""
        self._running: dict[tuple[Precision, ...], tuple[Operation, ...]] = {}

    def running(self, table: Sequence[Precision]) -> tuple[Operation, ...]:
        """The operations that are carried out where slots have these precisions."""
        key = tuple(table)
        found = self._running.get(key)
        if found is None:
            if len(self._running) >= REMEMBERED:
                self._running.clear()
            found = self._running[key] = tuple(carried_out(self.operations, key))
        return found

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
