"""Reference mode: the published numerics, emulated by convolutions of real numbers.

Operands are the values that the affine quantizer (`host.numerics.affine`) leaves, in float32.
Source: Fu et al., FracTrain, NeurIPS 2020, and the authors' code for CIFAR, in which first
convolution and shortcuts are quantized like the blocks (`StepOptions.real`), unlike in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fractrain.host.accelerator import Accelerator
from fractrain.host.arithmetic.arithmetic import Arithmetic
from fractrain.host.datasets.dataset import Moments
from fractrain.host.graph.arguments import check_layers
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.skipping import find_running
from fractrain.host.graph.step import StepGraph
from fractrain.host.numerics import affine
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.precision import Precision

RANGE_KEPT = 0.9
"""Share of the old running range that a new one leaves, in the authors' code."""

FRACTRAIN_RANGE_KEPT = 0.1
"""The same in their code of FracTrain."""


class PublishedArithmetic(Arithmetic):
    """Affine quantizers, and the real convolutions of ``accelerator``'s backend.

    ``moments``: of the images, which are normalized by them; without, pixels keep their values.
    ``range_kept``: m of the running range r of activations, for evaluations:

        r ← m·r + (1 − m)·range        from 0, once for each path that reads the activations

    Raises `ParameterError` for a backend that has no real convolutions.
    """

    mode = "reference"
    real = True

    def __init__(
        self,
        accelerator: Accelerator,
        moments: Moments | None = None,
        range_kept: float = RANGE_KEPT,
    ) -> None:
        super().__init__(accelerator.elementwise)
        self._convolutions = accelerator.real_convolutions()
        self._moments, self._range_kept = None, range_kept
        if moments is not None:
            shaped = (each.reshape(1, -1, 1, 1) for each in (moments.mean, moments.deviation))
            self._moments = tuple(map(self.elementwise.from_host, shaped))

    def measure(self, x: Array) -> Array:
        """[minimum, maximum]."""
        return affine.tensor_range(self.elementwise.xp, x)

    def follow(self, running: Array | None, batch: Array, times: int) -> Array:
        kept = self._range_kept**times
        return (1 - kept) * batch + (0 if running is None else kept * running)

    def pixels(self, images: Array, bits: int | None, image_bits: int, scale: Any) -> Array:
        """(pixel − mean) / deviation, or the values of the pixels."""
        xp = self.elementwise.xp
        values = xp.asarray(images, dtype=xp.float32)
        if self._moments is None:
            return values * float(scale)
        mean, deviation = self._moments
        return (values - mean) / deviation

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
