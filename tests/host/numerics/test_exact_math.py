"""Elementary functions against 60 digits, at their ends, and bit for bit as they always were."""

import ast
import hashlib
import inspect
import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fractrain.host.numerics import (
    counter_numbers,
    exact_classifier,
    exact_descent,
    exact_math,
    fixed_order,
)
from fractrain.host.numerics.exact_math import (
    cosine_of_turns,
    exp,
    expm1,
    log,
    logistic,
    sine_of_turns,
    tanh,
)

DIGITS = 60
PI = Decimal(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534"
)
Function = Callable[[np.ndarray], np.ndarray]

# An evenly spaced grid and magnitudes of all sizes: exact in float64, so the same everywhere.
EVEN = np.arange(-(1 << 14), 1 << 14) / 512
SIZES = np.array([(1 + i / 8) * 2.0**e for e in range(-1022, 1024, 3) for i in range(8)])
GRID = np.concatenate([EVEN, SIZES, -SIZES, [0.0, -0.0, math.inf, -math.inf, 5e-324]])


def decimal_tanh(x: Decimal) -> Decimal:
    grown = (2 * abs(x)).exp()
    return ((grown - 1) / (grown + 1)).copy_sign(x)


def decimal_cosine(turns: Decimal) -> Decimal:
    """By its series."""
    y = 2 * PI * (turns - turns.to_integral_value())
    total = term = Decimal(1)
    power = 0
    while abs(term) > Decimal(10) ** -(DIGITS + 5):
        power += 2
        term = -term * y * y / (power * (power - 1))
        total += term
    return total


def random(low: float, high: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, 200)


SMALL = np.concatenate([random(-1e-5, 1e-5, 1), [1e-30, -1e-17]])
CASES: dict[str, tuple[Function, Callable[[Decimal], Decimal], float, np.ndarray]] = {
    "exp": (exp, Decimal.exp, 1, np.concatenate([SMALL, random(-2, 2, 2), random(-745, 709, 3)])),
    "expm1": (
        expm1,
        lambda x: x.exp() - 1,
        1.5,
        -abs(np.concatenate([SMALL, random(0, 2, 2), random(0, 50, 3)])),
    ),
    "log": (
        log,
        Decimal.ln,
        1,
        np.concatenate([1 + SMALL, random(0, 4, 2), exp(random(-740, 709, 3)), [5e-324, 1e-310]]),
    ),
    "tanh": (tanh, decimal_tanh, 3, np.concatenate([SMALL, random(-2, 2, 2), random(-30, 30, 3)])),
    "logistic": (
        logistic,
        lambda x: 1 / (1 + (-x).exp()),
        2,
        np.concatenate([SMALL, random(-4, 4, 2), random(-740, 40, 3)]),
    ),
    "cosine": (
        cosine_of_turns,
        decimal_cosine,
        2,
        np.concatenate([SMALL, random(-1, 1, 2), random(-1e6, 1e6, 3)]),
    ),
    "sine": (
        sine_of_turns,
        lambda t: decimal_cosine(t - Decimal("0.25")),
        2,
        np.concatenate([random(-1e-5, 1e-5, 1), random(-1, 1, 2), random(-1e6, 1e6, 3)]),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_errors_in_units_of_the_last_place(name: str) -> None:
    function, reference, bound, xs = CASES[name]
    with localcontext() as context:
        context.prec = DIGITS
        for x, y in zip(xs.tolist(), function(xs).tolist(), strict=True):
            truth = reference(Decimal(x))
            assert abs(Decimal(y) - truth) <= Decimal(bound) * Decimal(math.ulp(float(truth))), x


@pytest.mark.parametrize(
    ("function", "pairs"),
    [
        (
            exp,
            {math.inf: math.inf, -math.inf: 0, 0: 1, 709.7827: None, 709.79: math.inf, -745.2: 0},
        ),
        (exp, {-745.1: 5e-324, 1e308: math.inf, -1e308: 0, 5e-324: 1}),
        (expm1, {-math.inf: -1, 0: 0, -5e-324: -5e-324, -1e308: -1}),
        (log, {-0.0: -math.inf, 1: 0, math.inf: math.inf, 2: math.log(2)}),
        (log, {-5e-324: math.nan, -math.inf: math.nan}),
        (tanh, {math.inf: 1, -math.inf: -1, 0: 0, 5e-324: 5e-324, 25: 1, -1e308: -1}),
        (logistic, {math.inf: 1, -math.inf: 0, 0: 0.5, 40: 1, -1e308: 0}),
        (cosine_of_turns, {0: 1, 0.25: 0, 0.5: -1, 0.75: 0, -0.25: 0, 7: 1, 1e300: 1}),
        (cosine_of_turns, {math.inf: math.nan, 2.0**52 + 0.5: 1}),
        (
            sine_of_turns,
            {0: 0, 0.25: 1, 0.5: 0, 0.75: -1, -0.25: -1, 1e300: 0, -math.inf: math.nan},
        ),
    ],
)
def test_ends(function: Function, pairs: dict[float, float | None]) -> None:
    for x, y in pairs.items():
        found = float(function(np.array(x)))
        assert found == y or (y is None and math.isfinite(found)) or y != y != found, x
    assert math.isnan(float(function(np.array(math.nan))))


def test_signs_of_zero() -> None:
    assert math.copysign(1, float(tanh(np.array(-0.0)))) == -1
    assert math.copysign(1, float(tanh(np.array(0.0)))) == 1


@pytest.mark.parametrize("function", [exp, tanh, logistic])
def test_they_rise(function: Function) -> None:
    """Between neighbours on the grid, 1/512 apart."""
    assert (np.diff(function(EVEN)) >= 0).all()
    assert (np.diff(log(EVEN[EVEN > 0])) > 0).all()


def test_symmetries() -> None:
    np.testing.assert_array_equal(tanh(-GRID), -tanh(GRID))
    turns = EVEN / 7
    np.testing.assert_array_equal(cosine_of_turns(-turns), cosine_of_turns(turns))
    np.testing.assert_array_equal(sine_of_turns(-turns), -sine_of_turns(turns))
    np.testing.assert_allclose(sine_of_turns(EVEN), cosine_of_turns(EVEN - 0.25), rtol=3e-16)


def test_elementwise_on_any_shape(rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 4, 5))
    for function in (exp, tanh, logistic, cosine_of_turns, sine_of_turns):
        np.testing.assert_array_equal(function(x.T)[2], function(x[..., 2]).T)
        assert function(x[:0]).shape == (0, 4, 5)
        assert function(np.float32(0.5)).shape == ()
        assert function(np.array([1, 2])).dtype == np.float64


# Who changes one of these changes the weights of every run.
HASHES = {
    "exp": "74332b733cdf681f0426ae0ad6f235281b18f3ee7239bf4b37abc222bac31c01",
    "expm1": "51395b07ad70f4f06ec53284ed68069ec33fa1b45fa68bacea93f5860e66bab4",
    "log": "d321fc1f5a877b645b4f5dc26ad04b9ec5fb0dd30c42b55cebdd944028d003e1",
    "tanh": "c1049b8d0c4fd6270423a35a6e9bb509cd2d3ec257e1fb05db3a5d1555000563",
    "logistic": "980909bc0350eb1bcffa3d1fd14580d466247b48d517cb952562e96c77837a49",
    "cosine": "3ca537146ff245605d3baf8bbfa53a2c41dd4df368fef32567f99dcb4dc486bc",
    "sine": "bc24637dd7f2c94c11100bab50e5cae30d350071afc6291203550bdf63f48583",
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_bits_everywhere(name: str) -> None:
    """NaN has many bit patterns, and which one is not defined: the grid has none."""
    grid = GRID[np.isfinite(GRID)]
    if name == "log":
        grid = grid[grid >= 0]
    if name == "expm1":
        grid = grid[grid <= 0]
    values = CASES[name][0](grid)
    assert hashlib.sha256(values.astype("<f8").tobytes()).hexdigest() == HASHES[name]


FORBIDDEN = {
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "cos", "sin", "tan", "tanh"),
    *("power", "pow", "einsum", "matmul", "dot", "vdot", "inner", "tensordot", "sum", "cumsum"),
    *("mean", "var", "std", "prod", "linalg", "fsum", "hypot", "average", "add.reduce"),
}
OURS = [counter_numbers, exact_classifier, exact_descent, exact_math, fixed_order]


@pytest.mark.parametrize("module", OURS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_nothing_that_differs_from_machine_to_machine(module: ModuleType) -> None:
    """No function of NumPy or `math` that rounds as it likes, no method that sums, no `@`, no `**`
    of arrays. (`math.sqrt` is exact, `math.prod` and `math.factorial` are of integers.)"""
    source = Path(inspect.getfile(module)).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN:
            assert ast.unparse(node) == "math.prod", ast.unparse(node)
        assert not isinstance(getattr(node, "op", None), ast.MatMult)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            assert not [each for each in ast.walk(node.left) if isinstance(each, ast.Name)]
