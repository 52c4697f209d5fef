"""Layers on their own: what a few operations make of a tensor, there and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fractrain.host.arithmetic import Arithmetic
from fractrain.host.execution import Executor, Run, step_options
from fractrain.host.execution.executor import Observer
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.choice import UNQUANTIZED, Choice
from fractrain.host.graph.effective_macs import EffectiveMacs
from fractrain.host.graph.step import StepGraph, finish
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.networks.selection import FixedSelector, Selector
from fractrain.hw.contract.precision import Precision

WIDEST = Precision(16, 16, 16)

Emit = Callable[[Builder, Tensor], Tensor]


@dataclass
class Alone:
    """What ``emit`` makes of ``x``, as a network; the parameter ``x`` gets the error at x."""

    x: Parameter
    layers: Sequence[Any]
    emit: Emit
    arithmetic: Arithmetic
    selector: Selector
    unquantized: Precision

    name = "alone"

    def parameters(self) -> list[Parameter]:
        return [self.x, *(each for layer in self.layers for each in layer.parameters())]

    def statistics(self) -> list[Statistic]:
        layers = (each for each in self.layers if hasattr(each, "statistics"))
        return [each for layer in layers for each in layer.statistics()]

    def graph(self, *, training: bool) -> StepGraph:
        options = step_options(self.selector, self.arithmetic, self.unquantized)
        shape: Any = (*self.x.value.shape, 1, 1, 1, 1)[:4]
        builder = Builder(options, shape, training=training)
        y = self.emit(builder, builder.parameter(self.x))
        if not training:
            return finish(builder, y)
        return finish(builder, y, builder.tensor("e", y.shape), self.parameters())


@dataclass
class There:
    """After the forward pass: the output ``y``, and the step that it is of."""

    y: np.ndarray
    run: Run
    executor: Executor
    x: Parameter

    def back(self, e: np.ndarray) -> np.ndarray:
        """The error at x, of the error ``e`` at y."""
        self.run.values.put("e", e, lent=True)
        self.executor.backward(self.run)
        return self.x.gradient

    @property
    def costs(self) -> EffectiveMacs:
        """Of the whole step."""
        costs, graph = EffectiveMacs(), self.run.graph
        costs.add_step(graph, [self.run.choices[block.number] for block in graph.blocks])
        return costs


def carry_out(
    emit: Emit,
    x: np.ndarray,
    arithmetic: Arithmetic,
    *layers: Any,
    training: bool = True,
    selector: Selector | None = None,
    unquantized: Precision = UNQUANTIZED,
    step: int = 0,
    observer: Observer | None = None,
) -> There:
    """Go forward through what ``emit`` emits, with the parameters of ``layers``."""
    selector = selector or FixedSelector(WIDEST)
    alone = Alone(Parameter("x", x), layers, emit, arithmetic, selector, unquantized)
    executor = Executor(alone.graph(training=training), alone, arithmetic, selector, observer)
    run = executor.forward({}, arithmetic.elementwise.rounding(0, step))
    return There(run.logits, run, executor, alone.x)


class Chosen(Selector):
    """One choice, made before, for all blocks."""

    def __init__(
        self,
        choice: Choice,
        *,
        stored_bits: int | None = None,
        learns: bool = False,
        per_sample: bool = False,
    ) -> None:
        self.precisions = [path.precision for path in choice.paths]
        self.stored_bits, self.learns, self.per_sample = stored_bits, learns, per_sample
        self.shares: list[np.ndarray] = []
        self._choice = choice

    def choose(self, index: int, x: Any, elementwise: Any) -> Choice:
        return self._choice

    def backward(self, index: int, shares: Any, shape: tuple[int, ...], elementwise: Any) -> Any:
        self.shares.append(shares)
        return np.zeros((1, shape[1], 1, 1), np.float32)
