"""Numbers of several tensors at once are those of each, for any range and any bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fractrain.host.arithmetic import chunk_sums
from fractrain.host.arithmetic.step_scales import (
    ApplyScale,
    FormScale,
    JoinScale,
    NarrowScale,
    top_scale,
    weights_clipping,
    weights_extent,
)
from fractrain.host.numerics.quantization import WeightLevels
from fractrain.hw.contract import numerics as words
from fractrain.hw.contract.normalized import Format
from fractrain.sim.golden.step import backward, forward, weights
from fractrain.sim.golden.step.scales import Multiplier, multiplier
from tests.host.arithmetic.exactly import same

REAL = st.floats(1e-30, 1e30)
REALS = st.lists(REAL, min_size=1, max_size=8)
DRAWN = st.integers(0, 1 << 30)


def columns(count: int, seed: int) -> dict[str, Any]:
    """Of ``count`` tensors: real numbers of 1e-30 to 1e30, bits, exponents."""
    rng = np.random.default_rng(seed)
    reals = 10 ** rng.uniform(-30, 30, (3, count))
    reals[:, rng.random(count) < 0.2] = 2.0 ** rng.integers(-99, 99)
    return {
        "extent": reals[0],
        "unit": reals[1],
        "other": reals[2],
        "activation": rng.integers(1, words.MAX_ACTIVATION_BITS + 1, count),
        "error": rng.integers(1, words.MAX_ERROR_BITS + 1, count),
        "exponent": rng.integers(-110, 90, count),
        "before": rng.integers(0, 40, count),
        "peak": rng.integers(-(1 << 20), 1 << 40, count),
    }


NUMBERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "narrow shift": lambda of: NarrowScale.of(of["extent"], of["unit"]).shift,
    "step of y": lambda of: NarrowScale.of(of["extent"], of["unit"]).step,
    "greatest sums": lambda of: NarrowScale(0, of["unit"]).magnitude(abs(of["peak"])),
    "step of z": lambda of: form(of).unit,
    "step of a": lambda of: form(of).activation_scale,
    "step of r": lambda of: form(of).residual_scale,
    "ρ": lambda of: form(of).residual_factor(of["unit"]),
    "step of G": lambda of: forward.factor_step(of["unit"], of["before"]),
    "greatest z": lambda of: form(of).magnitude(of["peak"]),
    "exponent of E": lambda of: JoinScale.of(of["extent"]).exponent,
    "mantissa of sums": lambda of: by(of).mantissa,
    "shift of sums": lambda of: by(of).shift,
    "shift of a stream": lambda of: JoinScale.of(of["extent"]).stream_shift(of["exponent"]),
    "greatest parts": lambda of: JoinScale.of(of["extent"]).magnitude(abs(of["peak"])),
    "step of e": lambda of: ApplyScale.of(of["extent"], of["error"]).scale,
    "C": lambda of: ApplyScale.of(of["extent"], of["error"]).gain_factor(
        of["exponent"], of["unit"]
    ),
    "greatest W": lambda of: ApplyScale.of(of["extent"], of["error"]).magnitude(abs(of["peak"])),
    "step of the top bits": lambda of: top_scale(of["unit"], 16, of["activation"]),
    "step of weights": lambda of: weights.weight_scale(of["extent"], of["activation"]),
    "mantissa of weights": lambda of: weights.weight_multiplier(of["extent"]).mantissa,
    "shift of weights": lambda of: weights.weight_multiplier(of["extent"]).shift,
    "σ of weights": lambda of: weights.deviation_of(abs(of["peak"]), of["before"] + 1),
    "shift of γC": lambda of: backward.gain_shift(of["extent"]),
}


def form(of: dict[str, Any]) -> FormScale:
    return FormScale(of["extent"], of["activation"], 12)


def by(of: dict[str, Any]) -> Multiplier:
    return JoinScale.of(of["extent"]).multiplier(of["unit"], of["before"])


@pytest.mark.parametrize("name", NUMBERS)
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), DRAWN)
def test_numbers_of_several_tensors(name: str, count: int, seed: int) -> None:
    of = columns(count, seed)
    together = NUMBERS[name](of)
    assert len(together) == count
    for place in range(count):
        alone = NUMBERS[name]({key: each[place].item() for key, each in of.items()})
        assert isinstance(alone, int | float) and not isinstance(alone, np.generic)
        same(together[place], alone)


@settings(max_examples=200, deadline=None)
@given(REALS)
@example([np.nextafter(8.0, 0).item(), 8.0, 8.0 * (1 - 2.0**-18), 8.0 * (1 - 2.0**-17)])
def test_multipliers_are_the_nearest(factors: list[float]) -> None:
    found = multiplier(np.array(factors))  # the example: mantissas that are rounded up to 2^17
    for place, factor in enumerate(factors):
        mantissa, shift = int(found.mantissa[place]), int(found.shift[place])
        assert 1 << 16 <= mantissa < 1 << 17
        assert abs(mantissa * 2.0**-shift - factor) <= factor * 2.0**-17
        assert multiplier(factor) == Multiplier(mantissa, shift)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), DRAWN, REAL, REAL)
def test_rules_of_several_weights(count: int, seed: int, rate: float, decay: float) -> None:
    of = columns(count, seed)
    constants = {"momentum": 0.9, "decay": decay, "rate": rate}
    together = weights.shifted_rule(of["unit"], of["before"], **constants)
    assert together.gradient is not None
    for place in range(count):
        scale, before = of["unit"][place].item(), of["before"][place].item()
        alone = weights.shifted_rule(scale, before, **constants)
        assert (together.momentum, together.decay, together.rate) == (
            alone.momentum,
            alone.decay,
            alone.rate,
        )
        if alone.gradient is None:
            assert together.gradient.mantissa[place] == 0
        else:
            found = together.gradient.mantissa[place], together.gradient.shift[place]
            assert found == (alone.gradient.mantissa, alone.gradient.shift)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), DRAWN)
def test_batch_norms_side_by_side(sizes: list[int], seed: int) -> None:
    """G, B, γC, running statistics of their channels."""
    of, rng = columns(len(sizes), seed), np.random.default_rng(seed)
    gammas, betas, means, variances = (
        [rng.normal(size=size) * 10 ** rng.uniform(-30, 30) for size in sizes] for _ in range(4)
    )
    variances = [np.abs(each) for each in variances]
    fractions = rng.integers(0, 9, len(sizes))

    def spread(values: Any) -> Any:
        return np.repeat(values, sizes)

    units = of["unit"]
    steps = units * 2.0**fractions
    term = forward.terms(np.hstack(gammas), np.hstack(betas), spread(steps), spread(units))
    mixed = forward.mix(np.hstack(means), np.hstack(variances), spread(of["other"]), 99)
    scale = ApplyScale.of(of["extent"], of["error"])
    real = np.hstack(gammas) * spread(scale.gain_factor(of["exponent"], of["other"]))
    starts = np.cumsum([0, *sizes[:-1]])
    shifts = backward.gain_shift(np.maximum.reduceat(np.abs(real), starts))
    gains = backward.gain_integers(real, spread(shifts))
    for place, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        part = slice(start, start + size)
        unit, y_step = units[place].item(), of["other"][place].item()
        form = Format(12, int(fractions[place]))
        alone = forward.term(gammas[place], betas[place], form, unit)
        np.testing.assert_array_equal(term.factor[part], alone.factor)
        np.testing.assert_array_equal(term.offset[part], alone.offset)
        running = forward.mix(means[place], variances[place], y_step, 99)
        np.testing.assert_array_equal(mixed.mean[part], running.mean)
        np.testing.assert_array_equal(mixed.variance[part], running.variance)
        one = ApplyScale.of(of["extent"][place].item(), of["error"][place].item())
        gain = one.gain(gammas[place], of["exponent"][place].item(), y_step)
        np.testing.assert_array_equal(gains[part], gain.factor)
        assert shifts[place] == gain.shift


@pytest.mark.parametrize("levels", [WeightLevels.MAX, WeightLevels.CLIP])
def test_what_weights_reach(levels: WeightLevels) -> None:
    for bits in range(1, 9):
        clipping = weights_clipping(levels, bits)
        assert (clipping is not None) == (levels is WeightLevels.CLIP and bits in (2, 3, 4))
        found = weights_extent(clipping, lambda: 7.0, lambda: 2.0)
        assert found == (7.0 if clipping is None else 2.0 * clipping)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.lists(st.integers(1, 5), min_size=1, max_size=4), DRAWN)
def test_sums_of_chunks_side_by_side(chunks: int, sizes: list[int], seed: int) -> None:
    """No column's statistics and gradients depend on another."""
    rng, count = np.random.default_rng(seed), sum(sizes)
    total, product = rng.integers(-(1 << 40), 1 << 40, (2, chunks, count))
    dispersion = rng.integers(0, 1 << 63, (chunks, count)).astype(np.uint64) * np.uint64(2)
    pixels = rng.integers(1, 1 << 17, (chunks, 1))
    steps, units, of_x = 10 ** rng.uniform(-30, 30, (3, len(sizes)))
    spread = [np.repeat(each, sizes) for each in (steps, units, of_x)]
    together = [
        *chunk_sums.statistics(total, dispersion, pixels, spread[0]),
        *chunk_sums.norm_gradients(total, product, spread[1], spread[2]),
    ]
    first = 0
    for place, size in enumerate(sizes):
        part = np.s_[:, first : first + size]
        alone = [
            *chunk_sums.statistics(total[part], dispersion[part], pixels, float(steps[place])),
            *chunk_sums.norm_gradients(
                total[part], product[part], float(units[place]), float(of_x[place])
            ),
        ]
        for found, expected in zip(together, alone, strict=True):
            assert found[first : first + size].tobytes() == expected.tobytes()
        first += size


def test_statistics_by_hand() -> None:
    """Chunks of 4 and 2 pixels: y of 1, 2, 3, 6 and of 5, 7 in one channel, half a unit a step."""
    total, squares = np.array([[12], [12]]), np.array([[50], [74]])
    pixels = np.array([[4], [2]])
    dispersion = (pixels * squares - total * total).astype(np.uint64)
    mean, variance = chunk_sums.statistics(total, dispersion, pixels, 0.5)
    assert mean[0] == 24 / 6 * 0.5
    assert variance[0] == (4 * np.var([1, 2, 3, 6]) + 2 * np.var([5, 7])) / 6 * 0.25
    assert chunk_sums.moved(2.0, 3.0) == 2.0 + 0.1 * (3.0 - 2.0)


def test_shares_add_up_one_after_the_other() -> None:
    one, two = np.full((1, 3, 1, 1), 1.0), np.array([1e16, 1.0, -1e16]).reshape(1, 3, 1, 1)
    assert chunk_sums.norm_share(one, one, two, 0 * two) == 0.0
