"""Stochastic gradient descent of hardware mode: weights in integers, the rest in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fractrain.host.arithmetic.integer_step import IntegerStep
from fractrain.host.arithmetic.step_values import GradientSums
from fractrain.host.networks.parameter import Parameter
from fractrain.host.numerics.exact_descent import descend
from fractrain.hw.contract.random_bits import rounding_key
from fractrain.sim.golden.step.weights import update_rule

FIRST_NUMBER = 1 << 15
"""Of the weights among the tensors that are rounded at random; errors have smaller ones."""


class IntegerSgd:
    """v ← momentum·v + gradient + decay·value;   value ← value − rate·v

    Weights of convolutions as `sim.golden.step.weights` has it, with random bits of the parameter's
    place among ``parameters``; others in float64. ``velocity``: v of each parameter, by name.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        arithmetic: IntegerStep,
        *,
        momentum: float,
        weight_decay: float,
        seed: int,
    ) -> None:
        self.velocity: dict[str, Any] = {each.name: 0 * each.value for each in parameters}
        self._math = arithmetic.math
        self._momentum, self._weight_decay, self._seed = momentum, weight_decay, seed
        self._numbers = {each.name: FIRST_NUMBER + number for number, each in enumerate(parameters)}

    def update(self, parameter: Parameter, rate: float, step: int) -> None:
        """One update by the gradient that the parameter holds."""
        name, gradient = parameter.name, parameter.gradient
        if not parameter.multiplied:
            parameter.value, self.velocity[name] = descend(
                parameter.value,
                self.velocity[name],
                gradient,
                rate=rate,
                momentum=self._momentum,
                weight_decay=self._weight_decay,
            )
            return
        scale, bound, sums = 1.0, 0, None
        if gradient is not None:
            assert isinstance(gradient, GradientSums)
            scale, bound, sums = gradient.scale, gradient.bound, gradient.sums
        rule = update_rule(
            scale, bound, momentum=self._momentum, decay=self._weight_decay, rate=rate
        )
        key = rounding_key(self._seed, step, self._numbers[name])
        parameter.value, self.velocity[name] = self._math.update(
            parameter.value, self.velocity[name], sums, rule, key
        )
