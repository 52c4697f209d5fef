"""The interface between the operations of a step and the multiplications.

The executor has real tensors. It asks its `Arithmetic` to quantize them to a number of bits, gets
operands that only this arithmetic understands, hands them back for convolutions, and gets real
tensors again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from fractrain.host.graph.operations.quantizing import RANGE_MOMENTUM
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.step import StepGraph
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.precision import Precision

Operand = Any
"""A quantized tensor, as an arithmetic holds it."""


class Arithmetic(ABC):
    """Quantizes operands and multiplies them.

    ``bits`` of None: the operand of a layer that is left unquantized, in arithmetics that can.
    Shapes: activations [N,C,H,W], weights [K,C,R,S], errors [N,K,P,Q].
    """

    mode: str
    """Name, as ``--mode`` has it."""

    real: bool
    """Whether convolutions multiply real numbers (`StepOptions.real`)."""

    odd_weights: tuple[int, ...] = ()
    """Widths at which its weights are odd levels, 2q + 1."""

    def __init__(self, elementwise: Elementwise) -> None:
        self.elementwise = elementwise

    @abstractmethod
    def measure(self, x: Array) -> Array:
        """The range of activations ``x``, as an array, so that a running mean is possible."""

    def follow(self, running: Array | None, batch: Array, times: int) -> Array:
        """The running range after the range ``batch`` of one step, which counts ``times`` times in
        some arithmetics; None before the first."""
        previous = batch if running is None else running
        return previous + RANGE_MOMENTUM * (batch - previous)

    @abstractmethod
    def pixels(self, images: Array, bits: int | None, image_bits: int, scale: Any) -> Operand:
        """Unsigned ``images`` of ``image_bits`` bits; one step is worth ``scale``."""

    @abstractmethod
    def activations(self, x: Array, bits: int | None, extent: Array) -> Operand:
        """``x`` over the range ``extent``."""

    @abstractmethod
    def late(self, stored: Operand, bits: int) -> Operand:
        """Activations that were quantized before their bits were chosen."""

    @abstractmethod
    def weights(self, x: Array, bits: int | None) -> Operand: ...

    @abstractmethod
    def errors(self, x: Array, bits: int | None, rounding: Any) -> Operand: ...

    def prepare(self, graph: StepGraph) -> None:  # noqa: B027  most have nothing to do
        """Prepare for the pieces of ``graph``, before it is carried out.

        Raises `ParameterError` for a step that cannot be multiplied here.
        """

    @abstractmethod
    def run_piece(
        self, piece: Piece, operands: Mapping[str, Operand], table: Sequence[Precision]
    ) -> dict[str, Array]:
        """Results, by name, of the convolutions of ``piece``, without those that ``table``, the
        precisions of all slots, skips; ``operands`` by name."""

    def minus_ones(self, shape: tuple[int, ...]) -> Operand:
        """The kernel of ones, as a 1-bit operand: −1 everywhere."""
        raise RuntimeError(f"{self.mode} mode has no odd weights")

    def odd_sums(self, sums: Array, minus: Array) -> Array:
        """2·sums − minus."""
        return 2 * sums - minus

    def dequantize(self, sums: Array, row: Operand, column: Operand) -> Array:
        """The real value of ``sums`` of these operands, in the memory of ``sums`` if possible."""
        raise RuntimeError(f"{self.mode} mode has no integers")
