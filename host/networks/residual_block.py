"""The basic residual block: two 3x3 convolutions with batch norm, and a shortcut around them."""

from __future__ import annotations

import numpy as np

from host.networks.activation import ActivationRange, ReLU
from host.networks.convolution import NormalizedConvolution
from host.networks.execution import Execution
from host.networks.parameter import Parameter
from host.numerics.quantization import Array, quantize_activations
from hw.contract.precision import Precision


class ResidualBlock:
    """y = ReLU(second(ReLU(first(x))) + shortcut(x)).

    The shortcut is the identity, or where the block changes the shape, a 1x1 convolution of the
    same stride with batch norm ("option B"), which runs at `Execution.unquantized`.
    """

    def __init__(
        self, name: str, channels: int, filters: int, *, stride: int, rng: np.random.Generator
    ) -> None:
        self.first = NormalizedConvolution(
            f"{name}.first", channels, filters, kernel=3, stride=stride, rng=rng
        )
        self.second = NormalizedConvolution(
            f"{name}.second", filters, filters, kernel=3, stride=1, rng=rng
        )
        self.shortcut: NormalizedConvolution | None = None
        if stride != 1 or channels != filters:
            self.shortcut = NormalizedConvolution(
                f"{name}.shortcut", channels, filters, kernel=1, stride=stride, rng=rng
            )
        self._input_range, self._inner_range = ActivationRange(), ActivationRange()
        self._inner_relu, self._output_relu = ReLU(), ReLU()

    def parameters(self) -> list[Parameter]:
        shortcut = [] if self.shortcut is None else self.shortcut.parameters()
        return self.first.parameters() + self.second.parameters() + shortcut

    def forward(self, x: Array, precision: Precision, execution: Execution) -> Array:
        """Output of ``x`` ≥ 0, both convolutions at ``precision``; ``x`` is left as it is."""
        xp = execution.xp
        maximum = self._input_range.maximum(x, execution)
        a = quantize_activations(xp, x, precision.activation, maximum)
        inner = self._inner_relu.forward(self.first.forward(a, precision, execution), execution)
        a = self._inner_range.quantize(inner, precision.activation, execution)
        y = self.second.forward(a, precision, execution)
        if self.shortcut is None:
            y += x
        else:
            a = quantize_activations(xp, x, execution.unquantized.activation, maximum)
            y += self.shortcut.forward(a, execution.unquantized, execution)
        return self._output_relu.forward(y, execution)

    def backward(self, e: Array, execution: Execution) -> Array:
        """Leave all gradients, return the error at the input."""
        e = self._output_relu.backward(e)
        inner = self._inner_relu.backward(self.second.backward(e, execution))
        dx = self.first.backward(inner, execution)
        dx += e if self.shortcut is None else self.shortcut.backward(e, execution)
        return dx
