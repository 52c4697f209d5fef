"""Levels of narrow weights: by hand, and odd ones through an accelerator that knows none."""

from dataclasses import replace

import numpy as np
import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.graph.convolution import usual_convolution
from fractrain.host.graph.geometry import Geometry
from fractrain.host.numerics.quantization import (
    CLIPPING,
    Quantized,
    WeightLevels,
    quantize_activations,
    quantize_weights,
    top_planes,
)
from fractrain.hw.contract.precision import Pass


def values(x: np.ndarray, bits: int, levels: WeightLevels) -> np.ndarray:
    q = quantize_weights(np, x, bits, levels)
    return q.scale * (2 * q.integers + 1 if q.odd else q.integers)


def test_odd_levels_by_hand() -> None:
    """Two bits over ±3: −3, −1, 1, 3; zero goes up."""
    x = np.array([-3, -2.1, -1.9, -0.1, 0, 0.1, 1.9, 2.1, 3], np.float32)
    assert values(x, 2, WeightLevels.ODD).tolist() == [-3, -3, -1, -1, 1, 1, 1, 3, 3]
    q = quantize_weights(np, x, 2, WeightLevels.ODD)
    assert (q.integers.min(), q.integers.max(), q.odd) == (-2, 1, True)


def test_clipped_levels_by_hand() -> None:
    """σ = 2: three bits over ±4 instead of ±6 have steps of 4/3."""
    x = np.array([2, -2] * 8 + [6, -6, 0, 0, 0, 0, 0, 0, 0, 0], np.float32)
    x *= 2 / np.sqrt(np.mean(x * x))
    result = values(x, 3, WeightLevels.CLIP)
    assert result.max() == pytest.approx(4, rel=1e-6)
    assert set(np.round(result / (4 / 3), 5)) <= {-3, -2, -1, 0, 1, 2, 3}


@pytest.mark.parametrize("bits", [1, 5, 8, 16])
@pytest.mark.parametrize("levels", list(WeightLevels))
def test_other_widths_are_as_ever(bits: int, levels: WeightLevels) -> None:
    x = np.random.default_rng(2).normal(size=40).astype(np.float32)
    a, b = quantize_weights(np, x, bits, levels), quantize_weights(np, x, bits)
    np.testing.assert_array_equal(a.integers, b.integers)
    assert not a.odd


@pytest.mark.parametrize("bits", sorted(CLIPPING))
def test_on_normal_weights_clipped_and_odd_levels_are_closer(bits: int) -> None:
    x = np.random.default_rng(3).normal(size=20000).astype(np.float32)
    errors = {levels: np.mean((values(x, bits, levels) - x) ** 2) for levels in WeightLevels}
    assert errors[WeightLevels.CLIP] < errors[WeightLevels.MAX]
    assert errors[WeightLevels.ODD] < errors[WeightLevels.MAX]


@pytest.mark.parametrize("stride", [1, 2])
def test_odd_levels_on_the_accelerator(stride: int) -> None:
    """The kernel of ones makes up for it, forward and backward."""
    rng = np.random.default_rng(4)
    x = rng.random((2, 3, 6, 6)).astype(np.float32)
    weights = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    with open_accelerator("golden") as accelerator:
        arithmetic = IntegerArithmetic(accelerator, WeightLevels.ODD)
        plain = IntegerArithmetic(accelerator)
        a = arithmetic.activations(x, 6, x.max())
        w = arithmetic.weights(weights, 3)
        levels = (w.scale * (2 * w.integers + 1)).astype(np.float32)
        same = plain.weights(levels, 5)  # ±7 steps of the scale fit exactly
        exact = quantize_weights(np, levels, 4)
        np.testing.assert_allclose(exact.scale * exact.integers, levels, rtol=1e-5)
        geometry = Geometry(2, 3, 4, (6, 6), (3, 3), stride, 1)
        one, three = replace(geometry, filters=1), replace(geometry, channels=1)

        def multiply(which: Pass, at: Geometry, x: Quantized, y: Quantized) -> np.ndarray:
            bits = x.bits, y.bits
            return accelerator.convolve(usual_convolution(which, at, bits), x.integers, y.integers)

        def odd(which: Pass, ones: Geometry, x: Quantized) -> np.ndarray:
            minus = multiply(which, ones, x, arithmetic.minus_ones(ones.weights))
            sums = arithmetic.odd_sums(multiply(which, geometry, x, w), minus)
            return arithmetic.dequantize(sums, x, w)

        def real(which: Pass, x: Quantized, y: Quantized) -> np.ndarray:
            return plain.dequantize(multiply(which, geometry, x, y), x, y)

        np.testing.assert_allclose(
            odd(Pass.FORWARD, one, a), real(Pass.FORWARD, a, exact), rtol=1e-4
        )
        y = real(Pass.FORWARD, a, same)
        e = arithmetic.errors(rng.normal(size=y.shape).astype(np.float32), 6, Half())
        np.testing.assert_allclose(
            odd(Pass.ERROR, three, e), real(Pass.ERROR, e, exact), rtol=1e-4, atol=1e-5
        )
        assert (arithmetic.odd_weights, plain.odd_weights) == ((2, 3, 4), ())


class Half:
    """Rounds to nearest."""

    def fractions(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, 0.5, np.float32)


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_top_planes(bits: int) -> None:
    x = np.array([0, 0.1, 0.5, 0.9, 1], np.float32)
    stored = quantize_activations(np, x, 8, np.float32(1))
    read = top_planes(stored, bits)
    assert read.integers.tolist() == [int(q) // 2 ** (8 - bits) for q in stored.integers]
    assert read.scale == pytest.approx(2 ** (8 - bits) / 255)
    assert (read.bits, int(read.integers[0])) == (bits, 0)
