"""How `host.backends.torch.step_math` looks at tensors, and its arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fractrain.host.numerics.step_sums import both_ways
from fractrain.sim.golden.step.forward import form_fraction
from fractrain.sim.golden.step.rounding import LARGEST_SHIFT
from fractrain.sim.golden.step.scales import activation_levels

Tensor = Any
Result = TypeVar("Result")

BLOCK = 1 << 17
"""Elements worked on at a time on a CPU: 1 MB of float64, so that what one operation leaves is in
the caches for the next. PyTorch shares each operation among its threads; threads of our own
would hand the interpreter's lock to each other at every operation, which takes longer than the
operation (measured: three times as long as one thread alone)."""

SHARED, UNSHARED = 1 << 19, 1 << 15
"""Tensors of fewer elements are worked on so few at a time that PyTorch shares nothing: its threads
wait for each other at every operation, long where other programs have the cores."""

ROW = 1024
"""Elements of a row, at most, unless there are more channels."""


class View:
    """Tensors ``[N,C,H,W]``, `channels_last`, as [N, rows, pixels of a row · C]."""

    def __init__(self, shape: tuple[int, ...], device: Any) -> None:
        self._images, self.channels, height, width = shape
        self.pixels = height * width
        self._device = device
        fitting = range(max(1, ROW // self.channels), 0, -1)
        self._together = next(each for each in fitting if self.pixels % each == 0)
        self._row = self._together * self.channels

    def rows(self, tensor: Tensor) -> Tensor:
        """The same memory, if ``tensor`` is `channels_last`."""
        last = channels_last(tensor).permute(0, 2, 3, 1)
        return last.reshape(len(tensor), -1, self._row)

    def run(self, work: Callable[[slice], Result]) -> list[Result]:
        """``work`` of all images, in their order: a few together on a CPU, elsewhere all."""
        if self._device.type != "cpu":
            return [work(slice(0, self._images))]
        image = self.channels * self.pixels
        count = max(1, (BLOCK if self._images * image >= SHARED else UNSHARED) // image)
        return [
            work(slice(start, min(start + count, self._images)))
            for start in range(0, self._images, count)
        ]

    def lay(self, values: NDArray) -> Tensor:
        """Host numbers ``values[rows, C]`` along a row of a tensor, float64 [rows, 1, row]."""
        import torch

        laid = np.tile(values.astype(np.float64), (1, self._together))
        return torch.from_numpy(laid).to(self._device)[:, None]

    def spread(self, values: NDArray, chunk: int) -> Tensor:
        """``values[chunks, C]`` of each image, as `lay`."""
        return self.lay(values[np.arange(self._images) // chunk])

    def turn(self, values: Tensor) -> Tensor:
        """``values[n, C, pixels]`` as rows."""
        return values.permute(0, 2, 1).reshape(len(values), -1, self._row)

    def sum(self, v: Tensor) -> Tensor:
        """Σ over the pixels of each image, [n, C]."""
        return v.sum(1).view(len(v), self._together, self.channels).sum(1)


def channels_last(tensor: Tensor) -> Tensor:
    import torch

    return tensor.contiguous(memory_format=torch.channels_last)


def to_host(sums: Iterable[Tensor]) -> NDArray[np.int64]:
    """Integers as float64, of blocks of images, as NumPy's."""
    import torch

    found: NDArray[np.int64] = torch.cat(list(sums)).to(torch.int64).cpu().numpy()
    return found


def reach(v: Tensor) -> int:
    """max|v|."""
    if v.dtype.is_floating_point:
        return int(v.abs().amax())
    low, high = v.aminmax()  # the least integer of a type has no magnitude
    return max(int(high), -int(low))


def round_floats(v: Tensor, scale: float) -> Tensor:
    """⌊v·scale + ½⌋ in place."""
    import torch

    return torch.add(half(), v, alpha=scale, out=v).floor_()


@cache
def half() -> Tensor:
    """½, which PyTorch adds to a multiple of a tensor in one operation, on any device."""
    import torch

    return torch.tensor(0.5, dtype=torch.float64)


def scale_floats(v: Tensor, factor: int, shift: int, bits: int) -> Tensor:
    """`sim.golden.step.rounding.scale_to` of ``v``·``factor``, float64 in place. What float64
    rounds there saturates."""
    shift = min(max(shift, -bits), LARGEST_SHIFT + 1)
    most = 1 << (bits - 1)
    return round_floats(v, factor * 2.0**-shift).clamp_(-most, most - 1)


def round_levels(z: Tensor, bits: int) -> Tensor:
    """`sim.golden.step.forward.round_activations` of float64."""
    import torch

    rounded = torch.add(half(), z, alpha=2.0 ** -form_fraction(bits)).floor_()
    return rounded.clamp_(0, activation_levels(bits))


def round_integers(x: Tensor, shift: int) -> Tensor:
    """round(x · 2^−shift) of int64, ``shift`` 0 .. 62."""
    return (x + (1 << shift >> 1)) >> shift


def scale_integers(x: Tensor, shift: int, bits: int) -> Tensor:
    """`sim.golden.step.rounding.scale_to` of int64, a new tensor."""
    most, left, right = both_ways(shift, bits)
    rounded = round_integers(x.clamp(-most, most) << left, right)
    return rounded.clamp_(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
