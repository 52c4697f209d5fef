"""The basic residual block: two 3x3 convolutions with batch norm, and a shortcut around them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from fractrain.host.graph.builder import Builder, Slots
from fractrain.host.graph.choice import Choice, Path, is_skip
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.activation import ActivationRange, ReLU
from fractrain.host.networks.convolution import NormalizedConvolution, Shape
from fractrain.host.networks.execution import Execution
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.precision import Pass


@dataclass(frozen=True)
class _SavedPath:
    """One path taken: ``residual``, what its convolutions gave (None if they were skipped);
    ``output``, of the whole block, where it is needed; ``rectified``: its output went through the
    rectifier."""

    path: Path
    residual: Any
    output: Any
    rectified: bool


class ResidualBlock:
    """y = ReLU(second(ReLU(first(x))) + shortcut(x)).

    The shortcut is the identity, or where the block changes the shape, a 1x1 convolution of the
    same stride with batch norm ("option B"), which runs at `Execution.unquantized`. A skipped block
    is y = ReLU(shortcut(x)).

    A choice of one path runs that only. A choice of several runs them all, and each image takes the
    output of the path that its mask names:  y = Σ mask_k · y_k.

    For a choice that learns, the loss is differentiated by each path's share: for one path, the
    factor 1 that its convolutions' output has before the shortcut is added; for several, the masks.
    """

    def __init__(
        self,
        name: str,
        channels: int,
        filters: int,
        *,
        stride: int,
        rng: np.random.Generator,
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
        self.channels = channels
        self._input_range = ActivationRange(f"{name}.input")
        self._inner_range = ActivationRange(f"{name}.inner")
        self._inner_relu, self._output_relu = ReLU(), ReLU()
        self._saved: list[list[_SavedPath]] = []

    def layers(self) -> list[NormalizedConvolution]:
        """In the order in which the block goes forward through them."""
        shortcut = [] if self.shortcut is None else [self.shortcut]
        return [self.first, self.second, *shortcut]

    def parameters(self) -> list[Parameter]:
        return [each for layer in self.layers() for each in layer.parameters()]

    def statistics(self) -> list[Statistic]:
        norms = [each for layer in self.layers() for each in layer.statistics()]
        return [*norms, self._input_range.running, self._inner_range.running]

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the output, of an input of ``size``."""
        return self.first.convolution.shape.output_size(size)

    def macs(self, size: tuple[int, int]) -> int:
        """Multiply-accumulates of one pass over one image, without the shortcut."""
        first, second = self.first.convolution.shape, self.second.convolution.shape
        return first.macs(size) + second.macs(self.output_size(size))

    def emit(self, builder: Builder, x: Tensor) -> Tensor:
        """The output for ``x`` ≥ 0."""
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
        # skipped, an identity is left, which is ≥ 0 already
        return builder.rectify(f"{name}.relu", y, slot if self.shortcut is None else None)

    def forward(self, x: Array, choice: Choice, execution: Execution) -> Array:
        """Output of ``x`` ≥ 0; ``x`` is left as it is."""
        extent = self._input_range.observe(x, execution)
        if len(choice.paths) == 1:
            y, saved = self._take(x, extent, choice.paths[0], choice, execution)
            taken = [saved]
        else:
            y, taken = self._take_all(x, extent, choice, execution)
        if execution.keeps:
            self._saved.append(taken)
        return y

    def backward(self, e: Array, execution: Execution) -> tuple[Array, Array]:
        """Add to all gradients; the error at the input, and ∂loss/∂share of each path.

        The latter is [1] or, for several paths, [paths, N]; None where the choice does not learn.
        """
        taken = self._saved.pop()
        if len(taken) == 1 and taken[0].path.mask is None:
            return self._go_back(e, taken[0], execution)
        elementwise = execution.elementwise
        shares = [elementwise.to_host(elementwise.inner_products(e, each.output)) for each in taken]
        total: Any = None
        for each in reversed(taken):
            if each.path.images:
                dx, _ = self._go_back(e * each.path.mask.reshape(-1, 1, 1, 1), each, execution)
                total = dx if total is None else total + dx
        return total, np.stack(shares)

    # -- one path --------------------------------------------------------------------------

    def _take(
        self, x: Array, extent: Array, path: Path, choice: Choice, execution: Execution
    ) -> tuple[Array, _SavedPath]:
        arithmetic, elementwise = execution.arithmetic, execution.elementwise
        images = x.shape[0] if path.images is None else path.images
        size = x.shape[2], x.shape[3]

        @cache
        def stored() -> Any:
            """Quantized when something reads it: a skipped block with an identity does not."""
            return arithmetic.activations(x, choice.stored_bits, extent)

        def quantized(bits: int | None) -> Any:
            if choice.stored_bits is None or bits is None:
                return arithmetic.activations(x, bits, extent)
            return arithmetic.late(stored(), bits)

        residual = None
        if is_skip(path.precision):
            self._count_skipped(images * self.macs(size), execution)
        else:
            a = quantized(path.precision.activation)
            residual = self._residual(a, size, images, path, execution)
        if self.shortcut is None:
            shortcut = x
        else:
            unquantized = execution.unquantized
            chosen = self.shortcut.convolution.quantizes(execution)
            a = quantized(unquantized.activation if chosen else None)
            shortcut = self.shortcut.forward(a, size, images, unquantized, execution)
        if residual is None and shortcut is x:
            return x, _SavedPath(path, None, x, rectified=False)  # x ≥ 0 already
        kept = residual if choice.learns else None
        y = elementwise.add(residual, shortcut, keep=choice.learns)
        y = self._output_relu.forward(y, execution)
        return y, _SavedPath(path, kept, y if path.mask is not None else None, rectified=True)

    def _residual(
        self, a: Any, size: tuple[int, int], images: int, path: Path, execution: Execution
    ) -> Array:
        arithmetic, precision = execution.arithmetic, path.precision
        inner = self.first.forward(a, size, images, precision, execution)
        inner = self._inner_relu.forward(inner, execution)
        extent = self._inner_range.observe(inner, execution)
        a = arithmetic.activations(inner, precision.activation, extent)
        return self.second.forward(a, self.output_size(size), images, precision, execution)

    def _go_back(self, e: Array, saved: _SavedPath, execution: Execution) -> tuple[Array, Array]:
        if saved.rectified:
            e = self._output_relu.backward(e, execution)
        share = np.zeros(1, np.float32)
        if saved.residual is not None:
            elementwise = execution.elementwise
            products = elementwise.inner_products(e, saved.residual)
            share[0] = elementwise.to_host(execution.xp.sum(products))
        if is_skip(saved.path.precision):
            return (e if self.shortcut is None else self.shortcut.backward(e, execution)), share
        inner = self._inner_relu.backward(self.second.backward(e, execution), execution)
        dx = self.first.backward(inner, execution)
        around = e if self.shortcut is None else self.shortcut.backward(e, execution)
        return execution.elementwise.add(dx, around, keep=False), share

    def _count_skipped(self, macs: int, execution: Execution) -> None:
        if execution.training is not None:
            for _ in Pass:
                execution.training.costs.add_bit_products(0, macs)

    # -- all paths -------------------------------------------------------------------------

    def _take_all(
        self, x: Array, extent: Array, choice: Choice, execution: Execution
    ) -> tuple[Array, list[_SavedPath]]:
        y: Any = None
        taken = []
        for path in choice.paths:
            # What no image takes is computed all the same (its mask learns), but has no way back.
            kept = execution if path.images else execution.without_way_back
            output, saved = self._take(x, extent, path, replace(choice, learns=False), kept)
            taken.append(saved)
            masked = output * path.mask.reshape(-1, 1, 1, 1)
            y = masked if y is None else y + masked
        return y, taken
