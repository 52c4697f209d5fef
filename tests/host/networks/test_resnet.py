"""The whole network: structure, gradients against differences of its own loss, determinism."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.execution import Executor, Run, step_options
from fractrain.host.graph.choice import UNQUANTIZED, Choice, Path
from fractrain.host.graph.effective_macs import EffectiveMacs
from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import build_step
from fractrain.host.networks.network import Network
from fractrain.host.networks.parameter import Parameter, weights_sha256
from fractrain.host.networks.registry import build_network
from fractrain.host.networks.selection import FixedSelector
from fractrain.host.numerics.counter_numbers import counter_numbers
from fractrain.host.numerics.loss import softmax_cross_entropy
from fractrain.host.numerics.random_streams import Stream
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision

IMAGES = (6, 2, 8, 8)


def network(depth: int = 8) -> Network:
    return build_network(f"resnet{depth}", channels=2, classes=5, rng=np.random.default_rng(7))


@pytest.fixture
def accelerator() -> Iterator[Accelerator]:
    with open_accelerator("golden") as opened:
        yield opened


@pytest.fixture
def batch(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 256, IMAGES, np.uint8), rng.integers(0, 5, 6)


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


def test_weights_by_counter_are_the_same_everywhere() -> None:
    """Drawn without NumPy's generators; their hash is no accident of a machine."""
    rng = counter_numbers(0, Stream.WEIGHTS)
    made = build_network("resnet8", channels=3, classes=10, rng=rng)
    second = made.parameters()[3].value
    assert second.std() == pytest.approx((2 / (9 * 16)) ** 0.5, rel=0.05)
    assert (
        weights_sha256(made.parameters())
        == "e91a9e826b6a227d0293401a782d90c7b1b589d7d3727fecdfa1b1599bf434dd"
    )


@pytest.mark.parametrize("depth", [8, 20])
def test_depth_counts_layers_with_weights(depth: int) -> None:
    names = [parameter.name for parameter in network(depth).parameters()]
    layers = [name for name in names if name.endswith(".weight") and "shortcut" not in name]
    assert len(layers) == depth


@pytest.mark.parametrize("name", ["resnet9", "resnet2", "resnet", "vgg", "resnet8x", "resnet-8"])
def test_unknown_models(name: str, rng: np.random.Generator) -> None:
    with pytest.raises(ParameterError, match="6n"):
        build_network(name, channels=1, classes=10, rng=rng)


class Trained:
    """A network that is given steps."""

    def __init__(
        self, accelerator: Accelerator, precision: Precision, unquantized: Precision = UNQUANTIZED
    ) -> None:
        self.network = network()
        self._accelerator = accelerator
        self._selector, self._unquantized = FixedSelector(precision), unquantized

    def forward(self, images: np.ndarray, labels: np.ndarray | None, step: int = 0) -> Run:
        """An evaluation without ``labels``."""
        arithmetic = IntegerArithmetic(self._accelerator)
        options = step_options(self._selector, arithmetic, self._unquantized)
        shape: Any = images.shape
        graph = build_step(self.network, shape, options, training=labels is not None)
        self.executor = Executor(graph, self.network, arithmetic, self._selector)
        given = {"images": images} if labels is None else {"images": images, "labels": labels}
        return self.executor.forward(given, arithmetic.elementwise.rounding(0, step))

    def step(self, images: np.ndarray, labels: np.ndarray, step: int = 0) -> Run:
        """Forward and backward."""
        run = self.forward(images, labels, step)
        self.executor.backward(run)
        return run


def test_shapes_and_types(batch: tuple[np.ndarray, np.ndarray], accelerator: Accelerator) -> None:
    trained = Trained(accelerator, Precision(3, 3, 6))
    logits = trained.step(*batch).logits
    assert (logits.shape, logits.dtype) == ((6, 5), np.float32)
    for parameter in trained.network.parameters():
        assert parameter.gradient.shape == parameter.value.shape, parameter.name
        assert (parameter.gradient.dtype, parameter.value.dtype) == (np.float32, np.float32)
        assert np.abs(parameter.gradient).max() > 0, parameter.name


def test_gradient_is_the_slope_of_the_loss(
    batch: tuple[np.ndarray, np.ndarray], accelerator: Accelerator, rng: np.random.Generator
) -> None:
    """At 16 bits, along the gradient of every parameter and across it."""
    widest = Precision(16, 16, 16)
    trained = Trained(accelerator, widest, widest)
    images, labels = batch

    def loss() -> float:
        logits = trained.forward(images, labels).logits.astype(np.float64)
        return float(softmax_cross_entropy(np, logits, labels)[0])

    trained.step(images, labels)

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
    for parameter in trained.network.parameters():
        gradient = parameter.gradient.astype(np.float64)
        size = np.linalg.norm(gradient)
        across = rng.normal(size=gradient.shape)
        for direction in (gradient / size, across / np.linalg.norm(across)):
            expected = (gradient * direction).sum()
            deviations.append(abs(slope(parameter, direction) - expected) / size)
            assert deviations[-1] < 0.06, parameter.name
    assert np.median(deviations) < 0.01


def test_layers_that_stay_unquantized_run_at_eight_bits() -> None:
    """First convolution and shortcuts cost the same whatever the precision of the blocks."""

    def cost(precision: Precision) -> float:
        costs, graph = EffectiveMacs(), build_step(network(), IMAGES, StepOptions((precision,)))
        costs.add_step(graph, [Choice((Path(precision),))] * 3)
        return costs.executed

    first = 6 * 64 * 16 * 2 * 9  # images * pixels * filters * channels * taps
    shortcuts = 6 * 16 * 32 * 16 + 6 * 4 * 64 * 32
    fixed = (2 * first + 3 * shortcuts) * 64 / 1024
    one, two = cost(Precision(1, 1, 1)), cost(Precision(2, 2, 2))
    # The blocks' share grows by four; the rest is `fixed`.
    assert (4 * one - two) / 3 == pytest.approx(fixed)
    assert UNQUANTIZED == Precision(8, 8, 8)


def test_pixels_of_fewer_bits_are_their_top_bits(
    batch: tuple[np.ndarray, np.ndarray], accelerator: Accelerator
) -> None:
    images, labels = batch
    precision = Precision(8, 8, 8)
    few = Trained(accelerator, precision, unquantized=Precision(3, 8, 8))
    found = Trained(accelerator, precision).forward((images >> 5) << 5, labels)
    pixels = few.forward(images, labels)
    np.testing.assert_allclose(_first(pixels), _first(found), rtol=1e-5, atol=1e-5)


def _first(run: Run) -> np.ndarray:
    """What the first convolution gave, normalized; its x̂ is kept for the way back."""
    (saved,) = run.values["first.norm.saved"]
    return saved[0]


def test_evaluation_does_not_depend_on_the_batch(
    batch: tuple[np.ndarray, np.ndarray], accelerator: Accelerator
) -> None:
    images, labels = batch
    trained = Trained(accelerator, Precision(16, 16, 16))
    trained.forward(images, labels)
    together = trained.forward(images, None).logits
    alone = np.concatenate([trained.forward(image[None], None).logits for image in images])
    np.testing.assert_array_equal(together, alone)


def test_a_step_can_be_repeated_bit_for_bit(
    batch: tuple[np.ndarray, np.ndarray], accelerator: Accelerator
) -> None:
    def fingerprint(step: int) -> str:
        trained = Trained(accelerator, Precision(4, 4, 6))
        trained.step(*batch, step)
        for parameter in trained.network.parameters():
            parameter.value = parameter.value - parameter.gradient
        return weights_sha256(trained.network.parameters())

    assert fingerprint(0) == fingerprint(0)
    assert fingerprint(0) != fingerprint(1)  # other fractions round the errors


def test_fingerprint_is_of_little_endian_float32() -> None:
    parameters = [Parameter("a", np.array([1.0, -2.0])), Parameter("b", np.array([[0.5]]))]
    expected = hashlib.sha256(bytes.fromhex("0000803f000000c00000003f")).hexdigest()
    assert weights_sha256(parameters) == expected
