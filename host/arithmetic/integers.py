"""Hardware mode: integers times scales, every product on the accelerator.

    forward    y  = s_a·s_w · forward(a, w)
    error      dx = s_e·s_w · error(e, w)
    gradient   dw = s_a·s_e · gradient(a, e)

Weights of odd levels, 2q + 1, cost a second product in the passes that read them, with a single
kernel of ones: Σ a·(2q + 1) = 2·Σ a·q + Σ a. The kernel of ones is 1-bit, where the machine's two
values are 0 and −1: it holds −1, and the sum is subtracted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fractrain.host.accelerator import Accelerator
from fractrain.host.arithmetic.arithmetic import Arithmetic
from fractrain.host.numerics.quantization import Array, Quantized, WeightLevels
from fractrain.hw.contract.precision import Pass


class IntegerArithmetic(Arithmetic):
    """Symmetric integers of a scale per tensor, on ``accelerator``; nothing is unquantized."""

    mode = "hardware"
    quantizes_all = True

    def __init__(
        self, accelerator: Accelerator, weight_levels: WeightLevels = WeightLevels.MAX
    ) -> None:
        super().__init__(accelerator.elementwise)
        self._accelerator, self._weight_levels = accelerator, weight_levels

    def measure(self, x: Array) -> Array:
        """The greatest value: the range is 0 .. that."""
        return self.elementwise.xp.max(x)

    def pixels(self, images: Array, bits: int | None, image_bits: int, scale: Any) -> Quantized:
        """The top ``bits`` bits of the pixels, as they are."""
        stored = Quantized(images, scale, image_bits)
        return self.elementwise.top_planes(stored, min(image_bits, _known(bits)))

    def activations(self, x: Array, bits: int | None, extent: Array) -> Quantized:
        return self.elementwise.quantize_activations(x, _known(bits), extent)

    def late(self, stored: Quantized, bits: int) -> Quantized:
        """The top planes of what is stored: no second quantization, and less to read."""
        top = self.elementwise.top_planes(stored, bits)
        return replace(top, stored=stored if bits < stored.bits else None)

    def weights(self, x: Array, bits: int | None) -> Quantized:
        return self.elementwise.quantize_weights(x, _known(bits), self._weight_levels)

    def errors(self, x: Array, bits: int | None, rounding: Any) -> Quantized:
        return self.elementwise.quantize_errors(x, _known(bits), rounding)

    def forward(self, a: Quantized, w: Quantized, stride: int, padding: int) -> Array:
        integers, stored = self._in_memory(a)

        def multiply(weights: Array, bits: int) -> Array:
            return self._accelerator.forward(
                integers, weights, (a.bits, bits), stride, padding, stored=stored
            )

        result = multiply(w.integers, w.bits)
        if w.odd:
            result = 2 * result - multiply(self._minus_ones((1, *w.integers.shape[1:])), 1)
        return self.elementwise.dequantize(result, a, w)

    def error(
        self, e: Quantized, w: Quantized, stride: int, padding: int, input_size: tuple[int, int]
    ) -> Array:
        def multiply(weights: Array, bits: int) -> Array:
            return self._accelerator.error(
                e.integers, weights, (e.bits, bits), stride, padding, input_size=input_size
            )

        result = multiply(w.integers, w.bits)
        if w.odd:
            filters, _, *kernel = w.integers.shape
            result = 2 * result - multiply(self._minus_ones((filters, 1, *kernel)), 1)
        return self.elementwise.dequantize(result, e, w)

    def gradient(self, a: Quantized, e: Quantized, stride: int, padding: int, kernel: int) -> Array:
        integers, stored = self._in_memory(a)
        result = self._accelerator.gradient(
            integers,
            e.integers,
            (a.bits, e.bits),
            stride,
            padding,
            kernel_size=kernel,
            stored=stored,
        )
        return self.elementwise.dequantize(result, a, e)

    def _in_memory(self, a: Quantized) -> tuple[Array, int | None]:
        """Activations as they are stored, and with how many bits, where the accelerator reads only
        what it needs of them."""
        if a.stored is None or not self._accelerator.reads_planes:
            return a.integers, None
        return a.stored.integers, a.stored.bits

    def extra_bit_products(
        self, which: Pass, macs: int, shape: tuple[int, ...], x: Quantized, w: Quantized
    ) -> int:
        """Those of the kernel of ones: one filter forward, one channel in the error pass."""
        if not w.odd or which is Pass.GRADIENT:
            return 0
        return macs // shape[0 if which is Pass.FORWARD else 1] * x.bits

    def _minus_ones(self, shape: tuple[int, ...]) -> Array:
        return self.elementwise.from_host(np.full(shape, -1, np.int32))


def _known(bits: int | None) -> int:
    if bits is None:
        raise RuntimeError("hardware mode quantizes every layer: it needs a number of bits")
    return bits
