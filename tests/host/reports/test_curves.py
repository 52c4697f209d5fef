"""Smoothing, thinning and binning against their definitions, written out."""

import numpy as np
import pytest

from fractrain.host.reports.curves import (
    POINTS,
    binned,
    enveloped,
    last_known,
    outlined,
    smoothed,
    smoothing_window,
    thinned,
)


@pytest.mark.parametrize("length", [0, 1, 2, 5, 40])
@pytest.mark.parametrize("window", [1, 3, 7, 101])
def test_smoothed_is_the_mean_around(length: int, window: int, rng: np.random.Generator) -> None:
    values = rng.normal(size=length)
    values[rng.random(length) < 0.2] = np.nan
    result = smoothed(values, window)
    for index in range(length):
        around = values[max(0, index - window // 2) : index + window // 2 + 1]
        known = around[~np.isnan(around)]
        expected = known.mean() if len(known) else np.nan
        assert result[index] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(("length", "window"), [(0, 1), (29, 1), (90, 3), (200, 7), (64_000, 2133)])
def test_window_is_odd_and_a_thirtieth(length: int, window: int) -> None:
    assert smoothing_window(length) == window


@pytest.mark.parametrize("length", [0, 1, 2, POINTS, POINTS + 1, 64_000])
def test_thinned_keeps_the_ends(length: int) -> None:
    chosen = thinned(length)
    assert len(chosen) == min(length, POINTS)
    if length:
        assert (chosen[0], chosen[-1]) == (0, length - 1)
        assert (np.diff(chosen) > 0).all()


@pytest.mark.parametrize("length", [0, 1, POINTS, POINTS + 1, 64_000])
def test_an_envelope_hides_no_outlier(length: int, rng: np.random.Generator) -> None:
    values = rng.normal(size=length)
    values[rng.random(length) < 0.1] = np.nan
    if length > 4:
        values[length // 2], values[length // 3] = 50.0, -50.0
    chosen = enveloped(values)
    assert len(chosen) <= POINTS and not np.isnan(values[chosen]).any()
    assert (np.diff(chosen) > 0).all()
    if length > 4:
        assert (values[chosen].max(), values[chosen].min()) == (50.0, -50.0)


def test_the_last_known_value() -> None:
    assert last_known(np.array([1.0, 2.0, np.nan])) == 1
    assert last_known(np.array([np.nan])) is None


def test_a_schedule_keeps_its_jumps() -> None:
    values = np.repeat([1.0, 2.0, 5.0], [12_345, 20_001, 31_654])
    shown, chosen = outlined(values)
    assert shown is values
    assert {12_344, 12_345, 32_345, 32_346} <= set(chosen.tolist())
    assert len(chosen) <= POINTS + 4


def test_a_restless_column_is_smoothed() -> None:
    values = np.tile([1.0, 3.0], 32_000)
    shown, chosen = outlined(values)
    assert len(chosen) == POINTS
    assert abs(shown - 2).max() < 0.01


@pytest.mark.parametrize(("length", "columns"), [(1, 4), (7, 4), (8, 4), (1000, 240)])
def test_binned_means(length: int, columns: int, rng: np.random.Generator) -> None:
    table = rng.normal(size=(3, length)).astype(np.float32)
    table[1] = np.nan
    table[2, 0] = np.nan
    means, each = binned(table, columns)
    assert means.shape[1] <= columns and each * means.shape[1] >= length
    assert np.isnan(means[1]).all()
    for row in (0, 2):
        for column in range(means.shape[1]):
            part = table[row, column * each : (column + 1) * each]
            known = part[~np.isnan(part)]
            expected = known.mean() if len(known) else np.nan
            assert means[row, column] == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True)
