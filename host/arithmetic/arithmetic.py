"""The interface between the operations of a step and the multiplications.

The executor has real tensors. It asks its `Arithmetic` to quantize them to a number of bits, gets
operands that only this arithmetic understands, hands them back for convolutions, and gets real
tensors again. In hardware mode (`integer_step`) there are no real tensors between: its kernels have
the integers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.operations.quantizing import RANGE_MOMENTUM
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.step import StepGraph
from fractrain.host.networks.network import Network, place
from fractrain.host.networks.parameter import Parameter, Statistic, weights_sha256
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.loss import softmax_cross_entropy
from fractrain.host.numerics.quantization import Array
from fractrain.host.numerics.random_streams import RandomNumbers, Stream, generator
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

    numbers: staticmethod[[int, Stream, int], RandomNumbers] = staticmethod(generator)
    """Makes the random numbers of the host, of (seed, stream, index)."""

    integers: IntegerOptions | None = None
    """Of an arithmetic that does everything around the convolutions in integers, too."""

    def __init__(self, elementwise: Elementwise) -> None:
        self.elementwise = elementwise

    # -- parameters ------------------------------------------------------------------------

    def adopt(self, network: Network) -> None:
        """Move parameters and statistics of ``network`` to where the arithmetic has them."""
        place(network, self.elementwise)

    def to_host(self, held: Parameter, value: Array) -> NDArray[Any]:
        """``value``, of the kind of a parameter's, as a NumPy array."""
        return self.elementwise.to_host(value)

    def from_host(self, held: Parameter, value: NDArray[Any]) -> Array:
        """A NumPy array in the place of a parameter's value."""
        return self.elementwise.from_host(value)

    def statistic_from_host(self, value: NDArray[Any]) -> Array:
        """A NumPy array in the place of a network's statistic."""
        return self.elementwise.from_host(value)

    def weights_sha256(self, parameters: Sequence[Parameter]) -> str:
        """SHA-256 of the values, in the order given, each as little-endian float32 in C order."""
        return weights_sha256(parameters, self.elementwise)

    def find_infinite(self, parameters: Sequence[Parameter]) -> Parameter | None:
        """One with a value that is not finite. One number comes to the host; only if it is not
        finite, one of each parameter."""
        sums = [self.elementwise.xp.sum(each.value) for each in parameters]
        if math.isfinite(float(sum(sums[1:], sums[0]))):
            return None
        return next(
            (p for p, each in zip(parameters, sums, strict=True) if not math.isfinite(float(each))),
            None,
        )

    def rounding(self, seed: int, step: int) -> Any:
        """The random numbers of a step."""
        return self.elementwise.rounding(seed, step)

    # -- steps -----------------------------------------------------------------------------

    measures = False
    """Whether a step may have to be measured before it counts."""

    def missing(self, step: StepGraph, table: Sequence[Precision] | None = None) -> bool:
        """Whether one at the precisions ``table`` must be; without it, whether any must."""
        return False

    def state(self) -> dict[str, float]:
        """What later steps depend on, for a checkpoint's document."""
        return {}

    def load(self, state: Mapping[str, float]) -> None:  # noqa: B027
        """Continue from a `state`."""

    def commit(self, pending: Sequence[tuple[Statistic, Any]]) -> None:  # noqa: B027
        """A step is over: ``pending`` has the statistics that move the running ones."""

    def measured(self) -> None:  # noqa: B027
        """A step that only measures is over."""

    # -- the end of a network ----------------------------------------------------------------

    def linear(self, x: Array, weight: Array, bias: Array) -> Array:
        """x·Wᵀ + b of rows ``x``."""
        # NumPy's einsum has a fixed order of summation; BLAS would choose one by its thread count.
        return self.elementwise.xp.einsum("nc,kc->nk", x, weight) + bias

    def linear_backward(self, e: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
        """(dW, db, dx) of the error ``e`` at `linear`'s result."""
        xp = self.elementwise.xp
        dweight = xp.einsum("nk,nc->kc", e, x)
        return dweight, xp.sum(e, axis=0), xp.einsum("nk,kc->nc", e, weight)

    def loss(self, logits: Array, labels: Array) -> tuple[Array, Array]:
        """`softmax_cross_entropy`."""
        return softmax_cross_entropy(self.elementwise.xp, logits, labels)

    # -- operands --------------------------------------------------------------------------

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
