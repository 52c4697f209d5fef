"""The basic residual block: two 3x3 convolutions with batch norm, and a shortcut around them."""

from __future__ import annotations

from fractrain.host.graph.blocks import Slots
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.activation import ActivationRange
from fractrain.host.networks.convolution import NormalizedConvolution, Shape
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.numerics.random_streams import RandomNumbers


class ResidualBlock:
    """y = ReLU(second(ReLU(first(x))) + shortcut(x)).

    The shortcut is the identity, or, if the block changes the shape, a 1x1 convolution of the same
    stride with batch norm ("option B") at a fixed precision. A skipped block is y =
    ReLU(shortcut(x)), in the published numerics y = shortcut(x).
    """

    def __init__(
        self,
        name: str,
        channels: int,
        filters: int,
        *,
        stride: int,
        rng: RandomNumbers,
        group: int | None = None,
    ) -> None:
        self.name = name
        self.first = NormalizedConvolution(
            f"{name}.first", Shape(channels, filters, 3, stride), rng, group
        )
        self.second = NormalizedConvolution(
            f"{name}.second", Shape(filters, filters, 3, 1), rng, group
        )
        self.shortcut: NormalizedConvolution | None = None
        if stride != 1 or channels != filters:
            self.shortcut = NormalizedConvolution(
                f"{name}.shortcut", Shape(channels, filters, 1, stride, chosen=False), rng, group
            )
        self._input_range = ActivationRange(f"{name}.input")
        self._inner_range = ActivationRange(f"{name}.inner")

    def layers(self) -> list[NormalizedConvolution]:
        """In forward order."""
        shortcut = [] if self.shortcut is None else [self.shortcut]
        return [self.first, self.second, *shortcut]

    def parameters(self) -> list[Parameter]:
        return [each for layer in self.layers() for each in layer.parameters()]

    def statistics(self) -> list[Statistic]:
        norms = [each for layer in self.layers() for each in layer.statistics()]
        return [*norms, self._input_range.running, self._inner_range.running]

    def emit(self, builder: Builder, x: Tensor) -> Tensor:
        """The output for ``x``, which is ≥ 0 outside the published numerics."""
        extent = self._input_range.emit(builder, x)
        return builder.block(
            self.name, x, lambda x, slots: self._emit_path(builder, x, extent, slots)
        )

    def _emit_path(self, builder: Builder, x: Tensor, extent: Tensor, slots: Slots) -> Tensor:
        name, slot = self.name, slots.chosen
        a = builder.activations(f"{name}.first.a", x, extent, slot)
        inner = self.first.emit(builder, a, slots)
        inner = builder.rectify(f"{name}.first.relu", inner, slot)
        inner_extent = self._inner_range.emit(builder, inner, slot)
        a = builder.activations(f"{name}.second.a", inner, inner_extent, slot)
        residual = builder.share(f"{name}.share", self.second.emit(builder, a, slots), slot)
        around = x
        if self.shortcut is not None:
            a = builder.activations(f"{name}.shortcut.a", x, extent, slots.others)
            around = self.shortcut.emit(builder, a, slots)
        y = builder.add(f"{name}.add", residual, around)
        # If skipped, the identity remains, which is ≥ 0 already; published blocks leave it at that.
        bare = self.shortcut is None or builder.options.real
        return builder.rectify(f"{name}.relu", y, slot if bare else None)
