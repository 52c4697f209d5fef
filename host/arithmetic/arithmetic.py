"""The interface between the layers of a network and what multiplies for them.

A layer has real tensors. It asks its `Arithmetic` to quantize them to a number of bits, and gets
operands that mean something to this arithmetic only; it hands them back for the three passes and
gets real tensors again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.precision import Pass

Operand = Any
"""A quantized tensor, as an arithmetic holds it."""


class Arithmetic(ABC):
    """Quantizes operands and multiplies them.

    ``bits`` of None: the operand of a layer that is left unquantized, in arithmetics that can.
    Shapes: activations [N,C,H,W], weights [K,C,R,S], errors [N,K,P,Q].
    """

    mode: str
    """Name, as ``--mode`` has it."""

    quantizes_all: bool
    """Whether every layer is quantized, those too that the papers leave as they are."""

    def __init__(self, elementwise: Elementwise) -> None:
        self.elementwise = elementwise

    @abstractmethod
    def measure(self, x: Array) -> Array:
        """The range of activations ``x``, an array that a running mean can be taken of."""

    @abstractmethod
    def pixels(self, images: Array, bits: int | None, image_bits: int, scale: Any) -> Operand:
        """Unsigned ``images`` of ``image_bits`` bits, one step being worth ``scale``."""

    @abstractmethod
    def activations(self, x: Array, bits: int | None, extent: Array) -> Operand:
        """``x`` over the range ``extent``."""

    @abstractmethod
    def late(self, stored: Operand, bits: int) -> Operand:
        """Activations that were quantized before it was known how many bits are wanted."""

    @abstractmethod
    def weights(self, x: Array, bits: int | None) -> Operand: ...

    @abstractmethod
    def errors(self, x: Array, bits: int | None, rounding: Any) -> Operand: ...

    @abstractmethod
    def forward(self, a: Operand, w: Operand, stride: int, padding: int) -> Array:
        """y[N,K,P,Q]."""

    @abstractmethod
    def error(
        self, e: Operand, w: Operand, stride: int, padding: int, input_size: tuple[int, int]
    ) -> Array:
        """dx[N,C,H,W]."""

    @abstractmethod
    def gradient(self, a: Operand, e: Operand, stride: int, padding: int, kernel: int) -> Array:
        """dw[K,C,R,S]."""

    def extra_bit_products(
        self, which: Pass, macs: int, shape: tuple[int, ...], x: Operand, w: Operand
    ) -> int:
        """Bit products that a pass of ``macs`` multiply-accumulates costs on top of its own, with
        weights of ``shape``; ``x`` is the other operand."""
        return 0
