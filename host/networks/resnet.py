"""Residual networks for small images: 6n+2 layers in three stages (He et al., 2015, §4.2)."""

from __future__ import annotations

import re

import numpy as np

from fractrain.host.graph.builder import Builder
from fractrain.host.graph.choice import Choice
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.activation import ReLU
from fractrain.host.networks.classifier import Classifier
from fractrain.host.networks.convolution import NormalizedConvolution, Shape
from fractrain.host.networks.execution import Execution
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.networks.residual_block import ResidualBlock
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.errors import ParameterError

STAGE_FILTERS = (16, 32, 64)
DEEPEST = 1202
"""Layers of the deepest network of this kind that was published (He et al., 2015, §4.2)."""

PIXEL_BITS = 8
PIXEL_SCALE = np.float32(1 / 255)


class ResNet:
    """First convolution, three stages of n residual blocks (16, 32, 64 channels), classifier.

    Images are unsigned 8-bit pixels and enter the first convolution as they are, at scale 1/255:
    they need no quantization. Nothing is subtracted from them, because activations are unsigned;
    the batch norm behind the first convolution removes a mean, and a contrast, all the same.

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
        rng: np.random.Generator,
        group: int | None = None,
    ) -> None:
        self.name = f"resnet{depth}"
        shape = Shape(channels, STAGE_FILTERS[0], 3, 1, chosen=False)
        self.first = NormalizedConvolution("first", shape, rng, group)
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
        self._relu = ReLU()
        self.choices: list[Choice] = []  # of the last pass, one for each block

    def parameters(self) -> list[Parameter]:
        blocks = [each for block in self.blocks for each in block.parameters()]
        return self.first.parameters() + blocks + self.classifier.parameters()

    def statistics(self) -> list[Statistic]:
        """Running statistics of batch norms and activation ranges."""
        blocks = [each for block in self.blocks for each in block.statistics()]
        return self.first.statistics() + blocks

    def place(self, elementwise: Elementwise) -> None:
        """Move parameters and statistics to where ``elementwise`` works."""
        held: list[Parameter | Statistic] = [*self.parameters(), *self.statistics()]
        for each in held:
            if each.value is not None:
                each.value = elementwise.from_host(each.value)

    def block_macs(self, size: tuple[int, int]) -> list[int]:
        """Multiply-accumulates of each block, as `ResidualBlock.macs`, of images of ``size``."""
        macs = []
        for block in self.blocks:
            macs.append(block.macs(size))
            size = block.output_size(size)
        return macs

    def emit(self, builder: Builder) -> Tensor:
        """Logits ``[N, classes]`` of unsigned 8-bit images."""
        pixels = builder.pixels(PIXEL_BITS, float(PIXEL_SCALE))
        x = self.first.emit(builder, pixels, builder.outside)
        x = builder.rectify("first.relu", x)
        for block in self.blocks:
            x = block.emit(builder, x)
        return self.classifier.emit(builder, x)

    def forward(self, images: Array, execution: Execution) -> Array:
        """Logits ``[N, classes]`` of unsigned 8-bit ``images[N,C,H,W]``."""
        x = self._first(images, execution)
        execution.selector.begin(training=execution.training is not None)
        self.choices = []
        for index, block in enumerate(self.blocks):
            choice = execution.selector.choose(index, x, execution.elementwise)
            self.choices.append(choice)
            x = block.forward(x, choice, execution)
        return self.classifier.forward(x, execution)

    def backward(self, e: Array, execution: Execution) -> None:
        """Leave the gradient of every parameter, given the error at the logits."""
        for parameter in self.parameters():
            parameter.gradient = None
        e = self.classifier.backward(e, execution)
        for index in reversed(range(len(self.blocks))):
            e, shares = self.blocks[index].backward(e, execution)
            caused = execution.selector.backward(
                index, shares, tuple(e.shape), execution.elementwise
            )
            if caused is not None:
                e = execution.elementwise.add(e, caused, keep=True)
        self.first.backward_weights(self._relu.backward(e, execution), execution)

    def _first(self, images: Array, execution: Execution) -> Array:
        unquantized = execution.unquantized
        quantized = self.first.convolution.quantizes(execution)
        pixels = execution.arithmetic.pixels(
            images, unquantized.activation if quantized else None, PIXEL_BITS, PIXEL_SCALE
        )
        size = (images.shape[2], images.shape[3])
        x = self.first.forward(pixels, size, images.shape[0], unquantized, execution)
        return self._relu.forward(x, execution)


def build_network(
    model: str,
    *,
    channels: int,
    classes: int,
    rng: np.random.Generator,
    group: int | None = None,
) -> ResNet:
    """The network named ``model``, batch norm over ``group`` images; errors as of `depth_of`."""
    return ResNet(depth_of(model), channels=channels, classes=classes, rng=rng, group=group)


def depth_of(model: str) -> int:
    """Layers of the network named ``model``: ``resnet`` and its depth, 6n+2.

    Raises `ParameterError` for any other name.
    """
    match = re.fullmatch(r"resnet([1-9][0-9]{0,3})", model)
    depth = int(match.group(1)) if match else 0
    if not 8 <= depth <= DEEPEST or depth % 6 != 2:
        raise ParameterError(
            "model", model, f"resnet8, resnet14, resnet20, … resnet{DEEPEST} (6n+2 layers)"
        )
    return depth
