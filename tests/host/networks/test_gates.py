"""Gates: what they choose by hand-made parameters, their gradients by differences, their cost."""

from dataclasses import replace

import numpy as np
import pytest

from fractrain.host.networks.gate_layers import FLOAT32, LstmCell
from fractrain.host.networks.gates import PUBLISHED_BETA, GateRules, Gates, candidate_cost
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.hw.contract.precision import Precision
from tests.host.execution.finite_differences import numerical_gradient

CIFAR = tuple(Precision(f, 4, b) for f, b in ((3, 6), (4, 6), (4, 8), (6, 8), (6, 12)))
RULES = GateRules(CIFAR, beta=1e-3)
HOST = Elementwise()
WIDTHS, MACS = [3, 3, 5], [100, 300, 100]


def gates(rules: GateRules = RULES, *, target: float = 3.0, wide: bool = False) -> Gates:
    """Three gates; ``wide``: with parameters in float64, so that differences are sharp."""
    made = Gates(rules, WIDTHS, MACS, np.random.default_rng(5), target=target)
    for parameter in made.parameters() if wide else []:
        parameter.value = 3 * parameter.value.astype(np.float64)
    return made


def inputs(images: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(6)
    return [rng.random((images, width, 4, 4)).astype(np.float32) for width in WIDTHS]


def choose(selector: Gates, xs: list[np.ndarray], *, training: bool = True) -> list:
    selector.begin(training=training)
    return [selector.choose(index, x, HOST) for index, x in enumerate(xs)]


def favour(selector: Gates, candidate: int) -> None:
    """Make all gates choose ``candidate``."""
    selector._decide.weight.value = np.zeros_like(selector._decide.weight.value)
    selector._decide.bias.value = 5 * np.eye(len(CIFAR), dtype=np.float32)[candidate]


@pytest.mark.parametrize(("index", "percent"), list(enumerate([1.758, 2.083, 2.604, 3.385, 4.688])))
def test_published_costs_of_the_candidates(index: int, percent: float) -> None:
    assert candidate_cost(CIFAR[index]) == pytest.approx(percent, abs=5e-4)
    selector = gates()
    favour(selector, index)
    choices = choose(selector, inputs())
    assert [choice.paths[0].precision for choice in choices] == [CIFAR[index]] * 3
    assert selector.cp == pytest.approx(percent, abs=5e-4)


def test_fw8bw8_and_a_skipped_block() -> None:
    assert candidate_cost(Precision(8, 8, 8)) == 6.25
    assert candidate_cost(Precision(0, 0, 0)) == 0


def test_cp_weighs_blocks_by_their_size() -> None:
    """Costs 1.758, 4.688 and 1.758 percent of blocks with a fifth, three fifths and a fifth."""
    selector = gates()
    choose(selector, inputs())
    for step, candidate in zip(selector._steps, (0, 4, 0), strict=True):
        step.onehot = np.eye(5, dtype=np.float32)[[candidate]]
    cheap, dear = candidate_cost(CIFAR[0]), candidate_cost(CIFAR[4])
    assert selector.cp == pytest.approx(0.4 * cheap + 0.6 * dear)
    selector.target = 3.0
    assert selector.cost_loss == pytest.approx(1e-3 * (2 * cheap + dear))
    selector.target = 4.0
    assert selector.cost_loss == pytest.approx(-1e-3 * (2 * cheap + dear))


@pytest.mark.parametrize(("target", "sign"), [(3.0, -1), (1.8, 0), (1.85, 0), (1.5, 0)])
def test_regularization(target: float, sign: int) -> None:
    selector = gates(replace(RULES, dead_band=0.1), target=target)
    favour(selector, 0)
    choose(selector, inputs())
    assert selector.regularization == sign


def test_a_target_out_of_reach_counts_as_the_nearest_within() -> None:
    selector = gates(target=1.5)
    favour(selector, 0)
    choose(selector, inputs())
    assert selector.regularization == 0
    favour(selector, 1)
    choose(selector, inputs())
    assert selector.regularization == 1
    selector.target = 99.0
    assert selector.regularization == -1
    favour(selector, 4)
    choose(selector, inputs())
    assert selector.regularization == 0


def test_new_gates_start_at_the_candidate_nearest_to_the_target() -> None:
    for target, index in ((1.5, 0), (2.7, 2), (9.0, 4)):
        bias = gates(target=target)._decide.bias.value
        assert bias.argmax() == index


def test_per_mini_batch_the_mean_image_decides() -> None:
    """All images share one path, and their order does not matter."""
    xs = inputs()
    one, other = gates(), gates()
    choices = choose(one, xs)
    assert all(len(choice.paths) == 1 for choice in choices) and one.stored_bits == 8
    assert choices == choose(other, [x[::-1] for x in xs])
    for a, b in zip(one._steps, other._steps, strict=True):
        np.testing.assert_allclose(a.probabilities, b.probabilities, rtol=1e-5)


def test_per_sample_every_image_decides_for_itself() -> None:
    rules = replace(RULES, per_sample=True, stored_bits=None)
    xs = inputs()
    together, alone = gates(rules, wide=True), gates(rules, wide=True)
    choices = choose(together, xs)
    masks = [np.stack([path.mask for path in choice.paths], axis=1) for choice in choices]
    for image in range(4):
        single = choose(alone, [x[image : image + 1] for x in xs])
        for mask, choice in zip(masks, single, strict=True):
            assert mask[image].tolist() == [path.images for path in choice.paths]
    assert all((mask.sum(axis=1) == 1).all() for mask in masks)
    for choice in choices:
        assert sum(path.images for path in choice.paths) == 4


@pytest.mark.parametrize("per_sample", [True, False])
def test_gradients_of_parameters_and_inputs(per_sample: bool) -> None:
    """Of Σ r·p, with p the probabilities of all blocks and r any numbers.

    Going back, the selector is given ∂loss/∂share = r: per sample of all paths, per mini-batch of
    the chosen one only, where r is 0 for the others (as the running mean is).
    """
    rules = replace(RULES, beta=0.0, per_sample=per_sample)
    selector = gates(rules, wide=True)
    xs = [x.astype(np.float64) for x in inputs(2)]
    rng = np.random.default_rng(7)
    choose(selector, xs)
    weights = [rng.normal(size=step.probabilities.shape) for step in selector._steps]
    if not per_sample:
        weights = [w * step.onehot for w, step in zip(weights, selector._steps, strict=True)]

    def loss() -> float:
        choose(selector, xs)
        pairs = zip(weights, selector._steps, strict=True)
        return float(sum((w * step.probabilities).sum() for w, step in pairs))

    def close(result: np.ndarray, truth: np.ndarray) -> None:
        np.testing.assert_allclose(result, truth, rtol=2e-3, atol=2e-4 * np.abs(truth).max() + 1e-9)

    # choose() rounds pooled features to float32, so the differences must not be too small
    truths = [numerical_gradient(loss, each.value, 1e-4) for each in selector.parameters()]
    loss()
    for baseline in selector.statistics():
        baseline.value = np.zeros(1, np.float32)
    errors = []
    for index in reversed(range(3)):
        shares = weights[index].T if per_sample else weights[index].sum(keepdims=True)[0]
        errors.append(selector.backward(index, shares, xs[index].shape, HOST))
    for parameter, truth in zip(selector.parameters(), truths, strict=True):
        close(parameter.gradient, truth)
    for x, error in zip(xs, reversed(errors), strict=True):
        # all pixels of a channel have the same part in its mean: one of them is enough
        truth = np.zeros((len(error), x.shape[1]))
        for row in range(len(error)):
            for channel in range(x.shape[1]):
                pixel = x[row, channel, :1, :1]
                truth[row, channel] = numerical_gradient(loss, pixel, 1e-2).item()
        close(error.reshape(truth.shape), truth)


def test_cost_teaches_every_candidate_whatever_was_executed() -> None:
    """∂(reg·β·c)/∂logits = reg·β·p·(c − Σ p·c) in each block, summed in the shared bias."""
    selector = gates(replace(RULES, beta=0.5), target=9.0)
    selector.target = 2.0
    choose(selector, inputs())
    expected = np.zeros(5)
    for step in selector._steps:
        p = step.probabilities[0].astype(float)
        expected += 0.5 * p * (selector.costs - p @ selector.costs)
    for index in reversed(range(3)):
        selector.backward(index, np.zeros(1, np.float32), (4, WIDTHS[index], 4, 4), HOST)
    np.testing.assert_allclose(selector._decide.bias.gradient, expected, rtol=1e-5)


def test_what_was_not_executed_is_taken_to_be_the_running_mean() -> None:
    """The same ∂loss/∂share every time teaches nothing; what differs from the mean does."""
    selector = gates(replace(RULES, beta=0.0))
    for share, mean in ((2.0, 2.0), (2.0, 2.0), (4.0, 2.1), (2.1, 2.1)):
        choose(selector, inputs())
        for index in reversed(range(3)):
            shares = np.full(1, share, np.float32)
            selector.backward(index, shares, (4, WIDTHS[index], 4, 4), HOST)
        moved = np.abs(selector._decide.bias.gradient).max()
        assert (moved > 1e-3) == (share == 4.0)
        assert selector.statistics()[1].value == pytest.approx(mean)


def test_cost_alone_drives_the_gates_to_their_target() -> None:
    selector = gates(replace(RULES, beta=0.1), target=2.6)
    reached = []
    for _ in range(300):
        choose(selector, inputs())
        reached.append(selector.cp)
        for index in reversed(range(3)):
            selector.backward(index, np.zeros(1, np.float32), (4, WIDTHS[index], 4, 4), HOST)
        for parameter in selector.parameters():
            parameter.value = parameter.value - 0.3 * parameter.gradient
    assert np.mean(reached[-100:]) == pytest.approx(2.6, abs=0.5)


def test_lstm_by_hand() -> None:
    """One unit whose gates are σ(1), σ(0), tanh(2), σ(−1) of the input, no recurrence."""
    cell = LstmCell("cell", 1, 1, np.random.default_rng(0))
    for parameter in cell.parameters():
        parameter.value = np.zeros_like(parameter.value)
    cell._input.weight.value = np.array([[1.0], [0.0], [2.0], [-1.0]])
    one = np.ones((1, 1))
    (h, c), _ = cell.forward(one, (0 * one, 3 * one))
    sigma = 1 / (1 + np.exp(-1))
    assert c == pytest.approx(0.5 * 3 + sigma * np.tanh(2))
    assert h == pytest.approx((1 - sigma) * np.tanh(c))


def test_softmax_of_huge_numbers() -> None:
    np.testing.assert_allclose(
        FLOAT32.softmax(np.array([[1e4, 1e4, -1e4]], np.float32)), [[0.5, 0.5, 0]]
    )


# -- the published rules -------------------------------------------------------------------

PUBLISHED = GateRules(CIFAR, beta=1e-3, per_sample=True, stored_bits=None, published=True)


def published_sum(selector: Gates) -> float:
    """Σ of a/32 · w/32 over images, blocks and passes."""
    products = [
        p.activation * p.weight + p.error * p.weight + p.activation * p.error for p in CIFAR
    ]
    onehots = np.concatenate([step.onehot for step in selector._steps])
    return float((onehots @ np.array(products)).sum()) / 1024


@pytest.mark.parametrize("images", [1, 4, 128])
def test_the_published_cost_is_a_sum_over_images_and_passes(images: int) -> None:
    """A weight of that sum is one of 3N/100 times as much here, whatever the choices."""
    selector = gates(replace(PUBLISHED, beta=1e-3 * 3 * images / 100), target=1.0)
    choose(selector, inputs(images))
    rng = np.random.default_rng(images)
    for step in selector._steps:
        step.onehot = np.eye(5, dtype=np.float32)[rng.integers(0, 5, images)]
    assert selector.regularization == 1
    assert selector.cost_loss == pytest.approx(1e-3 * published_sum(selector), rel=1e-5)
    assert selector.indicated_loss == selector.cost_loss


def test_the_published_weight_is_the_default_of_reference_mode() -> None:
    assert pytest.approx(1e-3 * 3 * 128 / 100) == PUBLISHED_BETA


def test_the_published_cost_goes_back_to_every_image() -> None:
    """d/dp[n,k] of 1e-3 · Σ p·cost over images and passes, through the softmax."""
    images = 4
    selector = gates(replace(PUBLISHED, beta=1e-3 * 3 * images / 100), target=1.0)
    xs = inputs(images)
    choose(selector, xs)
    cost = np.array(
        [p.activation * p.weight + p.error * p.weight + p.activation * p.error for p in CIFAR]
    )
    expected = np.zeros(5)
    for index in reversed(range(3)):
        selector.backward(index, np.zeros((5, images), np.float32), xs[index].shape, HOST)
        p = selector._steps[index].probabilities.astype(float)
        dp = 1e-3 * cost / 1024
        expected += (p * (dp - (p @ dp)[:, None])).sum(axis=0)
    np.testing.assert_allclose(selector._decide.bias.gradient, expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("target", "dead_band", "sign"),
    [
        *((1.5, 0.0, 1), (99.0, 0.0, -1)),  # not clamped
        *((1.7578125, 0.0, 1), (1.76, 0.0, -1)),
        *((1.7, 0.1, 0), (1.65, 0.1, 1), (1.7578125, 0.1, 0), (1.8, 0.1, -1)),
    ],
)
def test_published_regularization(target: float, dead_band: float, sign: int) -> None:
    """−1 below the target, 0 in [target, target + dead band), else +1."""
    selector = gates(replace(PUBLISHED, dead_band=dead_band), target=target)
    favour(selector, 0)
    choose(selector, inputs())
    assert selector.cp == 1.7578125
    assert selector.regularization == sign


def test_published_cp_is_a_plain_mean_over_blocks() -> None:
    selector = gates(PUBLISHED)
    choose(selector, inputs(1))
    for step, candidate in zip(selector._steps, (0, 4, 0), strict=True):
        step.onehot = np.eye(5, dtype=np.float32)[[candidate]]
    costs = [candidate_cost(CIFAR[each]) for each in (0, 4, 0)]
    assert selector.cp == pytest.approx(sum(costs) / 3)


def test_new_published_gates_are_normal_and_without_a_head_start() -> None:
    selector = Gates(PUBLISHED, [64] * 8, [1] * 8, np.random.default_rng(0), target=3.0)
    embeddings = selector._embeddings
    first, second = (
        np.concatenate([pair[place].weight.value.ravel() for pair in embeddings])
        for place in (0, 1)
    )
    assert first.std() == pytest.approx(np.sqrt(2 / 32), rel=0.05)
    assert second.std() == pytest.approx(np.sqrt(2 / 16), rel=0.05)
    decide = selector._decide
    assert decide.weight.value.std() == pytest.approx(np.sqrt(2 / 80), rel=0.3)
    assert np.abs(decide.bias.value).max() <= 1 / np.sqrt(16)
