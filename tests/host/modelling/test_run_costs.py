"""Costs of the steps of a run, from the choices of its blocks."""

import numpy as np
import pytest

from fractrain.host.graph.choice import Choice, Path, fixed_choices
from fractrain.host.modelling import StepModel
from fractrain.host.modelling.run_costs import RunCosts
from fractrain.host.networks.resnet import build_network
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision
from tests.host.modelling.steps import SKIP, resnet8_step

NETWORK = build_network("resnet8", channels=3, classes=10, rng=np.random.default_rng(0))
EIGHT, FOUR = Precision(8, 8, 8), Precision(4, 4, 6)


@pytest.fixture(scope="module")
def costs() -> RunCosts:
    return RunCosts(NETWORK, (8, 8), 4, machine="tiny")


def test_fw8bw8_is_the_baseline(costs: RunCosts) -> None:
    chosen, baseline = costs(fixed_choices([EIGHT] * 3))
    assert chosen == baseline
    assert baseline.seconds == pytest.approx(baseline.cycles / costs.clock_hz)


def test_blocks_of_their_own_precision(costs: RunCosts) -> None:
    choices = fixed_choices([FOUR, SKIP, EIGHT])
    chosen, _ = costs(choices)
    expected = StepModel(load_parameters("tiny"), resnet8_step((4, 3, 8, 8))).cost(choices)
    assert (chosen.cycles, chosen.joules) == (expected.cycles, expected.joules)


def test_images_that_part_cost_their_shares(costs: RunCosts) -> None:
    mask = np.ones(4, np.float32)
    shared = Choice((Path(FOUR, 1, mask), Path(SKIP, 3, mask)))
    chosen, baseline = costs([shared] * 3)
    four, eight = costs(fixed_choices([FOUR] * 3))
    skip, _ = costs(fixed_choices([SKIP] * 3))
    assert chosen.cycles == pytest.approx(0.25 * four.cycles + 0.75 * skip.cycles)
    assert baseline == eight
