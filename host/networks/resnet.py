"""Residual networks for small images: 6n+2 layers in three stages (He et al., 2015, §4.2)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.activation import ActivationRange
from fractrain.host.networks.classifier import Classifier
from fractrain.host.networks.convolution import NormalizedConvolution, Shape
from fractrain.host.networks.network import NetworkFamily
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.networks.residual_block import ResidualBlock
from fractrain.host.numerics.random_streams import RandomNumbers
from fractrain.hw.contract.errors import ParameterError

STAGE_FILTERS = (16, 32, 64)
DEEPEST = 1202
"""Layers of the deepest network of this kind that was published (He et al., 2015, §4.2)."""

PIXEL_BITS = 8
PIXEL_SCALE = np.float32(1 / 255)


class ResNet:
    """First convolution, three stages of n residual blocks (16, 32, 64 channels), classifier.

    Images are unsigned 8-bit pixels and enter the first convolution as they are, at scale 1/255,
    without quantization. No mean is subtracted, as activations are unsigned; the batch norm behind
    the first convolution removes mean and contrast. (The published numerics normalize them, and
    quantize them where the first convolution is quantized: `host.arithmetic.published`.)

    The order of `parameters` is part of the interface (`weights_sha256` depends on it): first
    convolution; blocks in order, in each: first, second, shortcut; classifier. Each convolution
    is followed by its batch norm's γ and β.
    """

    def __init__(
        self,
        depth: int,
        *,
        channels: int,
        classes: int,
        rng: RandomNumbers,
        group: int | None = None,
    ) -> None:
        self.name = f"resnet{depth}"
        shape = Shape(channels, STAGE_FILTERS[0], 3, 1, chosen=False)
        self.first = NormalizedConvolution("first", shape, rng, group)
        self._pixel_range = ActivationRange("first.input")
        self.blocks: list[ResidualBlock] = []
        width = STAGE_FILTERS[0]
        for stage, filters in enumerate(STAGE_FILTERS):
            for index in range((depth - 2) // 6):
                stride = 2 if stage > 0 and index == 0 else 1
                name = f"stage{stage}.block{index}"
                self.blocks.append(
                    ResidualBlock(name, width, filters, stride=stride, rng=rng, group=group)
                )
                width = filters
        self.classifier = Classifier(width, classes, rng)

    def parameters(self) -> list[Parameter]:
        blocks = [each for block in self.blocks for each in block.parameters()]
        return self.first.parameters() + blocks + self.classifier.parameters()

    def statistics(self) -> list[Statistic]:
        """Running statistics of batch norms and activation ranges."""
        blocks = [each for block in self.blocks for each in block.statistics()]
        return [*self.first.statistics(), self._pixel_range.running, *blocks]

    def emit(self, builder: Builder) -> Tensor:
        """Logits ``[N, classes]`` of unsigned 8-bit images."""
        pixels = builder.pixels(PIXEL_BITS, float(PIXEL_SCALE), self._pixel_range.running)
        x = self.first.emit(builder, pixels, builder.outside)
        x = builder.rectify("first.relu", x)
        for block in self.blocks:
            x = block.emit(builder, x)
        return self.classifier.emit(builder, x)


MODELS = f"resnet8, resnet14, resnet20, … resnet{DEEPEST} (6n+2 layers)"


def depth_of(model: str) -> int:
    """Layers of the network named ``model``: ``resnet`` and its depth, 6n+2.

    Raises `ParameterError` for any other name.
    """
    match = re.fullmatch(r"resnet([1-9][0-9]{0,3})", model)
    depth = int(match.group(1)) if match else 0
    if not 8 <= depth <= DEEPEST or depth % 6 != 2:
        raise ParameterError("model", model, MODELS)
    return depth


def knows(model: str) -> bool:
    """Whether it is one of these."""
    try:
        return depth_of(model) > 0
    except ParameterError:
        return False


def build(model: str, **settings: Any) -> ResNet:
    """The network named ``model``; errors as of `depth_of`, ``settings`` as of `ResNet`."""
    return ResNet(depth_of(model), **settings)


NETWORK = NetworkFamily("resnet", MODELS, knows, build)
