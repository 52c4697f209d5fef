"""ResNets on CIFAR as lists of layers, and a training step of one on a machine."""

from __future__ import annotations

from collections.abc import Iterator

from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.machines import Figures, Layer, Machine, Work


def resnet(depth: int, batch: int) -> list[Layer]:
    """Of 6n + 2 layers: the first convolution, then the blocks, with 1 x 1 shortcuts of stride 2;
    without the classifier."""
    layers, size, channels = [Layer(3, 32, 1, 3, 16, batch)], 32, 16
    for stage in range(3):
        for convolution in range((depth - 2) // 3):
            if stage and convolution == 0:
                size //= 2
                layers += [
                    Layer(kernel, size, 2, channels, 2 * channels, batch) for kernel in (3, 1)
                ]
                channels *= 2
            else:
                layers.append(Layer(3, size, 1, channels, channels, batch))
    return layers


def step(machine: Machine, layers: list[Layer], precision: Precision) -> tuple[int, Figures]:
    """MACs as networks count them and figures of all passes; the first layer has no error pass."""
    works = list(works_of(layers, precision))
    figures = [machine.figures(each) for each in works]
    return sum(each.layer.macs for each in works), sum(figures[1:], start=figures[0])


def works_of(layers: list[Layer], precision: Precision) -> Iterator[Work]:
    for number, layer in enumerate(layers):
        for pass_ in Pass:
            if number or pass_ is not Pass.ERROR:
                bits = precision.bits(pass_.row), precision.bits(pass_.column)
                yield Work(layer, pass_, bits)
