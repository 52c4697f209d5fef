"""Energy is the integral of power that is linear between samples."""

import numpy as np
import pytest

from fractrain.host.board.power.energy import Statistics, energy, statistics


def test_constant_power() -> None:
    points = [(time, 2.5) for time in (0.0, 1.0, 4.0)]
    assert energy(points, 0.0, 4.0) == pytest.approx(10.0)


def test_ramp_with_cut_edges() -> None:
    points = [(0.0, 0.0), (10.0, 10.0)]
    assert energy(points, 2.0, 4.0) == pytest.approx((2 + 4) / 2 * 2)


def test_before_the_first_and_after_the_last_sample_it_stays() -> None:
    assert energy([(1.0, 3.0), (2.0, 5.0)], 0.0, 4.0) == pytest.approx(3 + 4 + 10)


def test_within_one_period() -> None:
    assert energy([(0.0, 1.0), (10.0, 1.0)], 4.0, 4.5) == pytest.approx(0.5)


def test_nothing_to_go_by() -> None:
    assert energy([], 0.0, 1.0) is None
    assert energy([(0.0, 1.0)], 1.0, 0.0) is None
    assert energy([(0.0, 1.0)], 1.0, 1.0) == 0.0


def test_intervals_that_meet_add_up(rng: np.random.Generator) -> None:
    times = np.cumsum(rng.exponential(0.1, 50))
    points = list(zip(times.tolist(), rng.uniform(0, 20, 50).tolist(), strict=True))
    edges = [-1.0, *np.sort(rng.uniform(0, times[-1], 9)).tolist(), float(times[-1]) + 1]
    parts = [energy(points, *each) for each in zip(edges, edges[1:], strict=False)]
    assert sum(parts) == pytest.approx(energy(points, edges[0], edges[-1]))
    inside = energy(points, float(times[0]), float(times[-1]))
    powers = np.array([each[1] for each in points])
    assert inside == pytest.approx(np.sum((powers[1:] + powers[:-1]) / 2 * np.diff(times)))


def test_statistics() -> None:
    assert statistics([]) is None
    assert statistics([3.0]) == Statistics(3.0, 0.0, 1)
    values = [1.0, 2.0, 4.0]
    found = statistics(values)
    assert found == Statistics(pytest.approx(7 / 3), pytest.approx(np.std(values, ddof=1)), 3)
