"""Hardware mode: everything that touches every element is integers (docs/numerics.md).

The kernels of `host.execution.kernels.integers` carry the operations out; this class holds what
they share: the accelerator, its `StepMath`, the history of ranges.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Accelerator
from fractrain.host.arithmetic import chunk_sums, step_scales
from fractrain.host.arithmetic.arithmetic import Arithmetic
from fractrain.host.arithmetic.history import History
from fractrain.host.graph import operations as ops
from fractrain.host.graph.choice import is_skip
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.graph.pieces import Piece
from fractrain.host.graph.skipping import carried_out
from fractrain.host.graph.step import StepGraph
from fractrain.host.networks.network import Network
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.numerics import exact_classifier
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.quantization import Array, Quantized, WeightLevels
from fractrain.host.numerics.step_math import StepMath
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision
from fractrain.sim.golden.step.weights import to_master, weight_scale


class IntegerStep(Arithmetic):
    """Integers on ``accelerator``; ``options``: what the step's definition leaves open.

    Raises `ParameterError` for odd levels of weights, which need a second product.
    """

    mode = "hardware"
    real = False
    measures = True
    numbers = staticmethod(counter_numbers)
    integers: IntegerOptions

    def __init__(
        self,
        accelerator: Accelerator,
        weight_levels: WeightLevels = WeightLevels.CLIP,
        options: IntegerOptions | None = None,
    ) -> None:
        super().__init__(accelerator.elementwise)
        if weight_levels is WeightLevels.ODD:
            raise ParameterError(
                "weight_levels", "odd", "max or clip in hardware mode; --mode float has odd levels"
            )
        self._accelerator, self.weight_levels = accelerator, weight_levels
        self.integers = options or IntegerOptions()
        self.math: StepMath = accelerator.step_math
        self.history = History()

    # -- parameters ------------------------------------------------------------------------

    def adopt(self, network: Network) -> None:
        """Weights of convolutions become master weights, all others float64."""
        for each in network.parameters():
            real = np.asarray(each.value, np.float64)
            each.value = self.math.from_host(to_master(real)) if each.multiplied else real
        for statistic in network.statistics():
            if statistic.value is not None:
                statistic.value = np.asarray(statistic.value, np.float64)

    def to_host(self, held: Parameter, value: Array) -> NDArray[Any]:
        found: NDArray[Any] = self.math.to_host(value) if held.multiplied else np.asarray(value)
        return found

    def from_host(self, held: Parameter, value: NDArray[Any]) -> Array:
        return self.math.from_host(value) if held.multiplied else value

    def statistic_from_host(self, value: NDArray[Any]) -> Array:
        return value

    def weights_sha256(self, parameters: Sequence[Parameter]) -> str:
        """Master weights first, as little-endian int32, then all others as float64; both in the
        order given, in C order."""
        digest = hashlib.sha256()
        for multiplied, kind in ((True, "<i4"), (False, "<f8")):
            for each in parameters:
                if each.multiplied is multiplied:
                    value = self.to_host(each, each.value)
                    digest.update(np.ascontiguousarray(value, kind).tobytes())
        return digest.hexdigest()

    def find_infinite(self, parameters: Sequence[Parameter]) -> Parameter | None:
        """Integers saturate: the others are looked at."""
        real = (each for each in parameters if not each.multiplied)
        return next((each for each in real if not np.isfinite(each.value).all()), None)

    def rounding(self, seed: int, step: int) -> Any:
        """What the keys of random bits are made of."""
        return seed, step

    # -- steps -----------------------------------------------------------------------------

    def missing(self, step: StepGraph, table: Sequence[Precision] | None = None) -> bool:
        """Whether a tensor that will be there has no history. One that was always zero has: no step
        can give it a range, and the one in which it is not zero does without (`History`)."""
        running = step.operations if table is None else carried_out(step.operations, table)
        return any(
            not self.history.knows(each.range_name)
            for each in running
            if isinstance(each, ops.Narrow | ops.Form | ops.Join | ops.Apply)
            and not (table and isinstance(each, ops.Form) and self._passes(each, table))
        )

    @staticmethod
    def _passes(form: ops.Form, table: Sequence[Precision]) -> bool:
        """Whether all its batch norms are skipped."""
        return all(is_skip(table[slot]) for slot in form.slots)

    def commit(self, pending: Sequence[tuple[Statistic, Any]]) -> None:
        """Ranges hold from now on;  running ← running + 0.1·(of the step − running)."""
        self.history.commit()
        for statistic, newest in pending:
            old = statistic.value
            statistic.value = chunk_sums.moved(old, newest.reshape(old.shape))

    def state(self) -> dict[str, float]:
        return dict(self.history.values)

    def load(self, state: Mapping[str, float]) -> None:
        self.history.values = dict(state)

    def measured(self) -> None:
        self.history.commit_new()

    # -- the end of a network ----------------------------------------------------------------

    def linear(self, x: Array, weight: Array, bias: Array) -> Array:
        return exact_classifier.linear(x, weight, bias)

    def linear_backward(self, e: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
        gradients = exact_classifier.linear_gradients(e, x)
        return *gradients, exact_classifier.linear_error(e, weight)

    def loss(self, logits: Array, labels: Array) -> tuple[Array, Array]:
        return exact_classifier.softmax_cross_entropy(logits, self.elementwise.to_host(labels))

    # -- operands of convolutions ----------------------------------------------------------

    def pixels(self, images: Array, bits: int | None, image_bits: int, scale: Any) -> Quantized:
        """The top ``bits`` bits of the pixels, as they are."""
        assert bits is not None
        kept = min(image_bits, bits)
        top = self._top(images, image_bits, kept)
        return step_scales.pixel_values(top, bits, image_bits, scale)

    def weights(self, x: Array, bits: int | None) -> Quantized:
        """Of master weights: over the greatest magnitude, or clipped."""
        assert bits is not None
        reach = partial(self.math.greatest, x), partial(self.math.deviation, x)
        clipping = step_scales.weights_clipping(self.weight_levels, bits)
        scale = weight_scale(step_scales.weights_extent(clipping, *reach), bits)
        return Quantized(self.math.quantize_weights(x, bits, scale), scale, bits)

    def late(self, stored: Quantized, bits: int) -> Quantized:
        """The top ``bits`` bits of a residual."""
        if stored.bits == bits:
            return stored
        top = self._top(stored.integers, stored.bits, bits)
        return Quantized(top, step_scales.top_scale(stored.scale, stored.bits, bits), bits)

    def _top(self, integers: Array, stored: int, bits: int) -> Array:
        return self.elementwise.top_planes(Quantized(integers, 1.0, stored), bits).integers

    def measure(self, x: Array) -> Array:
        raise RuntimeError("ranges are those of the last step")

    def activations(self, x: Array, bits: int | None, extent: Array) -> Quantized:
        raise RuntimeError("activations are formed")

    def errors(self, x: Array, bits: int | None, rounding: Any) -> Quantized:
        raise RuntimeError("errors are applied")

    # -- pieces ----------------------------------------------------------------------------

    def prepare(self, graph: StepGraph) -> None:
        self._accelerator.prepare(graph)

    def run_piece(
        self, piece: Piece, operands: Mapping[str, Quantized], table: Sequence[Precision]
    ) -> dict[str, Array]:
        integers = {name: each.integers for name, each in operands.items()}
        return self._accelerator.run_piece(piece, integers, table)
