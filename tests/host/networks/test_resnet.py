"""The whole network: structure, gradients against differences of its own loss, determinism."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from fractrain.host.graph.choice import UNQUANTIZED
from fractrain.host.networks.classifier import softmax_cross_entropy
from fractrain.host.networks.execution import Execution
from fractrain.host.networks.parameter import Parameter, weights_sha256
from fractrain.host.networks.resnet import PIXEL_BITS, PIXEL_SCALE, ResNet, build_network
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision


def network(depth: int = 8) -> ResNet:
    return build_network(f"resnet{depth}", channels=2, classes=5, rng=np.random.default_rng(7))


@pytest.fixture
def batch(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 256, (6, 2, 8, 8), np.uint8), rng.integers(0, 5, 6)


def test_order_of_parameters() -> None:
    """Pinned, because `weights_sha256` depends on it."""
    norm = ["norm.gamma", "norm.beta"]
    blocks = [
        f"stage{stage}.block0.{layer}.{name}"
        for stage in range(3)
        for layer in ["first", "second", "shortcut"]
        for name in ["weight", *norm]
        if not (stage == 0 and layer == "shortcut")
    ]
    names = [parameter.name for parameter in network().parameters()]
    first = ["first.weight", *(f"first.{each}" for each in norm)]
    assert names == [*first, *blocks, "classifier.weight", "classifier.bias"]


@pytest.mark.parametrize("depth", [8, 20])
def test_depth_counts_layers_with_weights(depth: int) -> None:
    names = [parameter.name for parameter in network(depth).parameters()]
    layers = [name for name in names if name.endswith(".weight") and "shortcut" not in name]
    assert len(layers) == depth


@pytest.mark.parametrize("name", ["resnet9", "resnet2", "resnet", "vgg", "resnet8x", "resnet-8"])
def test_unknown_models(name: str, rng: np.random.Generator) -> None:
    with pytest.raises(ParameterError, match="6n"):
        build_network(name, channels=1, classes=10, rng=rng)


def test_shapes_and_types(
    batch: tuple[np.ndarray, np.ndarray], training: Callable[..., Execution]
) -> None:
    net = network()
    logits = net.forward(batch[0], training(Precision(3, 3, 6)))
    assert (logits.shape, logits.dtype) == ((6, 5), np.float32)
    _, error = softmax_cross_entropy(np, logits, batch[1])
    net.backward(error, training(Precision(3, 3, 6)))
    for parameter in net.parameters():
        assert parameter.gradient.shape == parameter.value.shape, parameter.name
        assert (parameter.gradient.dtype, parameter.value.dtype) == (np.float32, np.float32)
        assert np.abs(parameter.gradient).max() > 0, parameter.name


def test_gradient_is_the_slope_of_the_loss(
    batch: tuple[np.ndarray, np.ndarray],
    training: Callable[..., Execution],
    rng: np.random.Generator,
) -> None:
    """At 16 bits, along the gradient of every parameter and across it."""
    widest = Precision(16, 16, 16)
    net = network()
    images, labels = batch

    def forward() -> tuple[np.ndarray, Execution]:
        execution = training(widest, unquantized=widest)
        return net.forward(images, execution), execution

    def loss() -> float:
        logits = forward()[0].astype(np.float64)
        return float(softmax_cross_entropy(np, logits, labels)[0])

    logits, execution = forward()
    net.backward(softmax_cross_entropy(np, logits, labels)[1], execution)

    def slope(parameter: Parameter, direction: np.ndarray) -> float:
        # Shorter steps drown in quantization noise, longer ones cross more kinks of the ReLUs.
        kept, step = parameter.value, 3e-3 * max(1.0, float(np.linalg.norm(parameter.value)))
        values = []
        for sign in (1, -1):
            parameter.value = (kept + sign * step * direction).astype(np.float32)
            values.append(loss())
        parameter.value = kept
        return (values[0] - values[1]) / (2 * step)

    deviations = []
    for parameter in net.parameters():
        gradient = parameter.gradient.astype(np.float64)
        size = np.linalg.norm(gradient)
        across = rng.normal(size=gradient.shape)
        for direction in (gradient / size, across / np.linalg.norm(across)):
            expected = (gradient * direction).sum()
            deviations.append(abs(slope(parameter, direction) - expected) / size)
            assert deviations[-1] < 0.06, parameter.name
    assert np.median(deviations) < 0.01


def test_layers_that_stay_unquantized_run_at_eight_bits(
    batch: tuple[np.ndarray, np.ndarray], training: Callable[..., Execution]
) -> None:
    """First convolution and shortcuts cost the same whatever the precision of the blocks."""
    images, labels = batch
    net = network()

    def step(precision: Precision) -> float:
        execution = training(precision)
        logits = net.forward(images, execution)
        net.backward(softmax_cross_entropy(np, logits, labels)[1], execution)
        return execution.for_training.costs.executed

    first = 6 * 64 * 16 * 2 * 9  # images * pixels * filters * channels * taps
    shortcuts = 6 * 16 * 32 * 16 + 6 * 4 * 64 * 32
    fixed = (2 * first + 3 * shortcuts) * 64 / 1024
    one, two = step(Precision(1, 1, 1)), step(Precision(2, 2, 2))
    # The blocks' share grows by four; the rest is `fixed`.
    assert (4 * one - two) / 3 == pytest.approx(fixed)
    assert UNQUANTIZED == Precision(8, 8, 8)


def test_pixels_of_fewer_bits_are_their_top_bits(
    batch: tuple[np.ndarray, np.ndarray], training: Callable[..., Execution]
) -> None:
    images, _ = batch
    few = training(unquantized=Precision(3, 8, 8))
    net = network()
    truncated = (images >> 5) << 5

    def first(pixels: np.ndarray, bits: int, execution: Execution) -> np.ndarray:
        operand = execution.arithmetic.pixels(pixels, bits, PIXEL_BITS, PIXEL_SCALE)
        return net.first.forward(operand, (8, 8), 6, execution.unquantized, execution)

    np.testing.assert_allclose(
        first(images, 3, few), first(truncated, 8, training()), rtol=1e-5, atol=1e-5
    )


def test_evaluation_does_not_depend_on_the_batch(
    batch: tuple[np.ndarray, np.ndarray],
    training: Callable[..., Execution],
    evaluation: Execution,
) -> None:
    net = network()
    net.forward(batch[0], training())
    together = net.forward(batch[0], evaluation)
    alone = np.concatenate([net.forward(image[None], evaluation) for image in batch[0]])
    np.testing.assert_array_equal(together, alone)


def test_a_step_can_be_repeated_bit_for_bit(
    batch: tuple[np.ndarray, np.ndarray], training: Callable[..., Execution]
) -> None:
    def fingerprint(step: int) -> str:
        net = network()
        execution = training(Precision(4, 4, 6), step)
        logits = net.forward(batch[0], execution)
        net.backward(softmax_cross_entropy(np, logits, batch[1])[1], execution)
        for parameter in net.parameters():
            parameter.value = parameter.value - parameter.gradient
        return weights_sha256(net.parameters())

    assert fingerprint(0) == fingerprint(0)
    assert fingerprint(0) != fingerprint(1)  # other fractions round the errors


def test_fingerprint_is_of_little_endian_float32() -> None:
    parameters = [Parameter("a", np.array([1.0, -2.0])), Parameter("b", np.array([[0.5]]))]
    expected = hashlib.sha256(bytes.fromhex("0000803f000000c00000003f")).hexdigest()
    assert weights_sha256(parameters) == expected
