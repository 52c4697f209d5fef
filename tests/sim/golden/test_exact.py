"""The bounds below which float sums of integers are exact, from both sides."""

import numpy as np
import pytest

from fractrain.sim.golden.exact import FLOAT32_BOUND, FLOAT64_BOUND, exact_arithmetic, product_bound


@pytest.mark.parametrize(
    ("bits", "signed", "bound"),
    [
        ((1, 1), (False, False), 1),
        ((4, 3), (False, True), 15 * 4),
        ((8, 8), (True, True), 128 * 128),
        ((16, 16), (False, True), 65535 * 32768),
        ((16, 16), (True, True), 1 << 30),
    ],
)
def test_product_bound(bits: tuple[int, int], signed: tuple[bool, bool], bound: int) -> None:
    assert product_bound(*bits, x_signed=signed[0], y_signed=signed[1]) == bound


def test_the_arithmetic_changes_just_beyond_each_bound() -> None:
    assert exact_arithmetic(FLOAT32_BOUND) is np.float32
    assert exact_arithmetic(FLOAT32_BOUND + 1) is np.float64
    assert exact_arithmetic(FLOAT64_BOUND) is np.float64
    assert exact_arithmetic(FLOAT64_BOUND + 1) is np.int64


@pytest.mark.parametrize(
    ("number", "bound"), [(np.float32, FLOAT32_BOUND), (np.float64, FLOAT64_BOUND)]
)
def test_bounds_are_those_of_the_significand(number: type, bound: int) -> None:
    assert all(int(number(bound - each)) == bound - each for each in range(100))
    assert int(number(bound + 1)) != bound + 1
