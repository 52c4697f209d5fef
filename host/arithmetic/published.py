"""Reference mode: the published numerics, emulated by convolutions of real numbers.

Operands are the values that the affine quantizer (`host.numerics.affine`) leaves, in float32;
first convolution and shortcuts stay unquantized, as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fractrain.host.accelerator import Accelerator
from fractrain.host.arithmetic.arithmetic import Arithmetic
from fractrain.host.graph.arguments import check_layers
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.skipping import find_running
from fractrain.host.graph.step import StepGraph
from fractrain.host.numerics import affine
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.precision import Precision


class PublishedArithmetic(Arithmetic):
    """Affine quantizers, and the real convolutions of ``accelerator``'s backend.

    ``published_range``: ranges reduced as published (`affine.tensor_range`).

    Raises `ParameterError` for a backend that has no real convolutions.
    """

    mode = "reference"
    real = True

    def __init__(self, accelerator: Accelerator, *, published_range: bool = False) -> None:
        super().__init__(accelerator.elementwise)
        self._convolutions = accelerator.real_convolutions()
        self._published_range = published_range

    def measure(self, x: Array) -> Array:
        """[minimum, maximum]."""
        return affine.tensor_range(self.elementwise.xp, x, published=self._published_range)

    def pixels(self, images: Array, bits: int | None, image_bits: int, scale: Any) -> Array:
        """The values of the pixels."""
        xp = self.elementwise.xp
        return xp.asarray(images, dtype=xp.float32) * float(scale)

    def activations(self, x: Array, bits: int | None, extent: Array) -> Array:
        return x if bits is None else self.elementwise.quantize_affine(x, bits, extent)

    def late(self, stored: Array, bits: int) -> Array:
        raise RuntimeError("reference mode quantizes after the gate has decided")

    def weights(self, x: Array, bits: int | None) -> Array:
        return x if bits is None else affine.quantize_per_filter(self.elementwise.xp, x, bits)

    def errors(self, x: Array, bits: int | None, rounding: Any) -> Array:
        if bits is None:
            return x
        extent = affine.tensor_range(self.elementwise.xp, x)
        return self.elementwise.quantize_affine(x, bits, extent, rounding)

    def prepare(self, graph: StepGraph) -> None:
        check_layers(graph.convolutions)

    def run_piece(
        self, piece: Piece, operands: Mapping[str, Array], table: Sequence[Precision]
    ) -> dict[str, Array]:
        return {
            each.result.name: self._convolutions.convolve(
                each.convolution(table), operands[each.row.name], operands[each.column.name]
            )
            for each in find_running(piece.convolutions, table, operands)
        }
