"""A network that is not residual: 40 lines, and golden, torch and co-simulation train it alike."""

from pathlib import Path

import numpy as np
import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.arithmetic import IntegerArithmetic
from fractrain.host.datasets.dataset import Dataset
from fractrain.host.execution import Executor, Run, step_options
from fractrain.host.graph import operations as ops
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.step import build_step
from fractrain.host.methods.method import Task
from fractrain.host.methods.recipe import make_recipe
from fractrain.host.networks.network import place
from fractrain.host.networks.parameter import weights_sha256
from fractrain.host.networks.selection import FixedSelector
from fractrain.host.training.trainer import Plan, Trainer
from fractrain.hw.contract.precision import Precision
from tests.host.execution.small_network import SmallNetwork

PRECISION = Precision(3, 3, 5)


def network() -> SmallNetwork:
    return SmallNetwork(1, 3, np.random.default_rng(5))


def data() -> Dataset:
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 3
    images = rng.integers(0, 120, (24, 1, 8, 8), np.uint8)
    images[labels == 1, :, ::2] += 130
    images[labels == 2, :, :, ::2] += 130
    return Dataset("stripes", 3, images[:16], labels[:16], images[16:], labels[16:])


def train(backend: str, steps: int) -> tuple[str, float]:
    """Fingerprint of the weights, and what part of the test images is classified right."""
    task = Task(steps, 4, [4], [1], mode="float", rng=np.random.default_rng(1))
    method = make_recipe("static", precision=PRECISION).build(task)
    plan = Plan(steps, 4, 0, 0.1, "constant", 0.9, 0.0)
    with open_accelerator(backend) as accelerator:
        arithmetic = IntegerArithmetic(accelerator)
        trainer = Trainer(network(), data(), accelerator, method, plan, arithmetic)
        trainer.train(lambda report: None)
        found = weights_sha256(trainer.network.parameters(), accelerator.elementwise)
        return found, trainer.evaluate()


def test_it_takes_forty_lines_at_most() -> None:
    source = Path(__file__).with_name("small_network.py").read_text()
    assert len(source.splitlines()) <= 40


def test_it_learns() -> None:
    assert train("golden", 24)[1] == 1.0


def test_it_trains_on_the_machine_as_on_the_golden_model() -> None:
    assert train("cosim", 2) == train("golden", 2)


def test_it_learns_in_pytorch_by_the_golden_models_integers() -> None:
    """Errors are rounded by other random numbers there, so each convolution is held against the
    golden model's of the same operands."""
    pytest.importorskip("torch", reason="PyTorch is not installed: make torch")
    pytest.importorskip("array_api_compat", reason="array-api-compat is not installed: make torch")
    assert train("torch", 24)[1] == 1.0
    seen = []
    with open_accelerator("torch") as ours, open_accelerator("golden") as golden:

        def observer(operation: Operation, run: Run) -> None:
            if not isinstance(operation, ops.Convolve):
                return
            row, column = (host(run.value(each).integers) for each in operation.inputs)
            truth = golden.convolve(operation.convolution(run.table), row, column)
            np.testing.assert_array_equal(host(run.value(operation.result)), truth)
            seen.append(operation.name)

        def host(tensor: object) -> np.ndarray:
            return elementwise.to_host(tensor).astype(np.int64)

        elementwise, selector = ours.elementwise, FixedSelector(PRECISION)
        arithmetic, small = IntegerArithmetic(ours), network()
        place(small, elementwise)
        graph = build_step(small, (4, 1, 8, 8), step_options(selector, arithmetic))
        executor = Executor(graph, small, arithmetic, selector, observer)
        given = {"images": data().train_images[:4], "labels": np.arange(4) % 3}
        given = {name: elementwise.from_host(value) for name, value in given.items()}
        executor.backward(executor.forward(given, elementwise.rounding(0, 0)))
    passes = "first.forward", "second.forward", "second.gradient", "second.error", "first.gradient"
    assert seen == list(passes)
