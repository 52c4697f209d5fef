"""Batch norm in integers against float64, forward and back, with running statistics or without."""

import numpy as np
import pytest

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import WIDE, Format, inner_format, outer_format
from fractrain.sim.golden.step import backward, forward
from fractrain.sim.golden.step.forward import Normalizer
from fractrain.sim.golden.step.scales import exponent, narrow_shift
from tests.sim.golden.step import float_norm
from tests.sim.golden.step.float_norm import Layer, Running

SUMS_STEP = 3e-4
"""The real value of one in a convolution's sums."""


def running_of(layer: Layer, share: int) -> Running:
    """Statistics near the layer's own."""
    real = layer.sums * SUMS_STEP
    mean, variance = real.mean((0, 2, 3)), real.var((0, 2, 3))
    return Running(share / 256, mean + 0.3 * np.sqrt(variance), variance * 1.4)


def narrowed(layer: Layer) -> tuple[np.ndarray, float]:
    shift = narrow_shift(float(np.abs(layer.sums).max()))
    return forward.narrow(layer.sums, shift), SUMS_STEP * 2.0**shift


def normalizer_of(layer: Layer, chunk: int, running: Running | None) -> Normalizer:
    y, step = narrowed(layer)
    if running is None:
        return forward.normalizer(forward.moments(y, chunk))
    share = round(running.share * 256)
    mix = forward.mix(running.mean, running.variance, step, share)
    return forward.normalizer(forward.moments(y, chunk), mix)


def parts(array: np.ndarray, chunk: int) -> list[np.ndarray]:
    return [array[i : i + chunk] for i in range(0, len(array), chunk)]


def relative(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.mark.parametrize("share", [None, 0, 64, 255])
@pytest.mark.parametrize("chunk", [12, 5, 1])
def test_forward(chunk: int, share: int | None) -> None:
    layer = float_norm.layer(1)
    running = None if share is None else running_of(layer, share)
    by = normalizer_of(layer, chunk, running)
    y, _ = narrowed(layer)
    true = np.concatenate(
        [
            float_norm.forward(each, layer.gamma, layer.beta, running)
            for each in parts(layer.sums * SUMS_STEP, chunk)
        ]
    )
    extent = float(true.max())
    formats = (
        (WIDE, 8),
        (WIDE, 4),
        (inner_format(11), 8),
        (inner_format(8), 8),
        (inner_format(7), 4),
    )
    for each, a_bits in formats:
        x = forward.normalize(y, by, each, chunk)
        unit = forward.unit_of_z(extent, a_bits)
        z = forward.form([(x, forward.term(layer.gamma, layer.beta, each, unit))]) * unit
        clipped = np.abs(x) == each.most
        step = 2.0**-each.fraction * layer.gamma.max()
        assert np.abs(z - true)[~clipped].max() < 0.6 * step + 0.002 * extent, each
        assert (z > true - 0.01)[clipped & (x < 0)].all()
        assert (z < true + 0.01)[clipped & (x > 0)].all()
    wide = forward.normalize(y, by, WIDE, chunk)
    kept = forward.keep(wide, outer_format(4))
    assert np.abs(kept / 2 - np.clip(wide / 256, -3.5, 3.5)).max() <= 0.25


def test_the_gradient_that_the_integers_are_compared_with() -> None:
    """float_norm.back against differences of Σ e·(γ·x̂ + β)."""
    rng = np.random.default_rng(3)
    y, e = rng.normal(1, 2, (2, 4, 3, 1, 2))
    gamma, beta = rng.normal(size=(2, 3))
    for running in (None, Running(0.3, rng.normal(size=3), rng.uniform(1, 2, 3))):
        dx = float_norm.back(y, e, gamma, running)
        for place in np.ndindex(y.shape):
            h = np.zeros(y.shape)
            h[place] = 1e-5
            up, down = (float_norm.forward(y + s * h, gamma, beta, running) for s in (1, -1))
            assert abs(((up - down) * e).sum() / 2e-5 - dx[place]) < 1e-7


@pytest.mark.parametrize("share", [None, 0, 64, 255])
@pytest.mark.parametrize("form", [inner_format(11), inner_format(8), outer_format(8)])
@pytest.mark.parametrize("chunk", [12, 5])
def test_back(chunk: int, form: Format, share: int | None) -> None:
    """Unrounded, to 10⁻³ where x̂ counts in σ/32 or less, else to 2·10⁻³; rounded to 6 bits, as
    parallel to the true error as the true error itself, rounded."""
    layer = float_norm.layer(2)
    running = None if share is None else running_of(layer, share)
    by = normalizer_of(layer, chunk, running)
    y, y_step = narrowed(layer)
    error_step = 2.0 ** exponent(1e-3)
    true = np.concatenate(
        [
            float_norm.back(a * SUMS_STEP, b * error_step, layer.gamma, running)
            for a, b in zip(parts(layer.sums, chunk), parts(layer.error, chunk), strict=True)
        ]
    )
    x = forward.normalize(y, by, form, chunk)
    found = backward.error_moments(layer.error, x, chunk)
    for bits in (6, 8, 12):
        scale = float(np.abs(true).max()) / ((1 << (bits - 1)) - 1)
        gains = backward.gain(layer.gamma, error_step, y_step, scale, bits)
        slopes = backward.slopes(found, by, gains, form)
        wide = backward.apply(layer.error, x, slopes, chunk)
        unrounded = wide * 2.0 ** -backward.fraction(bits) * scale
        assert relative(unrounded, true) < (1e-3 if form.fraction >= 5 else 2e-3)
    random = np.random.default_rng(5).integers(0, 256, true.shape, np.uint8)
    scale = float(np.abs(true).max()) / 31
    gains = backward.gain(layer.gamma, error_step, y_step, scale, 6)
    wide = backward.apply(layer.error, x, backward.slopes(found, by, gains, form), chunk)
    ideal = np.clip(np.floor(true / scale + random / 256), -31, 31)
    rounded = backward.round_errors(wide, 6, random)
    assert cosine(rounded, true) > cosine(ideal, true) - 1e-3


@pytest.mark.parametrize("form", [outer_format(4), outer_format(6), inner_format(4)])
def test_back_from_few_bits_of_x(form: Format) -> None:
    """All that is lost is what rounding x̂ loses: against the formula with the rounded x̂."""
    layer = float_norm.layer(4)
    by = normalizer_of(layer, 12, None)
    y, y_step = narrowed(layer)
    x = forward.keep(forward.normalize(y, by, WIDE, 12), form)
    real = x * 2.0**-form.fraction
    e = layer.error.astype(np.float64)
    inner = e - e.mean((0, 2, 3), keepdims=True) - real * (e * real).mean((0, 2, 3), keepdims=True)
    deviation = (layer.sums * SUMS_STEP).std((0, 2, 3), keepdims=True)
    true = layer.gamma.reshape(1, -1, 1, 1) / deviation * inner
    scale = float(np.abs(true).max()) / 31
    gains = backward.gain(layer.gamma, 1.0, y_step, scale, 6)
    slopes = backward.slopes(backward.error_moments(layer.error, x, 12), by, gains, form)
    wide = backward.apply(layer.error, x, slopes, 12)
    assert relative(wide * 2.0 ** -backward.fraction(6) * scale, true) < 1e-3


def test_a_share_of_nothing_changes_nothing() -> None:
    layer = float_norm.layer(6)
    plain = normalizer_of(layer, 5, None)
    mixed = normalizer_of(layer, 5, running_of(layer, 0))
    assert np.array_equal(plain.mean, mixed.mean)
    assert np.array_equal(plain.reciprocal, mixed.reciprocal)
    y, y_step = narrowed(layer)
    x = forward.normalize(y, plain, inner_format(8), 5)
    gains = backward.gain(layer.gamma, 1.0, y_step, 1.0, 8)
    found = backward.error_moments(layer.error, x, 5)
    one, two = (backward.slopes(found, by, gains, inner_format(8)) for by in (plain, mixed))
    for name in ("mean", "a", "b"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


@pytest.mark.parametrize("share", [-1, 256, 0.5])
def test_a_share_beyond_its_word_is_refused(share: int) -> None:
    with pytest.raises(ParameterError, match=r"share: got .*, allowed: .*0\.\.255"):
        forward.mix(np.zeros(1), np.ones(1), 1.0, share)


def test_evaluation_normalizes_by_running_statistics() -> None:
    layer = float_norm.layer(7)
    running = running_of(layer, 0)
    y, step = narrowed(layer)
    by = forward.running_normalizer(running.mean, running.variance, step)
    x = forward.normalize(y, by, WIDE, len(y)) / 256
    shape = (1, -1, 1, 1)
    real = layer.sums * SUMS_STEP - running.mean.reshape(shape)
    true = np.clip(real / np.sqrt(running.variance).reshape(shape), -2047 / 256, 2047 / 256)
    assert np.abs(x - true).max() < 3e-3


def test_channels_without_spread_and_single_pixels() -> None:
    """Their deviation is the floor, 32 steps of y; x̂ and the error are 0 where all are equal."""
    y = np.full((3, 2, 1, 1), 77)
    for chunk in (3, 1):
        by = forward.normalizer(forward.moments(y, chunk))
        assert (by.mean == 16 * 77).all() and (by.reciprocal == (1 << 17) - 1).all()
        x = forward.normalize(y, by, inner_format(8), chunk)
        assert not x.any()
    e = np.arange(6).reshape(3, 2, 1, 1)
    slopes = backward.slopes(
        backward.error_moments(e, x, 1),
        by,
        backward.gain(np.ones(2), 1.0, 1.0, 1.0, 8),
        inner_format(8),
    )
    assert not backward.apply(e, x, slopes, 1).any()
