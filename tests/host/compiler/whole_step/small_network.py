"""A residual network of any stages, so that tests stay small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fractrain.host.networks.classifier import Classifier
from fractrain.host.networks.convolution import NormalizedConvolution, Shape
from fractrain.host.networks.residual_block import ResidualBlock
from fractrain.host.networks.resnet import PIXEL_BITS, PIXEL_SCALE
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.random_streams import Stream


class SmallNetwork:
    """``filters`` of the first convolution; ``blocks``: filters and stride of each."""

    def __init__(
        self, filters: int, blocks: Sequence[tuple[int, int]], *, channels: int, classes: int
    ) -> None:
        rng = counter_numbers(1, Stream.WEIGHTS)
        self.name = "small"
        self.first = NormalizedConvolution(
            "first", Shape(channels, filters, 3, 1, chosen=False), rng, None
        )
        self.blocks = []
        for number, (outputs, stride) in enumerate(blocks):
            name = f"block{number}"
            self.blocks.append(ResidualBlock(name, filters, outputs, stride=stride, rng=rng))
            filters = outputs
        self.classifier = Classifier(filters, classes, rng)

    def parameters(self) -> list[Any]:
        blocks = [each for block in self.blocks for each in block.parameters()]
        return self.first.parameters() + blocks + self.classifier.parameters()

    def statistics(self) -> list[Any]:
        blocks = [each for block in self.blocks for each in block.statistics()]
        return [*self.first.statistics(), *blocks]

    def emit(self, builder: Any) -> Any:
        pixels = builder.pixels(PIXEL_BITS, float(PIXEL_SCALE))
        x = self.first.emit(builder, pixels, builder.outside)
        x = builder.rectify("first.relu", x)
        for block in self.blocks:
            x = block.emit(builder, x)
        return self.classifier.emit(builder, x)
