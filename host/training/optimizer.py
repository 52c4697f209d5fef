"""Stochastic gradient descent with momentum, and schedules of its learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from fractrain.host.networks.parameter import Parameter
from fractrain.host.numerics.exact_descent import cosine_decay

MOMENTUM = 0.9
WEIGHT_DECAY = 1e-4


class MomentumSgd:
    """v ← momentum·v + gradient + decay·value;   value ← value − rate·v,   all in float32.

    Skipped parameters have a gradient of zero. ``velocity``: v of each parameter, by name.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        *,
        momentum: float = MOMENTUM,
        weight_decay: float = WEIGHT_DECAY,
    ) -> None:
        self.velocity: dict[str, Any] = {each.name: 0 * each.value for each in parameters}
        self._momentum, self._weight_decay = momentum, weight_decay

    def update(self, parameter: Parameter, rate: float, step: int = 0) -> None:
        """One update by the gradient that the parameter holds."""
        change = self._weight_decay * parameter.value
        if parameter.gradient is not None:
            change = parameter.gradient + change
        velocity = self._momentum * self.velocity[parameter.name] + change
        self.velocity[parameter.name] = velocity
        parameter.value = parameter.value - rate * velocity


def constant(progress: float) -> float:
    """The base rate throughout."""
    return 1.0


def step_decay(progress: float) -> float:
    """A tenth from half of the run on, a hundredth from three quarters (the CIFAR recipe)."""
    return 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01


def cosine(progress: float) -> float:
    """Half a cosine from the base rate down to nothing."""
    return 0.5 * (1 + math.cos(math.pi * progress))


LEARNING_RATES: dict[str, Callable[[float], float]] = {
    "step": step_decay,
    "cosine": cosine,
    "constant": constant,
}
"""Name → factor on the base rate, as a function of the fraction of the run that is done."""

EXACT_LEARNING_RATES = LEARNING_RATES | {"cosine": cosine_decay}
"""The same, equal to the last bit on every machine."""
