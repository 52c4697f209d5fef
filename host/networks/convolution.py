"""A convolution layer: its weights, the three passes, and what they cost.

The error at the output is quantized once and used by both backward passes. Every convolution here
is followed by a batch norm, so none has a bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fractrain.host.arithmetic.arithmetic import Operand
from fractrain.host.graph.builder import Builder, Slots
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.batch_norm import BatchNorm
from fractrain.host.networks.execution import Execution
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.precision import Pass, Precision


@dataclass(frozen=True)
class Shape:
    """What a convolution layer is, apart from its weights.

    ``chosen``: its precision is chosen while training runs; else it is a layer that the papers
    leave unquantized.
    """

    channels: int
    filters: int
    kernel: int
    stride: int
    chosen: bool = True

    @property
    def padding(self) -> int:
        return self.kernel // 2

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the output, of an input of ``size``."""
        height, width = (
            (length + 2 * self.padding - self.kernel) // self.stride + 1 for length in size
        )
        return height, width

    def macs(self, size: tuple[int, int]) -> int:
        """Multiply-accumulates of one pass over one image of ``size``, padding included."""
        return math.prod(self.output_size(size)) * self.filters * self.channels * self.kernel**2


@dataclass(frozen=True)
class _Saved:
    """What the backward passes need of the forward pass."""

    a: Operand
    w: Operand
    precision: Precision
    size: tuple[int, int]
    macs: int


class Convolution:
    """``filters`` square kernels without bias, quantized to the precision of each call.

    Weights start as N(0, √(2 / (kernel²·filters))). Backward passes undo forward passes, the last
    first.
    """

    def __init__(self, name: str, shape: Shape, rng: np.random.Generator) -> None:
        deviation = np.sqrt(2 / (shape.kernel**2 * shape.filters))
        weights = rng.normal(
            0, deviation, (shape.filters, shape.channels, shape.kernel, shape.kernel)
        )
        self.name, self.shape = name, shape
        self.weight = Parameter(f"{name}.weight", weights.astype(np.float32))
        self._saved: list[_Saved] = []

    def parameters(self) -> list[Parameter]:
        return [self.weight]

    def quantizes(self, execution: Execution) -> bool:
        """Whether this layer is quantized in this arithmetic."""
        return self.shape.chosen or execution.arithmetic.quantizes_all

    def slot(self, slots: Slots) -> int:
        """The one of ``slots`` that this layer's precision is in."""
        return slots.chosen if self.shape.chosen else slots.others

    def emit(self, builder: Builder, a: Tensor, slots: Slots) -> Tensor:
        """The convolution of ``a``, quantized for this layer, in real numbers."""
        shape = self.shape
        return builder.convolve(
            self.name, a, self.weight, shape.stride, shape.padding, self.slot(slots)
        )

    def forward(
        self,
        a: Operand,
        size: tuple[int, int],
        images: int,
        precision: Precision,
        execution: Execution,
    ) -> Array:
        """Real output ``[N,K,P,Q]`` of the operand ``a`` of ``size`` (rows, columns).

        The cost is counted for ``images`` of the batch.
        """
        arithmetic, shape = execution.arithmetic, self.shape
        w = arithmetic.weights(
            self.weight.value, precision.weight if self.quantizes(execution) else None
        )
        y = arithmetic.forward(a, w, shape.stride, shape.padding)
        if execution.training is not None:
            saved = _Saved(a, w, precision, size, images * shape.macs(size))
            if execution.keeps:
                self._saved.append(saved)
            self._count(Pass.FORWARD, saved, a, execution)
        return y

    def backward(self, e: Array, execution: Execution) -> Array:
        """Add to the weights' gradient, return the error at the input."""
        saved, quantized = self._backward_weights(e, execution)
        shape = self.shape
        dx = execution.arithmetic.error(quantized, saved.w, shape.stride, shape.padding, saved.size)
        self._count(Pass.ERROR, saved, quantized, execution)
        return dx

    def backward_weights(self, e: Array, execution: Execution) -> None:
        """Add to the weights' gradient only, where nothing comes before this convolution."""
        self._backward_weights(e, execution)

    def _backward_weights(self, e: Array, execution: Execution) -> tuple[_Saved, Operand]:
        if not self._saved:
            raise RuntimeError(
                f"{self.weight.name}: no forward pass in training to go back through"
            )
        saved, shape, training = self._saved.pop(), self.shape, execution.for_training
        quantized = execution.arithmetic.errors(
            e, saved.precision.error if self.quantizes(execution) else None, training.rounding
        )
        gradient = execution.arithmetic.gradient(
            saved.a, quantized, shape.stride, shape.padding, shape.kernel
        )
        self._count(Pass.GRADIENT, saved, saved.a, execution)
        self.weight.add_gradient(gradient)
        return saved, quantized

    def _count(self, which: Pass, saved: _Saved, x: Operand, execution: Execution) -> None:
        costs, chosen = execution.for_training.costs, self.shape.chosen
        costs.add(which, saved.macs, saved.precision, chosen=chosen)
        extra = execution.arithmetic.extra_bit_products(
            which, saved.macs, tuple(self.weight.value.shape), x, saved.w
        )
        costs.add_bit_products(extra, 0, chosen=chosen)


class NormalizedConvolution:
    """A convolution and the batch norm that follows it."""

    def __init__(
        self, name: str, shape: Shape, rng: np.random.Generator, group: int | None = None
    ) -> None:
        self.convolution = Convolution(name, shape, rng)
        self.norm = BatchNorm(f"{name}.norm", shape.filters, group)

    def parameters(self) -> list[Parameter]:
        return self.convolution.parameters() + self.norm.parameters()

    def statistics(self) -> list[Statistic]:
        return self.norm.statistics()

    def slot(self, slots: Slots) -> int:
        """As `Convolution.slot`."""
        return self.convolution.slot(slots)

    def emit(self, builder: Builder, a: Tensor, slots: Slots) -> Tensor:
        """As `Convolution.emit`, normalized."""
        y = self.convolution.emit(builder, a, slots)
        return self.norm.emit(builder, y, self.slot(slots))

    def forward(
        self,
        a: Operand,
        size: tuple[int, int],
        images: int,
        precision: Precision,
        execution: Execution,
    ) -> Array:
        """As `Convolution.forward`, normalized."""
        y = self.convolution.forward(a, size, images, precision, execution)
        return self.norm.forward(y, execution)

    def backward(self, e: Array, execution: Execution) -> Array:
        """Add to all gradients, return the error at the input."""
        return self.convolution.backward(self.norm.backward(e, execution), execution)

    def backward_weights(self, e: Array, execution: Execution) -> None:
        """Add to all gradients, where nothing comes before."""
        self.convolution.backward_weights(self.norm.backward(e, execution), execution)
