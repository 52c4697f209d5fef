"""A convolution layer: at 16 bits it is the real convolution, at every width it counts its cost."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.signal

from fractrain.host.networks.convolution import Convolution, NormalizedConvolution, Shape
from fractrain.host.networks.execution import Execution
from fractrain.host.numerics.quantization import Quantized, quantize_activations
from fractrain.hw.contract.precision import Precision

WIDEST = Precision(16, 16, 16)


def quantized(x: np.ndarray, bits: int) -> Quantized:
    return quantize_activations(np, x, bits, x.max())


def run(
    layer: Convolution | NormalizedConvolution,
    x: np.ndarray,
    bits: int,
    precision: Precision,
    execution: Execution,
) -> np.ndarray:
    """Forward, with ``x`` quantized to ``bits`` bits."""
    size = (x.shape[2], x.shape[3])
    return layer.forward(quantized(x, bits), size, len(x), precision, execution)


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
    kernel: int, stride: int, training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    layer = Convolution("layer", Shape(3, 4, kernel, stride), rng)
    x = rng.random((2, 3, 7, 6)).astype(np.float32)
    w, execution = layer.weight.value, training()
    y = run(layer, x, 16, WIDEST, execution)
    truth = real_convolution(x, w, stride, layer.shape.padding)
    np.testing.assert_allclose(y, truth, atol=2e-4 * np.abs(truth).max())

    e = rng.normal(size=y.shape).astype(np.float32)
    dx = layer.backward(e, execution)
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


def test_cost_of_each_pass(training: Callable[..., Execution], rng: np.random.Generator) -> None:
    layer = Convolution("layer", Shape(3, 5, 3, 2), rng)
    precision = Precision(4, 3, 6)
    execution = training(precision)
    x = rng.random((2, 3, 8, 8)).astype(np.float32)
    y = run(layer, x, 4, precision, execution)
    macs = 2 * 5 * 4 * 4 * 3 * 9
    costs = execution.for_training.costs
    assert costs.executed == macs * 4 * 3 / 1024
    layer.backward(y, execution)
    assert costs.executed == macs * (4 * 3 + 6 * 3 + 4 * 6) / 1024
    assert costs.baseline == macs * 3 * 64 / 1024


def test_weights_only_leaves_the_error_out(
    training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    layer = NormalizedConvolution("layer", Shape(3, 5, 3, 1), rng)
    precision = Precision(4, 3, 6)
    execution = training(precision)
    x = rng.random((2, 3, 4, 4)).astype(np.float32)
    y = run(layer, x, 4, precision, execution)
    layer.backward_weights(y, execution)
    macs = 2 * 5 * 4 * 4 * 3 * 9
    assert execution.for_training.costs.executed == macs * (4 * 3 + 4 * 6) / 1024
    assert layer.convolution.weight.gradient.shape == (5, 3, 3, 3)


def test_evaluation_costs_nothing_and_keeps_nothing(
    evaluation: Execution, training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    layer = Convolution("layer", Shape(3, 5, 3, 1), rng)
    y = run(layer, rng.random((1, 3, 4, 4)), 8, WIDEST, evaluation)
    with pytest.raises(RuntimeError, match="layer.weight"):
        layer.backward(y, training())
    run(layer, rng.random((1, 3, 4, 4)), 8, WIDEST, training())
    with pytest.raises(RuntimeError, match="evaluation"):
        layer.backward(y, evaluation)


def test_initial_deviation(rng: np.random.Generator) -> None:
    layer = Convolution("layer", Shape(64, 64, 3, 1), rng)
    assert layer.weight.value.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)
