"""The cost model against its formula and against the published counts."""

from collections.abc import Callable

import numpy as np
import pytest

from fractrain.host.graph.effective_macs import EffectiveMacs
from fractrain.host.networks.execution import Execution
from fractrain.host.networks.registry import build_network
from fractrain.hw.contract.precision import Pass, Precision


@pytest.mark.parametrize(
    ("which", "cost"), [(Pass.FORWARD, 4 * 3), (Pass.ERROR, 6 * 3), (Pass.GRADIENT, 4 * 6)]
)
def test_one_pass(which: Pass, cost: int) -> None:
    costs = EffectiveMacs()
    costs.add(which, 2048, Precision(4, 3, 6))
    assert costs.executed == 2 * cost
    assert costs.baseline == 2 * 64
    assert costs.saving == pytest.approx(1 - cost / 64)


@pytest.mark.parametrize(
    ("precision", "percent"), [(Precision(8, 8, 8), 6.25), (Precision(8, 8, 16), 10.42)]
)
def test_published_percentages_of_full_precision(precision: Precision, percent: float) -> None:
    costs = EffectiveMacs()
    for which in Pass:
        costs.add(which, 1000, precision)
    assert 100 * costs.executed / 3000 == pytest.approx(percent, abs=0.005)


def test_nothing_counted_is_nothing_saved() -> None:
    assert EffectiveMacs().saving == 0


def test_published_size_of_resnet38(
    training: Callable[..., Execution], rng: np.random.Generator
) -> None:
    """83.28 million multiply-accumulates forward, on one 32x32 image of three channels."""
    network = build_network("resnet38", channels=3, classes=10, rng=rng)
    execution = training(Precision(8, 8, 8))
    network.forward(rng.integers(0, 256, (1, 3, 32, 32)), execution)
    assert execution.for_training.costs.executed * 1024 / 64 == pytest.approx(83.28e6, rel=1e-4)
