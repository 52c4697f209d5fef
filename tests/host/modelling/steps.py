"""Steps of small networks that are made for a test."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fractrain.host.graph.blocks import Slots
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.networks.registry import build_network
from fractrain.hw.contract.precision import Precision

CHANNELS = 8
SKIP = Precision(0, 0, 0)


def parameter(name: str, *shape: int) -> Parameter:
    return Parameter(name, np.zeros(shape, np.float32))


@dataclass
class Layers:
    """``count`` blocks of one 3 x 3 convolution of 8 channels each, with an identity around it.

    ``learned``: something before them learns, so that the first of them has an error pass, too.
    ``extra``: emits what a test adds at the end.
    """

    count: int = 1
    learned: bool = True
    extra: Callable[[Builder, Tensor], Tensor] = lambda builder, x: x

    def __post_init__(self) -> None:
        scale = (1, CHANNELS, 1, 1)
        self.norm = [parameter(f"norm.{name}", *scale) for name in ("gamma", "beta")]
        self.running = [Statistic(f"norm.{name}") for name in ("mean", "variance")]
        kernel = (CHANNELS, CHANNELS, 3, 3)
        self.weights = [parameter(f"layer{i}.weight", *kernel) for i in range(self.count)]
        self.classifier = [parameter("weight", 2, CHANNELS), parameter("bias", 2)]

    def parameters(self) -> list[Parameter]:
        return [*(self.norm if self.learned else []), *self.weights, *self.classifier]

    def emit(self, builder: Builder) -> Tensor:
        x = builder.pixels(8, 1 / 255)
        if self.learned:
            scale, running = (*self.norm,), (*self.running,)
            x = builder.batch_norm("norm", x, scale, running, None)  # type: ignore[arg-type]
        for number, weight in enumerate(self.weights):
            x = self._emit_block(builder, x, f"layer{number}", weight)
        x = builder.pool("pool", self.extra(builder, x))
        return builder.linear("classifier", x, *self.classifier)

    def _emit_block(self, builder: Builder, x: Tensor, name: str, weight: Parameter) -> Tensor:
        extent = builder.measure(f"{name}.range", x, Statistic(f"{name}.range"))

        def body(x: Tensor, slots: Slots) -> Tensor:
            a = builder.activations(f"{name}.a", x, extent, slots.chosen)
            y = builder.convolve(name, a, weight, 1, 1, slots.chosen)
            return builder.add(f"{name}.add", y, x)

        return builder.block(f"{name}.block", x, body)


def layers_step(
    count: int = 1, images: int = 2, *, learned: bool = True, options: StepOptions | None = None
) -> StepGraph:
    """Of `Layers` on ``images`` of 8 x 8 pixels."""
    options = options or StepOptions((Precision(8, 8, 8), SKIP))
    return build_step(Layers(count, learned), (images, CHANNELS, 8, 8), options)


def resnet8_step(
    images: tuple[int, int, int, int], options: StepOptions | None = None, classes: int = 10
) -> StepGraph:
    """Of a ResNet-8, its blocks at any precision."""
    rng = np.random.default_rng(0)
    network = build_network("resnet8", channels=images[1], classes=classes, rng=rng)
    return build_step(network, images, options or StepOptions((Precision(8, 8, 8), SKIP)))
