"""The network that our training is compared with: it is the same one."""

import numpy as np
import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.arithmetic import PublishedArithmetic
from fractrain.host.benchmarks.torch_reference import ReferenceTraining
from fractrain.host.execution import Executor, step_options
from fractrain.host.graph.step import build_step
from fractrain.host.networks.network import Network
from fractrain.host.networks.registry import build_network
from fractrain.host.networks.selection import FixedSelector
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Array
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch")


class RealArithmetic(PublishedArithmetic):
    """Reference mode without its quantizers: a network of real numbers."""

    def activations(self, x: Array, bits: int | None, extent: Array) -> Array:
        return x

    def weights(self, x: Array, bits: int | None) -> Array:
        return x

    def errors(self, x: Array, bits: int | None, rounding: object) -> Array:
        return x


@pytest.fixture
def network(rng: np.random.Generator) -> Network:
    """With statistics and scales that are not those of the beginning."""
    network = build_network("resnet8", channels=3, classes=5, rng=rng)
    for each in [*network.parameters(), *network.statistics()]:
        if each.value is not None and each.name.endswith((".gamma", ".variance")):
            each.value = rng.uniform(0.5, 1.5, each.value.shape).astype(np.float32)
        elif each.value is not None and each.name.endswith((".beta", ".mean")):
            each.value = rng.normal(0, 0.2, each.value.shape).astype(np.float32)
    return network


def test_logits_and_gradients_are_those_of_our_network(
    network: Network, rng: np.random.Generator
) -> None:
    images = rng.integers(0, 256, (6, 3, 12, 12), np.uint8)
    labels = np.arange(6) % 5
    reference = ReferenceTraining("resnet8", channels=3, classes=5)
    reference.load(network)
    with open_accelerator("golden") as accelerator:
        arithmetic, selector = RealArithmetic(accelerator), FixedSelector(Precision(8, 8, 8))

        def executor(*, training: bool) -> Executor:
            options = step_options(selector, arithmetic)
            graph = build_step(network, (6, 3, 12, 12), options, training=training)
            return Executor(graph, network, arithmetic, selector)

        ours = executor(training=False).forward({"images": images}).logits
        reference.module.eval()
        theirs = reference.logits(images).detach().numpy()
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)

        step = executor(training=True)
        run = step.forward({"images": images, "labels": labels}, Elementwise().rounding(0, 0))
        step.backward(run)
    reference.module.train()
    their_loss = reference.loss(images, labels)
    their_loss.backward()
    assert run.loss == pytest.approx(float(their_loss.detach()), rel=1e-4)
    for mine, other in zip(network.parameters(), reference.module.parameters(), strict=True):
        gradient = other.grad.numpy().reshape(mine.value.shape)
        largest = float(abs(gradient).max())
        np.testing.assert_allclose(
            mine.gradient, gradient, rtol=1e-2, atol=1e-3 * largest, err_msg=mine.name
        )


@pytest.mark.parametrize("model", ["resnet8", "resnet20", "resnet38"])
def test_shapes_and_order_of_the_parameters(model: str) -> None:
    reference = ReferenceTraining(model, channels=3, classes=10)
    network = build_network(model, channels=3, classes=10, rng=np.random.default_rng(0))
    for ours, theirs in zip(network.parameters(), reference.module.parameters(), strict=True):
        assert ours.value.size == theirs.numel()
        assert theirs.ndim == 1 or ours.value.shape == tuple(theirs.shape), ours.name


def test_it_learns(rng: np.random.Generator) -> None:
    torch.manual_seed(0)
    images = rng.integers(0, 256, (16, 1, 8, 8), np.uint8)
    labels = np.arange(16) % 2
    reference = ReferenceTraining("resnet8", channels=1, classes=2)
    losses = [reference.step(images, labels) for _ in range(12)]
    assert losses[-1] < 0.2 < losses[0]


def test_unknown_models() -> None:
    with pytest.raises(ParameterError, match="model: got 'resnet9'"):
        ReferenceTraining("resnet9", channels=1, classes=2)
