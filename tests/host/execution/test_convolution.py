"""A convolution layer: at 16 bits it is the real convolution, at every width it has its cost."""

import numpy as np
import pytest
import scipy.signal

from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.activation import ActivationRange
from fractrain.host.networks.convolution import Convolution, NormalizedConvolution, Shape
from fractrain.host.networks.selection import FixedSelector
from fractrain.hw.contract.precision import Precision
from tests.host.execution.alone import WIDEST, There, carry_out


class Quantized:
    """A layer and the quantization before it, in a block of its own."""

    def __init__(self, layer: Convolution | NormalizedConvolution) -> None:
        self.layer, self.range = layer, ActivationRange("layer.input")

    def parameters(self) -> list:
        return self.layer.parameters()

    def statistics(self) -> list:
        norms = self.layer.statistics() if isinstance(self.layer, NormalizedConvolution) else []
        return [self.range.running, *norms]

    def emit(self, builder: Builder, x: Tensor) -> Tensor:
        extent = self.range.emit(builder, x)

        def body(x: Tensor, slots: object) -> Tensor:
            a = builder.activations("a", x, extent, self.layer.slot(slots))
            return self.layer.emit(builder, a, slots)

        return builder.block("block", x, body)


def run(
    layer: Convolution | NormalizedConvolution,
    x: np.ndarray,
    precision: Precision,
    arithmetic: IntegerArithmetic,
) -> There:
    whole = Quantized(layer)
    return carry_out(whole.emit, x, arithmetic, whole, selector=FixedSelector(precision))


def real_convolution(x: np.ndarray, w: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """In float64, by SciPy."""
    padded = np.pad(x.astype(float), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return np.array(
        [
            [scipy.signal.correlate(image, kernel.astype(float), mode="valid")[0] for kernel in w]
            for image in padded
        ]
    )[:, :, ::stride, ::stride]


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (1, 2)])
def test_the_three_passes_are_those_of_the_real_convolution(
    kernel: int, stride: int, integers: IntegerArithmetic, rng: np.random.Generator
) -> None:
    layer = Convolution("layer", Shape(3, 4, kernel, stride), rng)
    x = rng.random((2, 3, 7, 6)).astype(np.float32)
    w, there = layer.weight.value, run(layer, x, WIDEST, integers)
    y = there.y
    truth = real_convolution(x, w, stride, layer.shape.padding)
    np.testing.assert_allclose(y, truth, atol=2e-4 * np.abs(truth).max())

    e = rng.normal(size=y.shape).astype(np.float32)
    dx = there.back(e)
    gradient = layer.weight.gradient
    close_dx, close_dw = (2e-3 * float(np.abs(each).max()) for each in (dx, gradient))
    # The real convolution is linear in x and in w: derivatives are its values at unit tensors.
    for _ in range(20):
        index = tuple(rng.integers(0, length) for length in x.shape)
        unit = np.zeros(x.shape)
        unit[index] = 1
        expected = (real_convolution(unit, w, stride, layer.shape.padding) * e).sum()
        assert dx[index] == pytest.approx(expected, abs=close_dx)
        index = tuple(rng.integers(0, length) for length in w.shape)
        unit = np.zeros(w.shape)
        unit[index] = 1
        expected = (real_convolution(x, unit, stride, layer.shape.padding) * e).sum()
        assert gradient[index] == pytest.approx(expected, abs=close_dw)


def test_cost_of_each_pass(integers: IntegerArithmetic, rng: np.random.Generator) -> None:
    layer = Convolution("layer", Shape(3, 5, 3, 2), rng)
    there = run(layer, rng.random((2, 3, 8, 8)).astype(np.float32), Precision(4, 3, 6), integers)
    macs = 2 * 5 * 4 * 4 * 3 * 9
    assert there.costs.executed == macs * (4 * 3 + 6 * 3 + 4 * 6) / 1024
    assert there.costs.baseline == macs * 3 * 64 / 1024


def test_initial_deviation(rng: np.random.Generator) -> None:
    layer = Convolution("layer", Shape(64, 64, 3, 1), rng)
    assert layer.weight.value.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)
