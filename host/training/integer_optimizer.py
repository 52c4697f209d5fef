"""Stochastic gradient descent of hardware mode: weights in integers, the rest in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fractrain.host.arithmetic.integer_step import IntegerStep
from fractrain.host.arithmetic.step_values import GradientSums
from fractrain.host.networks.parameter import Parameter
from fractrain.host.numerics.exact_descent import descend
from fractrain.hw.contract.random_bits import rounding_key
from fractrain.sim.golden.step.scales import Number
from fractrain.sim.golden.step.weights import UpdateRule, gradient_before, shifted_rule

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
            parameter.value, self.velocity[name] = self._descend(
                parameter.value, self.velocity[name], gradient, rate
            )
            return
        scale, bound, sums = 1.0, 0, None
        if gradient is not None:
            assert isinstance(gradient, GradientSums)
            scale, bound, sums = gradient.scale, gradient.bound, gradient.sums
        rule = self.rule(scale, gradient_before(bound), rate)
        key = rounding_key(self._seed, step, self._numbers[name])
        parameter.value, self.velocity[name] = self._math.update(
            parameter.value, self.velocity[name], sums, rule, key
        )

    def rule(self, scale: Number, before: Number, rate: float) -> UpdateRule:
        """Of weights with gradients worth ``scale`` a step, shifted by ``before``."""
        constants = {"momentum": self._momentum, "decay": self._weight_decay}
        return shifted_rule(scale, before, **constants, rate=rate)

    def descend(self, parameters: Sequence[Parameter], rate: float) -> None:
        """As `update` of each, none of which is multiplied: side by side, as they are many and
        small. What has no gradient goes by itself, as + 0 would turn −0 to 0."""
        for missing in (False, True):
            those = [each for each in parameters if (each.gradient is None) is missing]
            if not those:
                continue
            values, velocities = (
                np.concatenate([np.ravel(each) for each in arrays])
                for arrays in (
                    [each.value for each in those],
                    [self.velocity[each.name] for each in those],
                )
            )
            gradients = None
            if not missing:
                gradients = np.concatenate([np.ravel(each.gradient) for each in those])
            values, velocities = self._descend(values, velocities, gradients, rate)
            first = 0
            for each in those:
                shape, last = each.value.shape, first + each.value.size
                each.value = values[first:last].reshape(shape)
                self.velocity[each.name] = velocities[first:last].reshape(shape)
                first = last

    def _descend(self, value: Any, velocity: Any, gradient: Any, rate: float) -> tuple[Any, Any]:
        return descend(
            value,
            velocity,
            gradient,
            rate=rate,
            momentum=self._momentum,
            weight_decay=self._weight_decay,
        )
