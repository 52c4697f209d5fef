"""A training step on a machine that does whole steps, and the host's part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fractrain.host.arithmetic.integer_step import IntegerStep
from fractrain.host.execution import Executor
from fractrain.host.graph.choice import Choice
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.step import StepGraph
from fractrain.host.machine_step.exchange import Exchange
from fractrain.host.machine_step.frame import Frame
from fractrain.host.machine_step.layout import lay_out
from fractrain.host.machine_step.machine import StepOrder, WholeStepMachine
from fractrain.host.machine_step.outline import Outline
from fractrain.host.machine_step.scales import Held, StepScales
from fractrain.host.machine_step.settling import Settling
from fractrain.host.networks.network import Network
from fractrain.host.networks.parameter import Parameter
from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.precision import Precision
from fractrain.sim.golden.step.scales import Number
from fractrain.sim.golden.step.weights import UpdateRule, squares

REMEMBERED = 256
"""Tables of precisions whose layouts are kept: gates come back to the same choices."""


class Optimizer(Protocol):
    """What descends (`host.training.integer_optimizer.IntegerSgd`). ``velocity``: by parameter."""

    velocity: dict[str, Any]

    def update(self, parameter: Parameter, rate: float, step: int) -> None:
        """One update by the gradient that the parameter holds."""
        ...

    def descend(self, parameters: Sequence[Parameter], rate: float) -> None:
        """The same of several that are not multiplied."""
        ...

    def rule(self, scale: Number, before: Number, rate: float) -> UpdateRule:
        """Of weights with gradients worth ``scale`` a step, shifted by ``before``."""
        ...


@dataclass(frozen=True)
class StepDone:
    """``loss`` and ``logits[N,K]`` of the mini-batch; the choice of each block. ``whole``: the
    machine did the step, and not the executor, layer by layer; ``refusal``: why such steps never
    are the machine's."""

    loss: float
    logits: NDArray[np.float64]
    choices: list[Choice]
    whole: bool = True
    refusal: ParameterError | None = None


class MachineStep:
    """Steps of ``network`` on ``machine``, with updates by ``optimizer``.

    Weights of convolutions are on the machine: parameters and momenta of the host are theirs after
    `fetch` only, and who changes them says so (`changed`). All else is the host's, and the same as
    after the executor's step.

    What has no range, above all in the first step of a run, must be measured: such a mini-batch
    runs layer by layer on the executor first, or, if a tensor was zero in all steps so far,
    altogether. So do steps that the machine refuses.
    """

    def __init__(
        self,
        network: Network,
        arithmetic: IntegerStep,
        optimizer: Optimizer,
        machine: WholeStepMachine,
    ) -> None:
        self._arithmetic, self._optimizer, self._machine = arithmetic, optimizer, machine
        parameters = {each.name: each for each in network.parameters()}
        statistics = {each.name: each for each in network.statistics()}
        self._held = Held(parameters, statistics, {})
        self._outlines: dict[int, Outline] = {}
        self._frames: dict[tuple[int, tuple[Precision, ...]], Frame] = {}
        self._host_is_new, self._machine_is_new = True, False

    # -- weights ---------------------------------------------------------------------------

    def changed(self) -> None:
        """Weights of the host are others: those of a checkpoint, or after the executor's step."""
        self._host_is_new, self._machine_is_new = True, False

    def fetch(self) -> None:
        """Bring weights and momenta from the machine, unless the host has them."""
        if self._host_is_new:
            return
        for name, (weights, velocity) in self._machine.read_weights().items():
            held = self._held.parameters[name]
            held.value = self._arithmetic.from_host(held, np.asarray(weights, np.int64))
            self._optimizer.velocity[name] = self._arithmetic.from_host(
                held, np.asarray(velocity, np.int64)
            )
        self._host_is_new = True

    def _give(self) -> None:
        """Weights and momenta to the machine, unless it has them."""
        if self._machine_is_new:
            return
        to_host, given, reaches = self._arithmetic.to_host, {}, {}
        for name, held in self._held.parameters.items():
            if held.multiplied:
                weights = to_host(held, held.value)
                given[name] = weights, to_host(held, self._optimizer.velocity[name])
                reaches[name] = int(np.abs(weights).max(initial=0)), squares(weights)
        self._machine.write_weights(given)
        self._held = replace(self._held, weights=reaches)
        self._machine_is_new = True

    # -- a step ----------------------------------------------------------------------------

    def run(
        self,
        executor: Executor,
        batch: tuple[NDArray[Any], NDArray[Any]],
        rounding: tuple[int, int],
        rate: float,
        check: Callable[[float], None] = lambda loss: None,
    ) -> StepDone:
        """A step of the executor's graph on ``batch``, images and labels, with the update of all
        parameters, the selector's too. ``rounding``: seed and step; ``check`` may refuse the loss
        before anything moves.

        Raises `MachineError` where the machine fails, or does not give what it owes.
        """
        selector, graph = executor.selector, executor.graph
        self._measure(executor, batch, rounding)
        refusal = self._machine.refusal(graph)
        if refusal is not None:
            done = self._layer_by_layer(executor, batch, rounding, rate, check)
            return replace(done, refusal=refusal)
        selector.begin(training=True)
        choices = [selector.choose_early(each.number, training=True) for each in graph.blocks]
        table = graph.table(choices)
        frame = self._frame(graph, table)
        ranges = frame.find_ranges(self._arithmetic.history.values)
        if ranges is None:
            return self._layer_by_layer(executor, batch, rounding, rate, check)
        self._give()
        options = self._arithmetic.integers
        scales = StepScales(frame, ranges, self._held, options.residual_bits)
        records = scales.records(partial(self._optimizer.rule, rate=rate), options.mixing)
        kept = [kept_bits(each, options) for each in table]
        order = StepOrder(graph, batch[0], table, kept, *rounding, records)
        refusal = self._machine.refuses(order)
        if refusal is not None:
            done = self._layer_by_layer(executor, batch, rounding, rate, check)
            return replace(done, refusal=refusal)
        exchange = self._forward(order, scales, batch[1])
        loss = exchange.loss()
        check(loss)
        errors, exponent = exchange.pooled_errors()
        results = self._machine.backward(errors, scales.late_records(exponent))
        self._host_is_new = False
        self._take_reaches(results.weights)
        Settling(self._arithmetic, self._held, scales, results, exchange).settle(selector)
        small = [each for each in self._held.parameters.values() if not each.multiplied]
        self._optimizer.descend([*small, *selector.parameters()], rate)
        return StepDone(loss, exchange.logits, choices)

    def _outline(self, graph: StepGraph) -> Outline:
        """One for each number of images."""
        if graph.batch not in self._outlines:
            self._outlines[graph.batch] = Outline(graph)
        return self._outlines[graph.batch]

    def _frame(self, graph: StepGraph, table: Sequence[Precision]) -> Frame:
        """Of steps with these precisions."""
        outline, key = self._outline(graph), (graph.batch, tuple(table))
        if key not in self._frames:
            if len(self._frames) >= REMEMBERED:
                self._frames.clear()
            levels = self._arithmetic.weight_levels
            layout = lay_out(outline, self._arithmetic.integers, levels, table)
            self._frames[key] = Frame(layout, self._held.parameters)
        return self._frames[key]

    def _forward(self, order: StepOrder, scales: StepScales, labels: NDArray[Any]) -> Exchange:
        """The way forward; the end of the network, chunk by chunk."""
        layout = scales.frame.layout
        end, held = layout.outline.end, self._held.parameters
        classifier = held[end.linear.weight.name].value, held[end.linear.bias.name].value
        scale = float(scales.residual_scale[layout.pool_form])
        exchange = Exchange(labels, *classifier, scale, end.pixels)
        for chunk in self._machine.forward(order):
            exchange.take(chunk)
        return exchange

    def _take_reaches(self, reaches: Mapping[str, tuple[int, int]]) -> None:
        """Of the new weights, for the scales of the next step."""
        missing = self._held.weights.keys() - reaches.keys()
        if missing:
            raise MachineError(f"the machine gave no greatest magnitude of {min(missing)}")
        self._held = replace(self._held, weights=dict(reaches))

    # -- on the executor -------------------------------------------------------------------

    def _measure(self, executor: Executor, batch: Any, rounding: tuple[int, int]) -> None:
        if not self._all_known(executor) and not executor.is_known():
            self.fetch()
            run = executor.forward(self._given(batch), rounding, measuring=True)
            executor.backward(run)
            self._arithmetic.measured()

    def _all_known(self, executor: Executor) -> bool:
        """Whether `Executor.is_known` whatever is chosen; known ranges stay known."""
        values = self._arithmetic.history.values
        names = self._outline(executor.graph).ranges
        return executor.selector.can_choose_early and all(name in values for name in names)

    def _layer_by_layer(
        self,
        executor: Executor,
        batch: Any,
        rounding: tuple[int, int],
        rate: float,
        check: Callable[[float], None],
    ) -> StepDone:
        self.fetch()
        run = executor.forward(self._given(batch), rounding)
        check(run.loss)
        executor.backward(run)

        def update(parameter: Parameter) -> None:
            self._optimizer.update(parameter, rate, rounding[1])

        executor.update(run, update)
        for parameter in executor.selector.parameters():
            update(parameter)
        self.changed()
        choices = [run.choices[block.number] for block in executor.graph.blocks]
        return StepDone(run.loss, run.logits, choices, whole=False)

    def _given(self, batch: tuple[NDArray[Any], NDArray[Any]]) -> dict[str, Any]:
        from_host = self._arithmetic.elementwise.from_host
        return {
            name: from_host(each) for name, each in zip(("images", "labels"), batch, strict=True)
        }


def kept_bits(precision: Precision, options: IntegerOptions) -> KeptBits:
    """Bits of x̂ of a slot; of a skipped one, which has none, the fewest."""
    if not precision.activation:
        return KeptBits(words.MIN_NORMALIZED_BITS, words.MIN_NORMALIZED_BITS)
    place = precision.activation - 1
    return KeptBits(options.inner[place], options.outer[place])
