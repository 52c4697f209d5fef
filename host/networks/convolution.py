"""A convolution layer: its weights, and the batch norm behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fractrain.host.graph.blocks import Slots
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.batch_norm import BatchNorm
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.numerics.random_streams import RandomNumbers


@dataclass(frozen=True)
class Shape:
    """The shape of a convolution layer.

    ``chosen``: its precision is chosen while training runs; else it is a layer that the paper
    leaves unquantized.
    """

    channels: int
    filters: int
    kernel: int
    stride: int
    chosen: bool = True

    @property
    def padding(self) -> int:
        return self.kernel // 2


class Convolution:
    """``filters`` square kernels without bias (a batch norm follows).

    Weights start as N(0, √(2 / (kernel²·filters))).
    """

    def __init__(self, name: str, shape: Shape, rng: RandomNumbers) -> None:
        deviation = np.sqrt(2 / (shape.kernel**2 * shape.filters))
        weights = rng.normal(
            0, deviation, (shape.filters, shape.channels, shape.kernel, shape.kernel)
        )
        self.name, self.shape = name, shape
        self.weight = Parameter(f"{name}.weight", weights.astype(np.float32), multiplied=True)

    def parameters(self) -> list[Parameter]:
        return [self.weight]

    def slot(self, slots: Slots) -> int:
        """This layer's slot among ``slots``."""
        return slots.chosen if self.shape.chosen else slots.others

    def emit(self, builder: Builder, a: Tensor, slots: Slots) -> Tensor:
        """The convolution of ``a``, quantized for this layer, in real numbers."""
        shape = self.shape
        return builder.convolve(
            self.name, a, self.weight, shape.stride, shape.padding, self.slot(slots)
        )


class NormalizedConvolution:
    """A convolution and the batch norm that follows it."""

    def __init__(
        self, name: str, shape: Shape, rng: RandomNumbers, group: int | None = None
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
