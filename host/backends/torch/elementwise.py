"""The work around the convolutions, in PyTorch's fused and in-place operations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.torch.known import KnownRanges
from fractrain.host.backends.torch.random_fractions import DeviceFractions, HostFractions
from fractrain.host.numerics.affine import SMALLEST_SCALE
from fractrain.host.numerics.elementwise import Elementwise, Normalized, elements
from fractrain.host.numerics.quantization import (
    SMALLEST_MAXIMUM,
    Quantized,
    WeightLevels,
    signed_range,
    unsigned_levels,
)

Tensor = Any


class TorchElementwise(Elementwise):
    """The work on tensors of ``device``, in the memory format ``channels_last``.

    Quantized integers are float32, as the accelerator takes them. Their ranges follow from rounding
    and clipping and are entered in ``known``, so no tensor is searched for them. Integers of
    activations and weights equal those of `Elementwise` in NumPy, bit for bit. Errors are rounded
    by other random numbers, and statistics of batch norm are summed in another order, which is
    fixed for a number of threads.

    A NaN stays one: the accelerator's results, and with them the loss, are then NaN, too.
    """

    def __init__(self, xp: Any, device: Any, known: KnownRanges) -> None:
        super().__init__(xp)
        self._device, self._known = device, known

    # -- between the host and the accelerator -----------------------------------------------

    def from_host(self, array: NDArray) -> Tensor:
        """A copy on the device; integers [N,C,H,W] (images) as float32, of known range."""
        import torch

        array = np.asarray(array)
        if array.ndim != 4:
            return torch.tensor(array, device=self._device)
        floats = torch.tensor(np.asarray(array, np.float32), device=self._device)
        tensor = floats.contiguous(memory_format=torch.channels_last)
        if array.dtype.kind in "iu" and array.size:
            self._known.note(tensor, int(array.min()), int(array.max()))
        return tensor

    def to_host(self, array: Tensor) -> NDArray:
        return np.asarray(array) if isinstance(array, np.ndarray) else array.detach().cpu().numpy()

    def copy(self, array: Tensor) -> Tensor:
        return array.clone()

    # -- quantization -----------------------------------------------------------------------

    def rounding(self, seed: int, step: int) -> HostFractions | DeviceFractions:
        if self._device.type == "cpu":
            return HostFractions(seed, step)
        return DeviceFractions(seed, step, self._device)

    def quantize_activations(self, x: Tensor, bits: int, maximum: Tensor) -> Quantized:
        levels = unsigned_levels(bits)
        maximum = maximum.clamp(min=SMALLEST_MAXIMUM)
        integers = (x * (levels / maximum)).round_().clamp_(0, levels)
        self._known.note(integers, 0, levels)
        return Quantized(integers, maximum / levels, bits)

    def quantize_weights(self, x: Tensor, bits: int, levels: WeightLevels) -> Quantized:
        q = super().quantize_weights(x, bits, levels)
        integers = q.integers.to(self.xp.float32)
        low, high = signed_range(bits)
        self._known.note(integers, min(low, -(1 << (bits - 1)) if q.odd else low), high)
        return Quantized(integers, q.scale, bits, q.odd)

    def quantize_errors(
        self, x: Tensor, bits: int, rounding: HostFractions | DeviceFractions
    ) -> Quantized:
        """round(x / scale + v), v the random numbers, symmetric around 0: its expected value is
        x / scale as for the floor of x / scale + ½ + v, and what float32 loses in the addition
        it loses evenly on both sides."""
        low, high = signed_range(bits)
        maximum = self.xp.maximum(x.amax(), -x.amin()).clamp(min=SMALLEST_MAXIMUM)
        integers = rounding.centred(x)
        if self._device.type == "cpu":
            integers.add_(x, alpha=-low / float(maximum))
        else:
            integers.addcmul_(x, -low / maximum)
        integers.round_().clamp_(low, high)
        self._known.note(integers, low, high)
        return Quantized(integers, maximum / -low, bits)

    def top_planes(self, q: Quantized, bits: int) -> Quantized:
        dropped = q.bits - bits
        if not dropped:
            return q
        integers = (q.integers * 2.0**-dropped).floor_()  # exact: a power of two
        known = self._known.of(q.integers)
        if known is not None:
            self._known.note(integers, known[0] >> dropped, known[1] >> dropped)
        return Quantized(integers, q.scale * np.float32(1 << dropped), bits)

    def dequantize(self, result: Tensor, x: Quantized, y: Quantized) -> Tensor:
        """In the memory of ``result``, if that is float32."""
        return result.to(self.xp.float32).mul_(_product(x.scale, y.scale))

    def quantize_affine(
        self,
        x: Tensor,
        bits: int,
        extent: Tensor,
        rounding: HostFractions | DeviceFractions | None = None,
    ) -> Tensor:
        levels = (1 << bits) - 1
        minimum, maximum = extent[0], extent[1]
        scale = ((maximum - minimum) / levels).clamp(min=SMALLEST_SCALE)
        y = ((x - minimum) * (1 / scale)).clamp_(0, levels)
        if rounding is not None:
            y.add_(rounding.centred(y)).clamp_(0, levels)
        return y.round_().mul_(scale).add_(minimum)

    # -- batch norm in training -------------------------------------------------------------

    def normalize(self, x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Normalized:
        import torch

        count = elements(x)
        if count == 1:  # no variance with Bessel's correction, which is what PyTorch gives
            return super().normalize(x, gamma, beta, epsilon)
        mean, variance = (torch.zeros_like(gamma).reshape(-1) for _ in range(2))
        # momentum 1: the running statistics are those of this batch
        y, saved_mean, inverse_deviation = torch.native_batch_norm(
            x, gamma.reshape(-1), beta.reshape(-1), mean, variance, True, 1.0, epsilon
        )
        variance *= (count - 1) / count
        saved = (x, saved_mean, inverse_deviation, epsilon)
        return Normalized(y, mean.reshape(gamma.shape), variance.reshape(gamma.shape), saved)

    def normalize_backward(
        self, e: Tensor, saved: Any, gamma: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        import torch

        if len(saved) == 2:
            return super().normalize_backward(e, saved, gamma)
        x, mean, inverse_deviation, epsilon = saved
        dx, dgamma, dbeta = torch.ops.aten.native_batch_norm_backward(
            *(e, x, gamma.reshape(-1), None, None, mean, inverse_deviation),
            *(True, epsilon, [True, True, True]),
        )
        return dx, dgamma.reshape(gamma.shape), dbeta.reshape(gamma.shape)

    # -- sums for the gates -----------------------------------------------------------------

    def inner_products(self, x: Tensor, y: Tensor) -> Tensor:
        return (x * y).sum(dim=(1, 2, 3))

    # -- rectifier --------------------------------------------------------------------------

    def rectify(self, x: Tensor) -> tuple[Tensor, Any]:
        """max(x, 0) in the memory of ``x``; the way back reads it, so it must not change before."""
        y = x.relu_()
        return y, y

    def rectify_backward(self, e: Tensor, saved: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.threshold_backward(e, saved, 0)


def _product(x: Any, y: Any) -> Any:
    """Of two scales, each a tensor or a NumPy number, in float32."""
    if isinstance(x, np.floating):
        x, y = y, x
    return x * float(y) if isinstance(y, np.floating) else x * y
