"""A step of training in the engine's form: what is loaded, how tensors are placed.

3 x 3 and 1 x 1 convolutions of stride 1 and 2 run as they are. All others become matrix
products: their rows are the pixels of a 1 x 1 convolution.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.geometry import Axis, forward_axis, parity_axis
from fractrain.host.compiler.unfolding import flip, pixels_by_channels, unfold, unfold_errors
from fractrain.host.graph.geometry import Geometry, Pair
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass

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

    A kernel of three rows becomes a kernel of one row.
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


@dataclass(frozen=True)
class Sampled:
    """Every ``stride``-th pixel of every ``stride``-th row: the pixels that a 1 x 1 kernel
    reads."""

    placed: Placed
    stride: int

    def prepare(self, values: Integers) -> Integers:
        return self.placed.prepare(values)[:, :, :: self.stride, :: self.stride]


@dataclass(frozen=True)
class Phases:
    """The four parities of pixels as channels ``[n, (group, parity, c), h / 2, w / 2]``.

    They turn a window of stride 2 into a window of stride 1: tap 0 reads the odd row before, tap 1
    the even row, tap 2 the odd row. ``channels``: of a group.
    """

    placed: Placed
    channels: int

    def prepare(self, values: Integers) -> Integers:
        placed = self.placed.prepare(values)
        images, count, height, width = placed.shape
        groups = -(-count // self.channels)
        full = np.zeros(
            (images, groups * self.channels, height + height % 2, width + width % 2), values.dtype
        )
        full[:, :count, :height, :width] = placed
        rows, columns = full.shape[2] // 2, full.shape[3] // 2
        split = full.reshape(images, groups, self.channels, rows, 2, columns, 2)
        return split.transpose(0, 1, 4, 6, 2, 3, 5).reshape(images, -1, rows, columns)


PARITIES = 4
Form = Placed | Unfolded | Stacked | Sampled | Phases


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
    ``kernels`` how weights are prepared (None: as they are). ``phased``: the activations of a
    gradient are `Phases`.
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
    phased: bool = False

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]


class Way(enum.Enum):
    """How a step is brought into the engine's form.

    DIRECT: with the engine's windows. SAMPLED: a strided 1 x 1 kernel on only the pixels that it
    reads. PHASED: the gradient of stride 2 with the parities of pixels as channels. STACKED: the
    gradient of a 3 x 3 kernel with its rows as channels. UNFOLDED: as a matrix product.
    """

    SAMPLED = enum.auto()
    PHASED = enum.auto()
    DIRECT = enum.auto()
    STACKED = enum.auto()
    UNFOLDED = enum.auto()


def ways(pass_: Pass, geometry: Geometry) -> list[Way]:
    """The ways that the geometry allows; of equally cheap ones, the better first."""
    g = geometry
    gradient, strided = pass_ is Pass.GRADIENT, g.stride > 1
    possible = {
        Way.SAMPLED: g.kernel == (1, 1) and strided and pass_ is not Pass.ERROR,
        Way.PHASED: gradient and g.kernel == (3, 3) and g.stride == 2,
        Way.DIRECT: g.direct,
        Way.STACKED: gradient and g.kernel == (3, 3) and not strided,
        Way.UNFOLDED: True,
    }
    return [way for way in Way if possible[way]]


def canonical(pass_: Pass, geometry: Geometry, parameters: Parameters, way: Way) -> Canonical:
    """The engine's form of a step."""
    if way is Way.UNFOLDED:
        return _unfolded(pass_, geometry, parameters.array.rows)
    if way is Way.STACKED:
        return _stacked(geometry)
    if way is Way.PHASED:
        return _phased(geometry, parameters.block.channels)
    if pass_ is Pass.ERROR:
        return _error(geometry)
    form = _forward(geometry) if pass_ is Pass.FORWARD else _gradient(geometry)
    return _sampled(form) if way is Way.SAMPLED else form


def _sampled(form: Canonical) -> Canonical:
    """``form`` of a 1 x 1 kernel with only the pixels that it reads."""
    assert isinstance(form.row.form, Placed)
    height, width = (-(-length // form.stride) for length in form.row.stored)
    row = replace(form.row, form=Sampled(form.row.form, form.stride), stored=(height, width))
    return replace(form, row=row, stride=1)


def _phased(g: Geometry, channels: int) -> Canonical:
    form = _gradient(g)
    assert isinstance(form.row.form, Placed)
    height, width = (-(-length // 2) for length in form.row.stored)
    row = PixelUse(
        Phases(form.row.form, channels),
        g.images,
        PARITIES * -(-g.channels // channels) * channels,
        (height, width),
    )
    return replace(form, row=row, stride=1, phased=True)


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
