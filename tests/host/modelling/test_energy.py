"""The energy formula, with sums that can be done by hand."""

import dataclasses

import pytest

from fractrain.host.modelling.energy import joules
from fractrain.hw.contract.parameters import load_parameters

ZC706 = load_parameters("zc706")
"""73,728 bit-products per cycle at 200 MHz."""


def test_a_second_of_waiting() -> None:
    # 0.22 + 1.57 + 0.54 W, and 16 % of 73,728 · 0.7 pJ · 200 MHz = 10.32 W
    assert joules(ZC706, 200e6, 0, 0) == pytest.approx(2.33 + 0.16 * 10.32192)


def test_a_second_of_work() -> None:
    assert joules(ZC706, 200e6, 200e6, 0) == pytest.approx(2.33 + 10.32192)


def test_a_gigabyte() -> None:
    assert joules(ZC706, 0, 0, 1e9) == pytest.approx(0.34)


def test_terms_add_up() -> None:
    parts = joules(ZC706, 3e6, 0, 0), joules(ZC706, 0, 1e6, 0), joules(ZC706, 0, 0, 5e6)
    assert joules(ZC706, 3e6, 1e6, 5e6) == pytest.approx(sum(parts))


def test_half_the_clock_takes_the_idle_power_twice_as_long() -> None:
    slow = dataclasses.replace(ZC706, clock_mhz=100)
    difference = joules(slow, 200e6, 200e6, 0) - joules(ZC706, 200e6, 200e6, 0)
    assert difference == pytest.approx(ZC706.target.energy.static_watts)


def test_a_smaller_array_takes_less_per_cycle() -> None:
    tiny = load_parameters("tiny")  # 9,216 bit-products per cycle
    assert joules(tiny, 0, 1e6, 0) * 8 == pytest.approx(joules(ZC706, 0, 1e6, 0))
