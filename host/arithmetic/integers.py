"""Float mode: integers times scales, every product on the accelerator.

    forward    y  = s_a·s_w · forward(a, w)
    error      dx = s_e·s_w · error(e, w)
    gradient   dw = s_a·s_e · gradient(a, e)

Weights of odd levels, 2q + 1, cost a second product in the passes that read them, with a kernel of
ones: Σ a·(2q + 1) = 2·Σ a·q + Σ a. The kernel of ones has 1 bit, and the machine's 1-bit values are
0 and −1: so it holds −1, and the sum is subtracted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fractrain.host.accelerator import Accelerator
from fractrain.host.arithmetic.arithmetic import Arithmetic
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.step import StepGraph
from fractrain.host.numerics.quantization import (
    WIDEST_NARROW_WEIGHT,
    Array,
    Quantized,
    WeightLevels,
)
from fractrain.hw.contract.precision import Precision


class IntegerArithmetic(Arithmetic):
    """Symmetric integers of a scale per tensor, on ``accelerator``; nothing is unquantized."""

    mode = "float"
    real = False

    def __init__(
        self, accelerator: Accelerator, weight_levels: WeightLevels = WeightLevels.MAX
    ) -> None:
        super().__init__(accelerator.elementwise)
        self._accelerator, self._weight_levels = accelerator, weight_levels
        self.odd_weights = tuple(
            bits
            for bits in range(1, WIDEST_NARROW_WEIGHT + 1)
            if weight_levels.at(bits) is WeightLevels.ODD
        )

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
        """The top planes of the stored activations: no second quantization, and less to read."""
        top = self.elementwise.top_planes(stored, bits)
        return replace(top, stored=stored if bits < stored.bits else None)

    def weights(self, x: Array, bits: int | None) -> Quantized:
        return self.elementwise.quantize_weights(x, _known(bits), self._weight_levels)

    def errors(self, x: Array, bits: int | None, rounding: Any) -> Quantized:
        return self.elementwise.quantize_errors(x, _known(bits), rounding)

    def prepare(self, graph: StepGraph) -> None:
        self._accelerator.prepare(graph)

    def run_piece(
        self, piece: Piece, operands: Mapping[str, Quantized], table: Sequence[Precision]
    ) -> dict[str, Array]:
        """On the accelerator; it gets stored activations if it reads only the planes it needs."""
        planes, integers = self._accelerator.reads_planes, {}
        for each in piece.convolutions:
            for tensor in (each.row, each.column):
                if tensor.name in operands:
                    q = operands[tensor.name]
                    q = q.stored if planes and q.stored is not None else q
                    integers[tensor.stored.name if planes else tensor.name] = q.integers
        return self._accelerator.run_piece(piece, integers, table)

    def minus_ones(self, shape: tuple[int, ...]) -> Quantized:
        ones = self.elementwise.from_host(np.full(shape, -1, np.int32))
        return Quantized(ones, np.float32(1), 1)

    def dequantize(self, sums: Array, row: Quantized, column: Quantized) -> Array:
        return self.elementwise.dequantize(sums, row, column)


def _known(bits: int | None) -> int:
    if bits is None:
        raise RuntimeError("float mode quantizes every layer: it needs a number of bits")
    return bits
