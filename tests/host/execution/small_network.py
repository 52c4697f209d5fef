"""A network of one's own: convolutions, batch norm, rectifier, pooling."""

import numpy as np

from fractrain.host.graph.blocks import Slots
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.activation import ActivationRange
from fractrain.host.networks.classifier import Classifier
from fractrain.host.networks.convolution import NormalizedConvolution, Shape
from fractrain.host.networks.parameter import Parameter, Statistic


class SmallNetwork:
    """Two convolutions without a shortcut: the first unquantized, the second at chosen bits."""

    name = "small"

    def __init__(self, channels: int, classes: int, rng: np.random.Generator) -> None:
        self.first = NormalizedConvolution("first", Shape(channels, 4, 3, 1, chosen=False), rng)
        self.second = NormalizedConvolution("second", Shape(4, 8, 3, 2), rng)
        self.range = ActivationRange("second.input")
        self.classifier = Classifier(8, classes, rng)

    def parameters(self) -> list[Parameter]:
        return [p for each in (self.first, self.second, self.classifier) for p in each.parameters()]

    def statistics(self) -> list[Statistic]:
        return [*self.first.statistics(), *self.second.statistics(), self.range.running]

    def emit(self, builder: Builder) -> Tensor:
        x = self.first.emit(builder, builder.pixels(8, 1 / 255), builder.outside)
        x = builder.rectify("first.relu", x)
        extent = self.range.emit(builder, x)

        def body(x: Tensor, slots: Slots) -> Tensor:
            a = builder.activations("second.a", x, extent, slots.chosen)
            return builder.rectify("second.relu", self.second.emit(builder, a, slots))

        return self.classifier.emit(builder, builder.block("second", x, body))
