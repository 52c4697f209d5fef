"""Costs of the steps of a run: choices of blocks as layers of the step model."""

import numpy as np
import pytest

from fractrain.host.graph.choice import Choice, Path
from fractrain.host.modelling import StepModel, layer_shapes
from fractrain.host.modelling.run_costs import RunCosts
from fractrain.host.networks.registry import build_network
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision

NETWORK = build_network("resnet8", channels=3, classes=10, rng=np.random.default_rng(0))
EIGHT, FOUR, SKIP = Precision(8, 8, 8), Precision(4, 4, 6), Precision(0, 0, 0)


@pytest.fixture(scope="module")
def costs() -> RunCosts:
    return RunCosts(NETWORK, (8, 8), 4, machine="tiny")


@pytest.fixture(scope="module")
def model() -> StepModel:
    return StepModel(load_parameters("tiny"), layer_shapes(NETWORK, (8, 8)), 4)


def test_fw8bw8_is_the_baseline(costs: RunCosts) -> None:
    chosen, baseline = costs([Choice((Path(EIGHT),))] * 3)
    assert chosen == baseline
    assert baseline.seconds == pytest.approx(baseline.cycles / costs.clock_hz)


def test_blocks_of_their_own_precision(costs: RunCosts, model: StepModel) -> None:
    """ResNet-8: first; two layers of block 0; two and a shortcut of blocks 1 and 2."""
    chosen, _ = costs([Choice((Path(each),)) for each in (FOUR, SKIP, EIGHT)])
    layers = [EIGHT, FOUR, FOUR, SKIP, SKIP, EIGHT, EIGHT, EIGHT, EIGHT]
    expected = model.cost(layers)
    assert (chosen.cycles, chosen.joules) == (expected.cycles, expected.joules)


def test_images_that_part_cost_their_shares(costs: RunCosts) -> None:
    mask = np.ones(4, np.float32)
    shared = Choice((Path(FOUR, 1, mask), Path(SKIP, 3, mask)))
    chosen, _ = costs([shared] * 3)
    four, _ = costs([Choice((Path(FOUR),))] * 3)
    skip, _ = costs([Choice((Path(SKIP),))] * 3)
    assert chosen.cycles == pytest.approx(0.25 * four.cycles + 0.75 * skip.cycles)
