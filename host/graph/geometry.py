"""Shapes of a convolution: the formulas for its output size and its work, each in this place
only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from fractrain.hw.contract.errors import ParameterError

Pair = tuple[int, int]


def output_size(size: Pair, kernel: Pair, stride: int, padding: int) -> Pair:
    """``(P, Q)`` of a convolution: ``⌊(size + 2·padding − kernel) / stride⌋ + 1`` each way.

    Less than 1 where the kernel does not fit into the padded input.
    """
    height, width = (
        (length + 2 * padding - taps) // stride + 1
        for length, taps in zip(size, kernel, strict=True)
    )
    return height, width


@dataclass(frozen=True)
class Geometry:
    """Of a convolution: ``a[images, channels, *size]``, ``w[filters, channels/groups, *kernel]``.

    Each of ``groups`` parts of the filters reads its own part of the channels.
    """

    images: int
    channels: int
    filters: int
    size: Pair
    kernel: Pair
    stride: int = 1
    padding: int = 0
    groups: int = 1

    def __post_init__(self) -> None:
        counts = (self.images, self.channels, self.filters, *self.size, *self.kernel, self.stride)
        if min(counts) < 1 or self.padding < 0:
            raise ParameterError("geometry", self, "numbers of at least 1, padding at least 0")
        if min(self.output) < 1:
            raise ParameterError("geometry", self, "a kernel that fits into the padded input")
        if self.groups < 1 or self.channels % self.groups or self.filters % self.groups:
            raise ParameterError("geometry", self, "groups that divide channels and filters")

    @cached_property
    def output(self) -> Pair:
        """Height and width of the output."""
        return output_size(self.size, self.kernel, self.stride, self.padding)

    @cached_property
    def activations(self) -> tuple[int, ...]:
        return (self.images, self.channels, *self.size)

    @cached_property
    def errors(self) -> tuple[int, ...]:
        return (self.images, self.filters, *self.output)

    @cached_property
    def weights(self) -> tuple[int, ...]:
        return (self.filters, self.channels // self.groups, *self.kernel)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of each of the three passes, those with padding included."""
        return math.prod(self.errors) * math.prod(self.weights[1:])

    @property
    def text(self) -> str:
        """For people, without the images: ``16 -> 32, 3x3/2, 32x32``."""
        kernel, size = ("x".join(map(str, each)) for each in (self.kernel, self.size))
        return f"{self.channels} -> {self.filters}, {kernel}/{self.stride}, {size}"

    @property
    def direct(self) -> bool:
        """Whether the engine has windows for this kernel and stride."""
        return self.kernel in ((1, 1), (3, 3)) and self.stride in (1, 2)
