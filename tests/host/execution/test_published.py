"""Reference mode against its formulas (`published_formulas`): a block with five candidates, a whole
step with everything quantized, ranges for evaluations, precisions that change."""

from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator
from fractrain.host.arithmetic import PublishedArithmetic
from fractrain.host.arithmetic.published import FRACTRAIN_RANGE_KEPT
from fractrain.host.datasets.dataset import Moments
from fractrain.host.execution import Executor, Run, step_options
from fractrain.host.graph import operations as ops
from fractrain.host.graph.builder import Builder
from fractrain.host.graph.choice import Choice, Path
from fractrain.host.graph.effective_macs import EffectiveMacs
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import build_step
from fractrain.host.networks.network import Network
from fractrain.host.networks.registry import build_network
from fractrain.host.networks.residual_block import ResidualBlock
from fractrain.host.networks.selection import FixedSelector
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision
from tests.host.execution.alone import Chosen, carry_out
from tests.host.execution.published_formulas import (
    FLOAT,
    Formulas,
    NoNoise,
    convolve,
    grid,
    normalize,
)

CIFAR = tuple(Precision(f, 4, b) for f, b in ((3, 6), (4, 6), (4, 8), (6, 8), (6, 12)))
SKIP = Precision(0, 0, 0)
LOW, HIGH = Precision(3, 3, 6), Precision(8, 8, 8)
IMAGES = (4, 2, 8, 8)


def assert_near(found: Any, expected: Any, *, error: float = 2e-3, name: str = "") -> None:
    """Relative to its norm: a value that a rounding error moved by one level may be there."""
    size = np.linalg.norm(expected)
    assert np.linalg.norm(np.asarray(found, float) - expected) <= error * size, name


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return np.maximum(rng.normal(size=(10, 4, 6, 6)), 0).astype(np.float32)


def block(stride: int) -> ResidualBlock:
    made = ResidualBlock("block", 4, 4 * stride, stride=stride, rng=np.random.default_rng(3))
    for each in made.parameters():
        if each.name.endswith((".gamma", ".beta")):
            values = np.random.default_rng(len(each.name)).uniform(0.5, 1.5, each.value.shape)
            each.value = values.astype(np.float32)
    return made


def each_to_its_own(images: int) -> Chosen:
    """Image n takes candidate n mod 5."""
    masks = np.eye(len(CIFAR), dtype=np.float32)[np.arange(images) % len(CIFAR)].T
    paths = (
        Path(each, int(mask.sum()), np.ascontiguousarray(mask))
        for each, mask in zip(CIFAR, masks, strict=True)
    )
    return Chosen(Choice(tuple(paths)), learns=True, per_sample=True)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_with_five_masks(
    stride: int, x: np.ndarray, published: PublishedArithmetic, rng: np.random.Generator
) -> None:
    """y = Σ mask_k · candidate_k(x), the shortcut inside each candidate, and all derivatives."""
    layer, selector = block(stride), each_to_its_own(len(x))
    published.elementwise.rounding = lambda seed, step: NoNoise()  # type: ignore[method-assign]
    there = carry_out(layer.emit, x, published, layer, selector=selector)
    e = rng.normal(size=there.y.shape).astype(np.float32)
    dx = there.back(e)

    formulas, shares = Formulas.of(layer), []
    y, expected_dx = np.zeros(there.y.shape), np.zeros(x.shape)
    for number, precision in enumerate(CIFAR):
        mask = (np.arange(len(x)) % len(CIFAR) == number).reshape(-1, 1, 1, 1)
        out, back = formulas.block("block", x.astype(float), stride, precision)
        y += mask * out
        expected_dx += back(mask * e)
        shares.append((out * e).sum(axis=(1, 2, 3)))
    assert_near(there.y, y)
    assert_near(dx, expected_dx)
    assert_near(selector.shares[0], np.array(shares))
    for each in layer.parameters():
        assert_near(each.gradient, formulas.gradients[each.name], name=each.name)


def test_a_skipped_downsampling_block_is_its_shortcut_in_float(
    x: np.ndarray, published: PublishedArithmetic, rng: np.random.Generator
) -> None:
    """Without a rectifier behind it."""
    layer, half = block(2), np.arange(len(x)) < 5
    masks = [each.astype(np.float32) for each in (half, ~half)]
    paths = Path(SKIP, 5, masks[0]), Path(CIFAR[4], 5, masks[1])
    selector = Chosen(Choice(paths), learns=True, per_sample=True)
    there = carry_out(layer.emit, x, published, layer, selector=selector)
    formulas = Formulas.of(layer)
    around, around_back = formulas.layer("block.shortcut", x.astype(float), 2, FLOAT)
    assert around.min() < 0
    np.testing.assert_allclose(there.y[half], around[half], rtol=1e-4, atol=1e-4)
    e = rng.normal(size=there.y.shape).astype(np.float32) * half.reshape(-1, 1, 1, 1)
    only = carry_out(layer.emit, x, published, layer, selector=Chosen(Choice((Path(SKIP),))))
    np.testing.assert_allclose(only.back(e), around_back(e), rtol=1e-3, atol=1e-3)


# -- a whole step --------------------------------------------------------------------------


def network() -> Network:
    made = build_network("resnet8", channels=2, classes=3, rng=np.random.default_rng(7))
    for each in made.parameters():  # a classifier's and a norm's biases should show
        if each.name.endswith((".beta", ".bias")):
            values = np.random.default_rng(len(each.name)).normal(0, 0.2, each.value.shape)
            each.value = values.astype(np.float32)
    return made


def step_of(
    arithmetic: PublishedArithmetic, selector: FixedSelector, *, training: bool = True
) -> tuple[Executor, Network]:
    trained = network()
    graph = build_step(trained, IMAGES, step_options(selector, arithmetic), training=training)
    return Executor(graph, trained, arithmetic, selector), trained


def test_a_static_step_with_everything_quantized(
    accelerator: Accelerator, rng: np.random.Generator
) -> None:
    """3/3/6: images, first convolution, blocks, shortcuts; the classifier stays in float."""
    images, labels = rng.integers(0, 256, IMAGES, np.uint8), np.array([0, 1, 2, 1])
    mean, deviation = np.float32([90, 130]), np.float32([40, 60])
    arithmetic = PublishedArithmetic(accelerator, Moments(mean, deviation))
    executor, trained = step_of(arithmetic, FixedSelector(LOW))
    run = executor.forward({"images": images, "labels": labels}, NoNoise())
    executor.backward(run)

    formulas, backs = Formulas.of(trained), []
    moments = (each.reshape(1, 2, 1, 1).astype(float) for each in (mean, deviation))
    h = (images - next(moments)) / next(moments)
    first, first_back = formulas.layer("first", h, 1, LOW)
    h = np.maximum(first, 0)
    for stage, stride in enumerate((1, 2, 2)):
        h, back = formulas.block(f"stage{stage}.block0", h, stride, LOW)
        backs.append(back)
    pooled = h.mean(axis=(2, 3))
    weight, bias = (formulas.weights[f"classifier.{each}"] for each in ("weight", "bias"))
    logits = pooled @ weight.T + bias
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss = -np.log(softmax[np.arange(4), labels]).mean()
    e = (softmax - np.eye(3)[labels]) / 4
    formulas.note("classifier.weight", e.T @ pooled)
    formulas.note("classifier.bias", e.sum(axis=0))
    e = np.broadcast_to((e @ weight)[:, :, None, None] / (h.shape[2] * h.shape[3]), h.shape)
    for back in reversed(backs):
        e = back(e)
    first_back(e * (first > 0))

    assert_near(run.logits, logits)
    assert run.loss == pytest.approx(loss, rel=1e-3)
    for each in trained.parameters():
        assert_near(each.gradient, formulas.gradients[each.name], error=1e-2, name=each.name)
    costs = EffectiveMacs()
    costs.add_step(executor.graph, [Choice((Path(LOW),))] * 3)
    first_macs = 4 * 16 * 2 * 9 * 64  # of which nothing goes back to the images
    others = (16 * costs.baseline - 2 * first_macs) / 3
    assert costs.executed == (27 * first_macs + 45 * others) / 1024


def test_first_convolution_and_shortcuts_follow_the_stage(published: PublishedArithmetic) -> None:
    """Images have as many values as the stage's bits allow; a stage of 0 bits leaves them 8."""
    selector, values = FixedSelector(LOW, HIGH, SKIP), []

    def observe(operation: Operation, run: Run) -> None:
        if isinstance(operation, ops.QuantizeActivations) and operation.q.name == "pixels.a":
            values.append(len(np.unique(run.value(operation.q))))

    trained = network()
    graph = build_step(trained, IMAGES, step_options(selector, published))
    executor = Executor(graph, trained, published, selector, observe)
    images = np.arange(np.prod(IMAGES)).reshape(IMAGES).astype(np.uint8)
    for selector.precision in (LOW, HIGH, SKIP):
        given = {"images": images, "labels": np.zeros(4, np.int64)}
        run = executor.forward(given, NoNoise())
        assert run.table[0] == (HIGH if selector.precision is SKIP else selector.precision)
        executor.backward(run)
    assert values == [8, 256, 256]


def test_in_front_of_gates_the_first_convolution_stays_in_float(
    published: PublishedArithmetic, rng: np.random.Generator
) -> None:
    trained, selector = network(), each_to_its_own(4)
    graph = build_step(trained, IMAGES, step_options(selector, published), training=False)
    executor = Executor(graph, trained, published, selector)
    images, found = rng.integers(0, 256, IMAGES, np.uint8), []

    def observe(operation: Operation, run: Run) -> None:
        if isinstance(operation, ops.Convolve) and operation.layer == "first":
            found.append(run.value(operation.result).copy())

    executor = Executor(graph, trained, published, selector, observe)
    executor.forward({"images": images})
    expected = convolve(images / 255, trained.parameters()[0].value.astype(float), 1)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-5)


def test_images_need_a_range(published: PublishedArithmetic) -> None:
    builder = Builder(StepOptions((LOW,), real=True, known=True), IMAGES, training=True)
    with pytest.raises(ParameterError, match="running range of pixels: got None, allowed: a"):
        builder.pixels(8, 1 / 255)


# -- ranges for evaluations ----------------------------------------------------------------


@pytest.mark.parametrize("kept", [0.9, FRACTRAIN_RANGE_KEPT])
def test_running_ranges_start_at_zero_and_count_each_candidate(
    kept: float, accelerator: Accelerator, x: np.ndarray
) -> None:
    """r ← m·r + (1 − m)·range, five times a step."""
    arithmetic = PublishedArithmetic(accelerator, range_kept=kept)
    layer, low, high, inner = block(2), 0.0, 0.0, 0.0
    formulas = Formulas.of(layer)
    gamma, beta = (formulas.weights[f"block.first.norm.{each}"] for each in ("gamma", "beta"))
    for factor in (1, 3):
        carry_out(
            layer.emit, x * np.float32(factor), arithmetic, layer, selector=each_to_its_own(10)
        )
        for precision in CIFAR:
            low = kept * low + (1 - kept) * factor * float(x.min())
            high = kept * high + (1 - kept) * factor * float(x.max())
            w = grid(formulas.weights["block.first.weight"], 4, (1, 2, 3))
            a = grid(factor * x.astype(float), precision.activation)
            hidden = np.maximum(normalize(convolve(a, w, 2), gamma, beta)[0], 0)
            inner = kept * inner + (1 - kept) * hidden.max()
    ranges = {each.name: each.value for each in layer.statistics() if "range" in each.name}
    np.testing.assert_allclose(ranges["block.input.range"], [low, high], rtol=1e-4)
    np.testing.assert_allclose(ranges["block.inner.range"][1], inner, rtol=1e-3)


def test_an_evaluation_quantizes_over_the_running_range(
    accelerator: Accelerator, rng: np.random.Generator
) -> None:
    arithmetic, selector = PublishedArithmetic(accelerator), FixedSelector(HIGH)
    executor, trained = step_of(arithmetic, selector)
    images = rng.integers(0, 256, IMAGES, np.uint8)
    images[0, 0, 0, :2] = 0, 255
    executor.forward({"images": images, "labels": np.zeros(4, np.int64)}, NoNoise())
    found = []

    def observe(operation: Operation, run: Run) -> None:
        if isinstance(operation, ops.QuantizeActivations) and operation.q.name == "pixels.a":
            found.append(run.value(operation.q).max())

    graph = build_step(trained, IMAGES, step_options(selector, arithmetic), training=False)
    Executor(graph, trained, arithmetic, selector, observe).forward({"images": images})
    assert found == [pytest.approx(0.1)]  # a tenth of 255/255 after one step
