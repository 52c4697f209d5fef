"""Sums in a fixed order: the order itself, and that neither layout nor company changes it."""

import hashlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.host.numerics import fixed_order
from fractrain.host.numerics.fixed_order import dot, matmul, mean, total


def tree(terms: list[float]) -> float:
    """S, as the module defines it."""
    if not terms:
        return 0.0
    while len(terms) > 1:
        half = -(-len(terms) // 2)
        pairs = len(terms) - half
        terms = [terms[i] + terms[i + half] if i < pairs else terms[i] for i in range(half)]
    return terms[0]


@given(st.lists(st.floats(-1e300, 1e300), max_size=40))
def test_order(terms: list[float]) -> None:
    assert float(total(np.array(terms))) == tree(terms)
    if terms:
        assert float(mean(terms)) == tree(terms) / len(terms)
        assert float(dot(terms, [0.1] * len(terms))) == tree([0.1 * each for each in terms])


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_every_axis_and_layout(rng: np.random.Generator, axis: int) -> None:
    x = rng.normal(size=(5, 6, 7))
    kept = x.copy()
    expected = np.apply_along_axis(lambda line: tree(line.tolist()), axis, x)
    for layout in (x, np.asfortranarray(x), x[:, :, ::-1][:, :, ::-1]):
        np.testing.assert_array_equal(total(layout, axis), expected)
    np.testing.assert_array_equal(mean(x, axis), expected / x.shape[axis])
    np.testing.assert_array_equal(x, kept)


def test_one_term_is_a_copy() -> None:
    x = np.ones((1, 3))
    total(x)[0] = 5
    assert x[0, 0] == 1


@pytest.mark.parametrize("shape", [(3, 7, 4), (1, 64, 32), (300, 33, 50), (2, 1, 3), (2, 0, 3)])
def test_products(rng: np.random.Generator, shape: tuple[int, int, int]) -> None:
    rows, depth, columns = shape
    x, y = rng.normal(size=(rows, depth)), rng.normal(size=(depth, columns))
    found = matmul(x, y)
    np.testing.assert_allclose(found, x @ y, rtol=1e-10, atol=1e-13)
    for i, j in ((0, 0), (rows - 1, columns - 1)):
        assert found[i, j] == tree([a * b for a, b in zip(x[i], y[:, j], strict=True)])


@pytest.mark.parametrize("at_once", [1, 100, 1 << 20])
def test_parts_change_nothing(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    x, y = rng.normal(size=(20, 9)), rng.normal(size=(9, 5))
    expected = matmul(x, y)
    monkeypatch.setattr(fixed_order, "_AT_ONCE", at_once)
    np.testing.assert_array_equal(matmul(x, y), expected)
    np.testing.assert_array_equal(matmul(x[7:9], y), expected[7:9])


def test_error_of_a_long_sum(rng: np.random.Generator) -> None:
    terms = rng.random(10000)
    truth = sum(map(Fraction, terms.tolist()))
    assert abs(Fraction(float(total(terms))) - truth) <= truth * 14 * Fraction(1, 1 << 53)


def test_the_same_bits_everywhere() -> None:
    x = np.arange(1, 2001).reshape(40, 50) / 7
    y = 11 / np.arange(3, 3503).reshape(50, 70)
    digest = hashlib.sha256(matmul(x, y).astype("<f8").tobytes() + total(x, 1).tobytes())
    assert digest.hexdigest() == "28bf551e36dc101a37ce8785f896c3047e9aa647a95d51da2a3e691660105803"
