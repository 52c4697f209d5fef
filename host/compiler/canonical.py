"""A step of training brought into the engine's form: what is loaded, how tensors are placed.

3 x 3 and 1 x 1 convolutions of stride 1 and 2 run as they are. Every other one becomes a matrix
product, whose rows are pixels of a 1 x 1 convolution.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host.compiler.geometry import Axis, Geometry, Pair, forward_axis, parity_axis
from host.compiler.unfolding import flip, pixels_by_channels, unfold, unfold_errors
from hw.contract.precision import Pass

Integers = NDArray[np.integer]


@dataclass(frozen=True)
class Placed:
    """A tensor as it is, at ``offset`` among ``stored`` pixels of zeros."""

    offset: Pair
    stored: Pair

    def prepare(self, values: Integers) -> Integers:
        placed = np.zeros((*values.shape[:2], *self.stored), values.dtype)
        rows, columns = (
            slice(first, first + count)
            for first, count in zip(self.offset, values.shape[2:], strict=True)
        )
        placed[:, :, rows, columns] = values
        return placed


@dataclass(frozen=True)
class Unfolded:
    """The pixels of a tensor as rows of a matrix product, ``pixels`` to an image of one row.

    ``side``: whether it is the operand on the rows or on the columns of ``pass_``.
    """

    pass_: Pass
    geometry: Geometry
    side: str
    pixels: int

    def prepare(self, values: Integers) -> Integers:
        matrix = self.matrix(values)
        images = -(-len(matrix) // self.pixels)
        padded = np.zeros((images * self.pixels, matrix.shape[1]), matrix.dtype)
        padded[: len(matrix)] = matrix
        return padded.reshape(images, 1, self.pixels, -1).transpose(0, 3, 1, 2)

    def matrix(self, values: Integers) -> Integers:
        """``[pixel, channel]``, or the kernels ``[filter, depth]``."""
        g = self.geometry
        if self.side == "row":
            return unfold_errors(values, g) if self.pass_ is Pass.ERROR else unfold(values, g)
        if self.pass_ is Pass.GRADIENT:
            return pixels_by_channels(values)
        return flip(values) if self.pass_ is Pass.ERROR else values.reshape(len(values), -1)


@dataclass(frozen=True)
class Stacked:
    """Activations with the rows of each window as channels: ``[n, (c, r), p, w]``.

    What is left of a kernel of three rows is one of a single row.
    """

    geometry: Geometry
    placed: Placed

    def prepare(self, values: Integers) -> Integers:
        g = self.geometry
        images, channels, height, width = values.shape
        padded = np.zeros((images, channels, height + 2 * g.padding, width), values.dtype)
        padded[:, :, g.padding : g.padding + height] = values
        rows = [padded[:, :, row : row + g.output[0]] for row in range(g.kernel[0])]
        stacked = np.stack(rows, axis=2).reshape(images, -1, g.output[0], width)
        return self.placed.prepare(stacked)


Form = Placed | Unfolded | Stacked


@dataclass(frozen=True)
class PixelUse:
    """A tensor of pixels that a step reads: ``images`` of ``channels`` and ``stored`` pixels."""

    form: Form
    images: int
    channels: int
    stored: Pair


@dataclass(frozen=True)
class Canonical:
    """What the engine does for a step.

    ``pass_`` FORWARD is any sliding window, ERROR the error of stride 2 (by parity), GRADIENT a
    gradient. ``filters`` and ``channels`` are those of the weights as they are stored;
    ``transposed`` windows run over filters. ``column`` is the second tensor of a gradient,
    ``kernels`` how weights are prepared (None: as they are).
    """

    pass_: Pass
    kernel: Pair
    stride: int
    filters: int
    channels: int
    row: PixelUse
    output: Pair
    crop: Pair
    transposed: bool = False
    column: PixelUse | None = None
    kernels: Unfolded | None = None

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]


class Way(enum.Enum):
    """How a step is brought into the engine's form.

    DIRECT: by the engine's windows. STACKED: the gradient of a 3 x 3 kernel, with its rows as
    channels. UNFOLDED: as a matrix product.
    """

    DIRECT = enum.auto()
    STACKED = enum.auto()
    UNFOLDED = enum.auto()


def ways(pass_: Pass, geometry: Geometry) -> list[Way]:
    """Those that are possible, as far as the geometry goes."""
    if not geometry.direct:
        return [Way.UNFOLDED]
    stackable = pass_ is Pass.GRADIENT and geometry.kernel == (3, 3) and geometry.stride == 1
    return [Way.DIRECT, *[Way.STACKED] * stackable, Way.UNFOLDED]


def canonical(pass_: Pass, geometry: Geometry, pixels: int, way: Way) -> Canonical:
    """The engine's form of a step; ``pixels`` to a block."""
    if way is Way.UNFOLDED:
        return _unfolded(pass_, geometry, pixels)
    if way is Way.STACKED:
        return _stacked(geometry)
    if pass_ is Pass.FORWARD:
        return _forward(geometry)
    return _error(geometry) if pass_ is Pass.ERROR else _gradient(geometry)


def _forward(g: Geometry) -> Canonical:
    y, x = _axes(g.size, g.output, g, g.padding, g.stride)
    return Canonical(
        Pass.FORWARD,
        g.kernel,
        g.stride,
        g.filters,
        g.channels,
        _placed(y, x, g.images, g.channels),
        g.output,
        (y.crop, x.crop),
    )


def _error(g: Geometry) -> Canonical:
    if g.stride == 1:
        y, x = _axes(g.output, g.size, g, g.kernel[0] - 1 - g.padding, 1)
    else:
        y, x = (
            parity_axis(length, outputs, g.kernel[0], g.padding)
            for length, outputs in zip(g.output, g.size, strict=True)
        )
    return Canonical(
        Pass.FORWARD if g.stride == 1 else Pass.ERROR,
        g.kernel,
        g.stride,
        g.filters,
        g.channels,
        _placed(y, x, g.images, g.filters),
        g.size,
        (y.crop, x.crop),
        transposed=True,
    )


def _gradient(g: Geometry) -> Canonical:
    y, x = _axes(g.size, g.output, g, g.padding, g.stride)
    crop = (y.crop, x.crop)
    stored = (y.crop + g.output[0], x.crop + g.output[1])
    return Canonical(
        Pass.GRADIENT,
        g.kernel,
        g.stride,
        g.filters,
        g.channels,
        _placed(y, x, g.images, g.channels),
        g.output,
        crop,
        column=PixelUse(Placed(crop, stored), g.images, g.filters, stored),
    )


def _stacked(g: Geometry) -> Canonical:
    x = forward_axis(g.size[1], g.output[1], g.kernel[1], 1, g.padding)
    crop, stored = (0, x.crop), (g.output[0], x.crop + g.output[1])
    size, channels = (g.output[0], x.stored), g.channels * g.kernel[0]
    row = PixelUse(Stacked(g, Placed((0, x.offset), size)), g.images, channels, size)
    column = PixelUse(Placed(crop, stored), g.images, g.filters, stored)
    kernel = (1, g.kernel[1])
    return Canonical(
        Pass.GRADIENT, kernel, 1, g.filters, channels, row, g.output, crop, column=column
    )


def _unfolded(pass_: Pass, g: Geometry, pixels: int) -> Canonical:
    taps = g.kernel[0] * g.kernel[1]
    size = g.size if pass_ is Pass.ERROR else g.output
    count = g.images * size[0] * size[1]
    images = -(-count // pixels)
    depth, filters = g.channels * taps, g.filters
    if pass_ is Pass.ERROR:
        depth, filters = g.filters * taps, g.channels

    def use(side: str, channels: int) -> PixelUse:
        return PixelUse(Unfolded(pass_, g, side, pixels), images, channels, (1, pixels))

    gradient = pass_ is Pass.GRADIENT
    return Canonical(
        Pass.GRADIENT if gradient else Pass.FORWARD,
        (1, 1),
        1,
        filters,
        depth,
        use("row", depth),
        (1, pixels),
        (0, 0),
        column=use("column", filters) if gradient else None,
        kernels=None if gradient else Unfolded(pass_, g, "column", pixels),
    )


def _axes(sizes: Pair, outputs: Pair, g: Geometry, padding: int, stride: int) -> tuple[Axis, Axis]:
    y, x = (
        forward_axis(length, count, taps, stride, padding)
        for length, count, taps in zip(sizes, outputs, g.kernel, strict=True)
    )
    return y, x


def _placed(y: Axis, x: Axis, images: int, channels: int) -> PixelUse:
    stored = (y.stored, x.stored)
    return PixelUse(Placed((y.offset, x.offset), stored), images, channels, stored)
