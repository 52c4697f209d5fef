"""Carries a step graph out, as it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.arithmetic import Arithmetic
from fractrain.host.execution.kernels import KERNELS, Kernel
from fractrain.host.execution.run import Run
from fractrain.host.graph.choice import UNQUANTIZED
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.skipping import is_skipped, lacks
from fractrain.host.graph.step import StepGraph
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.network import Network
from fractrain.host.networks.parameter import Parameter
from fractrain.host.networks.selection import Selector
from fractrain.hw.contract.precision import Precision

Observer = Callable[[Operation, Run], None]
"""Told of each operation that was carried out, while its inputs and outputs are in memory."""


def step_options(
    selector: Selector, arithmetic: Arithmetic, unquantized: Precision = UNQUANTIZED
) -> StepOptions:
    """How steps are made for who chooses precisions, and for what multiplies."""
    return StepOptions(
        tuple(selector.precisions),
        unquantized,
        stored_bits=selector.stored_bits,
        learns=selector.learns,
        per_sample=selector.per_sample,
        real=arithmetic.real,
        odd_weights=arithmetic.odd_weights,
    )


@dataclass(frozen=True)
class _Planned:
    """One operation or piece, what is done for it, and the tensors that nobody reads after it."""

    item: Operation | Piece
    kernel: Kernel | None
    dying: frozenset[str]


class Executor:
    """Carries out the steps of ``graph``, whose parameters are those of ``network``.

        run = executor.forward({"images": images, "labels": labels}, rounding)
        executor.backward(run)
        executor.update(run, optimizer)

    What an operation makes stays in memory until its last reader has been carried out, and no
    longer; its memory is used again where that reader can (`Run.own`). Convolutions between which
    there is nothing to do go to the arithmetic together.

    Raises `ParameterError` for an operation that it does not know, and for a step that the
    arithmetic's machine cannot do.
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
        forward, backward = graph.forward_pieces, graph.backward_pieces
        planned = _plan((*forward, *backward), graph.results)
        self._forward, self._backward = planned[: len(forward)], planned[len(forward) :]

    def forward(self, given: Mapping[str, Any], rounding: Any = None) -> Run:
        """The step up to its loss, or to the logits of an evaluation.

        ``given``: images, and in training labels; ``rounding``: the random numbers of its errors.
        """
        held = self._parameters, self._statistics
        run = Run(self.graph, self.arithmetic, self.selector, held, rounding)
        for name, value in given.items():
            run.values.put(name, value, lent=True)
        self.selector.begin(training=self.graph.training)
        self._carry_out(self._forward, run)
        return run

    def backward(self, run: Run) -> None:
        """The way back: the gradient of every parameter, None where all that has one was
        skipped."""
        for parameter in self._parameters.values():
            parameter.gradient = None
        self._carry_out(self._backward, run)

    def update(self, optimizer: Callable[[Parameter], None]) -> None:
        """``optimizer`` changes every parameter by its gradient."""
        for each in self.graph.updates:
            optimizer(self._parameters[each.parameter.name])

    def _carry_out(self, planned: Sequence[_Planned], run: Run) -> None:
        for each in planned:
            run.dying = each.dying
            if isinstance(each.item, Piece):
                self._convolve(each.item, run)
            elif self._runs(each.item, run):
                assert each.kernel is not None
                each.kernel(run, each.item)
                self._tell(each.item, run)
            run.values.free(each.dying)

    def _runs(self, operation: Operation, run: Run) -> bool:
        """Whether it is carried out; if not, pass on what it is bypassed by."""
        if is_skipped(operation, run.table):
            around = run.optional(operation.bypass)
            if around is not None:
                run.put(operation.outputs[0], around)
            return False
        return not lacks(operation, run.missing)

    def _convolve(self, piece: Piece, run: Run) -> None:
        running = [each for each in piece.convolutions if self._runs(each, run)]
        if not running:
            return
        operands = {tensor.name: run.value(tensor) for each in running for tensor in each.inputs}
        results = self.arithmetic.run_piece(piece, operands, run.table)
        for each in running:
            run.put(each.result, results.pop(each.result.name))
            self._tell(each, run)

    def _tell(self, operation: Operation, run: Run) -> None:
        if self._observer is not None:
            self._observer(operation, run)


def _plan(items: Sequence[Operation | Piece], results: Iterable[Tensor]) -> list[_Planned]:
    """``items`` with their kernels; ``results`` are never forgotten."""
    seen = {each.name for each in results}
    planned = []
    for item in reversed(items):
        operations = item.convolutions if isinstance(item, Piece) else (item,)
        names = {tensor.name for each in operations for tensor in (*each.inputs, *each.outputs)}
        kernel = None if isinstance(item, Piece) else KERNELS.of(item)
        planned.append(_Planned(item, kernel, frozenset(names - seen)))
        seen |= names
    return planned[::-1]
