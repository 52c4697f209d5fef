"""Stall patterns: what is refused, and that the rates give the promised fraction."""

import pytest

from hw.contract.errors import ParameterError
from sim.cosim.stalls import Stall, Stalls


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.5, 0.95])
@pytest.mark.parametrize("mean", [None, 20, 50])
def test_rates_have_the_stationary_fraction(probability: float, mean: float | None) -> None:
    enter, leave = Stall(probability, mean).rates
    assert 0 <= enter <= 1 and 0 < leave <= 1
    assert enter / (enter + leave) == pytest.approx(probability)
    if mean is not None:
        assert 1 / leave == mean


@pytest.mark.parametrize(
    ("probability", "mean"), [(-0.1, None), (0.96, None), (1.0, None), (0.9, 2), (0.1, 0.5)]
)
def test_impossible_patterns_are_refused(probability: float, mean: float | None) -> None:
    with pytest.raises(ParameterError):
        Stall(probability, mean)


def test_slowdown_is_that_of_the_worst_stream() -> None:
    assert Stalls().slowdown == 1
    assert Stalls(load=Stall(0.75), results=Stall(0.5)).slowdown == pytest.approx(4)
