"""Gates in exact arithmetic: the formulas of the others, float64 throughout, the same bits
everywhere."""

import ast
import hashlib
import inspect

import numpy as np
import pytest

from fractrain.host.networks.gate_layers import EXACT, FLOAT32, ExactArithmetic, LstmCell
from fractrain.host.networks.gates import GateRules, Gates
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.random_streams import Stream
from fractrain.hw.contract.precision import Precision
from tests.host.execution.finite_differences import numerical_gradient
from tests.host.numerics.test_exact_math import FORBIDDEN

CANDIDATES = tuple(Precision(*bits) for bits in ((4, 4, 6), (6, 6, 6), (8, 8, 8)))
RULES = GateRules(CANDIDATES, beta=1e-3)
HOST = Elementwise()
WIDTHS, MACS = [16, 16, 32], [100, 300, 100]


def gates(rules: GateRules = RULES, *, seed: int = 0, exact: bool = True) -> Gates:
    numbers = counter_numbers(seed, Stream.GATES)
    arithmetic = EXACT if exact else FLOAT32
    return Gates(rules, WIDTHS, MACS, numbers, target=3.0, arithmetic=arithmetic)


def features(step: int) -> list[np.ndarray]:
    numbers = counter_numbers(1, Stream.DATA, step)
    return [numbers.uniform(0, 2, (1, width)) for width in WIDTHS]


def forth_and_back(selector: Gates, step: int) -> list[np.ndarray]:
    """The errors at the features of a step, by block."""
    selector.begin(training=True)
    for index, pooled in enumerate(features(step)):
        selector.decide(index, pooled.astype(selector._arithmetic.number), HOST)
    shares = counter_numbers(2, Stream.DATA, step).normal(0, 1, (len(WIDTHS), 1))
    errors = [
        selector.decide_backward(index, shares[index].astype(selector._arithmetic.number))
        for index in reversed(range(len(WIDTHS)))
    ]
    return errors[::-1]


def descend(selector: Gates) -> None:
    for parameter in selector.parameters():
        parameter.value = parameter.value - selector._arithmetic.number(0.1) * parameter.gradient


def test_both_arithmetics_compute_the_same() -> None:
    exact, float32 = gates(), gates(exact=False)
    for step in range(3):
        pairs = zip(forth_and_back(exact, step), forth_and_back(float32, step), strict=True)
        for one, other in pairs:
            assert one.dtype == np.float64 and other.dtype == np.float32
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)
        for mine, theirs in zip(exact._steps, float32._steps, strict=True):
            np.testing.assert_allclose(mine.probabilities, theirs.probabilities, rtol=1e-5)
        assert exact.cp == pytest.approx(float32.cp)
        assert exact.cost_loss == pytest.approx(float32.cost_loss)
        descend(exact)
        descend(float32)
    for parameter in exact.parameters():
        assert parameter.value.dtype == parameter.gradient.dtype == np.float64, parameter.name
    for baseline in exact.statistics():
        assert baseline.value.dtype == np.float64


def test_gradients_of_a_layer_and_a_cell() -> None:
    """Of Σ r·h of two steps of the cell, with r any numbers."""
    numbers = counter_numbers(3, Stream.GATES)
    cell = LstmCell("cell", 3, 2, numbers, EXACT)
    x, r = numbers.normal(0, 1, (2, 2, 3)), numbers.normal(0, 1, (2, 2, 2))

    def loss() -> float:
        state, _ = cell.forward(x[0], None)
        return float((r[0] * state[0]).sum() + (r[1] * cell.forward(x[1], state)[0][0]).sum())

    for parameter in cell.parameters():
        parameter.gradient = None
    state, first = cell.forward(x[0], None)
    _, second = cell.forward(x[1], state)
    dx1, later = cell.backward(r[1], None, second)
    dx0, _ = cell.backward(r[0], later, first)
    pairs = [(x, np.stack([dx0, dx1])), *((p.value, p.gradient) for p in cell.parameters())]
    for value, gradient in pairs:
        truth = numerical_gradient(loss, value, 1e-5)
        np.testing.assert_allclose(gradient, truth, atol=1e-9)


@pytest.mark.parametrize("per_sample", [False, True])
def test_choosing_from_images_is_deciding_from_their_means(per_sample: bool) -> None:
    """`choose` and `backward` are `decide` and `decide_backward` between a mean and its error."""
    rules = GateRules(CANDIDATES, 1e-3, per_sample=per_sample, stored_bits=None)
    one, other = gates(rules, exact=False), gates(rules, exact=False)
    random = np.random.default_rng(4)
    xs = [random.random((6, width, 4, 4)).astype(np.float32) for width in WIDTHS]
    axes = (2, 3) if per_sample else (0, 2, 3)
    for selector in (one, other):
        selector.begin(training=True)
    for index, x in enumerate(xs):
        pooled = x.mean(axis=axes).reshape(-1, x.shape[1])
        paths = one.choose(index, x, HOST).paths, other.decide(index, pooled, HOST).paths
        assert [path.images for path in paths[0]] == [path.images for path in paths[1]]
    shares = np.ones((3, 6) if per_sample else 1, np.float32)
    for index in reversed(range(3)):
        spread = one.backward(index, shares, xs[index].shape, HOST)
        error = other.decide_backward(index, shares)
        count = 16 if per_sample else 96
        assert spread.shape == (*error.shape, 1, 1)
        np.testing.assert_allclose(spread[:, :, 0, 0], error / count, rtol=1e-5)


def test_zeros_have_one_sign() -> None:
    found = EXACT.rectify(np.array([-1.0, 0.0, 2.0, np.nan]))
    np.testing.assert_array_equal(found, [0, 0, 2, np.nan])
    assert not np.signbit(found).any()


def test_nothing_that_differs_from_machine_to_machine() -> None:
    for node in ast.walk(ast.parse(inspect.getsource(ExactArithmetic))):
        if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN:
            owner = ast.unparse(node.value)
            assert owner in ("fixed_order", "exact_math", "exact_classifier"), ast.unparse(node)
        assert not isinstance(getattr(node, "op", None), ast.MatMult)


def test_the_same_bits_everywhere() -> None:
    selector = gates(seed=706)
    digest = hashlib.sha256()
    for step in range(3):
        for error in forth_and_back(selector, step):
            digest.update(error.astype("<f8").tobytes())
        descend(selector)
    numbers = [each.value for each in (*selector.parameters(), *selector.statistics())]
    numbers += [np.array(selector.cp), np.array(selector.cost_loss)]
    for each in numbers:
        digest.update(each.astype("<f8").tobytes())
    assert digest.hexdigest() == "08ef9012a707b218447d35b920ab2f1152411c6bfddb14586e0ccd103481a8dc"
