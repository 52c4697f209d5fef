"""A convolution on the accelerator: forward, error and gradient, with what surrounds them.

    forward    y  = s_a·s_w · forward(a, w)
    error      dx = s_e·s_w · error(e, w)
    gradient   dw = s_a·s_e · gradient(a, e)

The error at the output is quantized once and used by both backward passes. Every convolution here
is followed by a batch norm, so none has a bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from host.networks.batch_norm import BatchNorm
from host.networks.execution import Execution
from host.networks.parameter import Parameter
from host.numerics.quantization import (
    Array,
    Quantized,
    dequantize,
    quantize_errors,
    quantize_weights,
)
from hw.contract.precision import Pass, Precision


@dataclass(frozen=True)
class _Saved:
    """What the backward passes need of the forward pass."""

    a: Quantized
    w: Quantized
    precision: Precision
    macs: int


class Convolution:
    """``filters`` square kernels without bias, quantized to the precision of each call.

    Weights start as N(0, √(2 / (kernel²·filters))).
    """

    def __init__(
        self,
        name: str,
        channels: int,
        filters: int,
        *,
        kernel: int,
        stride: int,
        rng: np.random.Generator,
    ) -> None:
        deviation = np.sqrt(2 / (kernel**2 * filters))
        weights = rng.normal(0, deviation, (filters, channels, kernel, kernel))
        self.weight = Parameter(f"{name}.weight", weights.astype(np.float32))
        self.kernel, self.stride, self.padding = kernel, stride, kernel // 2
        self._saved: _Saved | None = None

    def parameters(self) -> list[Parameter]:
        return [self.weight]

    def forward(self, a: Quantized, precision: Precision, execution: Execution) -> Array:
        """Real output ``[N,K,P,Q]`` of the quantized input ``a``."""
        xp = execution.xp
        w = quantize_weights(xp, self.weight.value, precision.weight)
        result = execution.accelerator.forward(
            a.integers, w.integers, (a.bits, w.bits), self.stride, self.padding
        )
        if execution.training is not None:
            macs = math.prod(result.shape) * math.prod(self.weight.value.shape[1:])
            self._saved = _Saved(a, w, precision, macs)
            execution.training.costs.add(Pass.FORWARD, macs, precision)
        return dequantize(xp, result, a, w)

    def backward(self, e: Array, execution: Execution) -> Array:
        """Leave the weights' gradient, return the error at the input."""
        saved, quantized = self._backward_weights(e, execution)
        result = execution.accelerator.error(
            quantized.integers,
            saved.w.integers,
            (quantized.bits, saved.w.bits),
            self.stride,
            self.padding,
            input_size=tuple(saved.a.integers.shape[2:]),
        )
        execution.for_training.costs.add(Pass.ERROR, saved.macs, saved.precision)
        return dequantize(execution.xp, result, quantized, saved.w)

    def backward_weights(self, e: Array, execution: Execution) -> None:
        """Leave the weights' gradient only, where nothing comes before this convolution."""
        self._backward_weights(e, execution)

    def _backward_weights(self, e: Array, execution: Execution) -> tuple[_Saved, Quantized]:
        saved, self._saved = self._saved, None
        if saved is None:
            raise RuntimeError(
                f"{self.weight.name}: no forward pass in training to go back through"
            )
        training = execution.for_training
        quantized = quantize_errors(execution.xp, e, saved.precision.error, training.rounding)
        result = execution.accelerator.gradient(
            saved.a.integers,
            quantized.integers,
            (saved.a.bits, quantized.bits),
            self.stride,
            self.padding,
            kernel_size=self.kernel,
        )
        training.costs.add(Pass.GRADIENT, saved.macs, saved.precision)
        self.weight.gradient = dequantize(execution.xp, result, saved.a, quantized)
        return saved, quantized


class NormalizedConvolution:
    """A convolution and the batch norm that follows it."""

    def __init__(
        self,
        name: str,
        channels: int,
        filters: int,
        *,
        kernel: int,
        stride: int,
        rng: np.random.Generator,
    ) -> None:
        self.convolution = Convolution(
            name, channels, filters, kernel=kernel, stride=stride, rng=rng
        )
        self.norm = BatchNorm(f"{name}.norm", filters)

    def parameters(self) -> list[Parameter]:
        return self.convolution.parameters() + self.norm.parameters()

    def forward(self, a: Quantized, precision: Precision, execution: Execution) -> Array:
        return self.norm.forward(self.convolution.forward(a, precision, execution), execution)

    def backward(self, e: Array, execution: Execution) -> Array:
        """Leave all gradients, return the error at the input."""
        return self.convolution.backward(self.norm.backward(e, execution), execution)

    def backward_weights(self, e: Array, execution: Execution) -> None:
        """Leave all gradients, where nothing comes before."""
        self.convolution.backward_weights(self.norm.backward(e, execution), execution)
