"""Residual networks for small images: 6n+2 layers in three stages (He et al., 2015, §4.2)."""

from __future__ import annotations

import re

import numpy as np

from host.networks.activation import ReLU
from host.networks.classifier import Classifier
from host.networks.convolution import NormalizedConvolution
from host.networks.execution import Execution
from host.networks.parameter import Parameter
from host.networks.residual_block import ResidualBlock
from host.numerics.quantization import Array, Quantized
from hw.contract.errors import ParameterError

STAGE_FILTERS = (16, 32, 64)
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
        self, depth: int, *, channels: int, classes: int, rng: np.random.Generator
    ) -> None:
        self.name = f"resnet{depth}"
        self.first = NormalizedConvolution(
            "first", channels, STAGE_FILTERS[0], kernel=3, stride=1, rng=rng
        )
        self.blocks: list[ResidualBlock] = []
        width = STAGE_FILTERS[0]
        for stage, filters in enumerate(STAGE_FILTERS):
            for index in range((depth - 2) // 6):
                stride = 2 if stage > 0 and index == 0 else 1
                name = f"stage{stage}.block{index}"
                self.blocks.append(ResidualBlock(name, width, filters, stride=stride, rng=rng))
                width = filters
        self.classifier = Classifier(width, classes, rng)
        self._relu = ReLU()

    def parameters(self) -> list[Parameter]:
        blocks = [each for block in self.blocks for each in block.parameters()]
        return self.first.parameters() + blocks + self.classifier.parameters()

    def forward(self, images: Array, execution: Execution) -> Array:
        """Logits ``[N, classes]`` of unsigned 8-bit ``images[N,C,H,W]``."""
        pixels = _pixels(images, min(PIXEL_BITS, execution.unquantized.activation))
        x = self.first.forward(pixels, execution.unquantized, execution)
        x = self._relu.forward(x, execution)
        for block in self.blocks:
            x = block.forward(x, execution.precision, execution)
        return self.classifier.forward(x, execution)

    def backward(self, e: Array, execution: Execution) -> None:
        """Leave the gradient of every parameter, given the error at the logits."""
        e = self.classifier.backward(e, execution)
        for block in reversed(self.blocks):
            e = block.backward(e, execution)
        self.first.backward_weights(self._relu.backward(e), execution)


def _pixels(images: Array, bits: int) -> Quantized:
    """The top ``bits`` bits of 8-bit pixels."""
    dropped = PIXEL_BITS - bits
    if not dropped:
        return Quantized(images, PIXEL_SCALE, bits)
    return Quantized(images >> dropped, PIXEL_SCALE * np.float32(1 << dropped), bits)


def build_network(model: str, *, channels: int, classes: int, rng: np.random.Generator) -> ResNet:
    """The network named ``model``; errors as of `depth_of`."""
    return ResNet(depth_of(model), channels=channels, classes=classes, rng=rng)


def depth_of(model: str) -> int:
    """Layers of the network named ``model``: ``resnet`` and its depth, 6n+2.

    Raises `ParameterError` for any other name.
    """
    match = re.fullmatch(r"resnet(\d+)", model)
    depth = int(match.group(1)) if match else 0
    if depth < 8 or depth % 6 != 2:
        raise ParameterError(
            "model", model, "resnet8, resnet14, resnet20, … (6n+2 layers, n at least 1)"
        )
    return depth
