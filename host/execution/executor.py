"""Carries out a step graph in its order."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.arithmetic import Arithmetic
from fractrain.host.execution.kernels import KERNELS
from fractrain.host.execution.run import Run
from fractrain.host.graph.choice import UNQUANTIZED, is_skip
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.skipping import find_certain
from fractrain.host.graph.step import StepGraph
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.network import Network
from fractrain.host.networks.parameter import Parameter
from fractrain.host.networks.selection import Selector
from fractrain.hw.contract.precision import Precision

Observer = Callable[[Operation, Run], None]
"""Called with each operation after it was carried out, with its inputs and outputs in memory."""


def step_options(
    selector: Selector, arithmetic: Arithmetic, unquantized: Precision = UNQUANTIZED
) -> StepOptions:
    """The options of steps with this selector and this arithmetic."""
    return StepOptions(
        tuple(selector.precisions),
        unquantized,
        stored_bits=selector.stored_bits,
        learns=selector.learns,
        per_sample=selector.per_sample,
        real=arithmetic.real,
        known=selector.known is not None,
        odd_weights=arithmetic.odd_weights,
        integers=arithmetic.integers,
    )


class _Planned:
    """An operation, its kernel, and the names of its inputs without parameters."""

    def __init__(self, operation: Operation, parameters: Container[str]) -> None:
        def names(tensors: Iterable[Tensor]) -> tuple[str, ...]:
            return tuple(each.name for each in tensors if each.name not in parameters)

        self.operation, self.kernel = operation, KERNELS.of(operation)
        self.slot, self.bypass = operation.slot, operation.bypass
        self.needed, self.inputs = names(operation.needed), names(operation.inputs)
        self.any_will_do = not operation.needed and len(self.inputs) == len(operation.inputs) > 0

    def runs(self, run: Run) -> bool:
        """Whether it is carried out (`host.graph.skipping` has the rules); if not, its bypass is
        passed on."""
        values = run.values
        if self.slot is not None and is_skip(run.table[self.slot]):
            around = run.optional(self.bypass)
            if around is not None:
                run.put(self.operation.outputs[0], around)
            return False
        if self.any_will_do:
            return any(name in values for name in self.inputs)
        return all(name in values for name in self.needed)


@dataclass(frozen=True)
class _Turn:
    """One operation, or the convolutions of a ``piece``; whether it is ``certain`` to be carried
    out, and the tensors that are not read afterwards."""

    planned: tuple[_Planned, ...]
    piece: Piece | None
    certain: bool
    dying: frozenset[str]


class Executor:
    """Carries out the steps of ``graph`` on the parameters of ``network``.

        run = executor.forward({"images": images, "labels": labels}, rounding)
        executor.backward(run)
        executor.update(run, optimizer)

    A result stays in memory until its last reader has been carried out, and no longer; that reader
    reuses its memory where it can (`Run.own`). Convolutions without other work between them go to
    the arithmetic together.

    Raises `ParameterError` for an unknown operation, and for a step that the arithmetic's machine
    cannot do.
    """

    def __init__(
        self,
        graph: StepGraph,
        network: Network,
        arithmetic: Arithmetic,
        selector: Selector,
        observer: Observer | None = None,
    ) -> None:
        self.graph, self.arithmetic, self.selector = graph, arithmetic, selector
        self._observer = observer
        arithmetic.prepare(graph)
        self._parameters = {each.name: each for each in network.parameters()}
        self._statistics = {each.name: each for each in network.statistics()}
        turns, count = _plan(graph, self._parameters), len(graph.forward_pieces)
        self._forward, self._backward = turns[:count], turns[count:]

    def is_known(self) -> bool:
        """Whether the next step need not be measured first, with the choices made before it."""
        selector, blocks = self.selector, self.graph.blocks
        if not selector.can_choose_early:
            return False
        if not self.arithmetic.missing(self.graph):
            return True  # whatever is chosen
        selector.begin(training=True)
        choices = [selector.choose_early(each.number, training=True) for each in blocks]
        return not self.arithmetic.missing(self.graph, self.graph.table(choices))

    def forward(
        self, given: Mapping[str, Any], rounding: Any = None, *, measuring: bool = False
    ) -> Run:
        """The step up to its loss, or to the logits of an evaluation.

        ``given``: images, and in training labels; ``rounding``: the random numbers of its errors.
        ``measuring``: the selector chooses without what it recorded.
        """
        held = self._parameters, self._statistics
        run = Run(self.graph, self.arithmetic, self.selector, held, rounding)
        for name, value in given.items():
            run.values.put(name, value, lent=True)
        run.measuring = measuring
        self.selector.begin(training=self.graph.training)
        self._carry_out(self._forward, run)
        return run

    def backward(self, run: Run) -> None:
        """The way back: the gradient of every parameter, None if everything with it was skipped."""
        for parameter in self._parameters.values():
            parameter.gradient = None
        self._carry_out(self._backward, run)

    def update(self, run: Run, optimizer: Callable[[Parameter], None]) -> None:
        """``optimizer`` changes every parameter by its gradient."""
        self.arithmetic.commit(run.pending)
        for each in self.graph.updates:
            optimizer(self._parameters[each.parameter.name])

    def _carry_out(self, turns: Sequence[_Turn], run: Run) -> None:
        for turn in turns:
            run.dying = turn.dying
            running = turn.planned if turn.certain else _running(turn, run)
            if turn.piece is not None and running:
                self._convolve(turn.piece, running, run)
            for each in running:
                each.kernel(run, each.operation)
                if self._observer is not None:
                    self._observer(each.operation, run)
            run.values.free(turn.dying)

    def _convolve(self, piece: Piece, running: Sequence[_Planned], run: Run) -> None:
        """Compute the results of the convolutions ``running``, for their kernels to take."""
        operands = {
            tensor.name: run.value(tensor) for each in running for tensor in each.operation.inputs
        }
        run.sums = self.arithmetic.run_piece(piece, operands, run.table)


def _running(turn: _Turn, run: Run) -> tuple[_Planned, ...]:
    """What is carried out of it."""
    return tuple(each for each in turn.planned if each.runs(run))


def _plan(graph: StepGraph, parameters: Container[str]) -> list[_Turn]:
    """All turns of ``graph``; its results are never forgotten."""
    certain = find_certain(graph.operations, graph.slots)
    seen = {each.name for each in graph.results}
    turns = []
    for item in reversed((*graph.forward_pieces, *graph.backward_pieces)):
        piece = item if isinstance(item, Piece) else None
        operations = (item,) if isinstance(item, Operation) else item.convolutions
        names = {tensor.name for each in operations for tensor in (*each.inputs, *each.outputs)}
        planned = tuple(_Planned(each, parameters) for each in operations)
        sure = all(each.name in certain for each in operations)
        turns.append(_Turn(planned, piece, sure, frozenset(names - seen)))
        seen |= names
    return turns[::-1]
