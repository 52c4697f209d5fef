"""Stall patterns: what is refused, and that the rates give the promised fraction."""

from dataclasses import fields

import pytest

from fractrain.hw.contract.errors import ParameterError
from fractrain.sim.cosim.stalls import BusStalls, Stall


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


def test_everywhere_is_every_channel() -> None:
    stalls = BusStalls.everywhere(0.75, 20)
    assert {getattr(stalls, each.name) for each in fields(stalls)} == {Stall(0.75, 20)}
    assert BusStalls() == BusStalls.everywhere(0)
