"""Costs of the steps of a run, from the choices of its blocks."""

import numpy as np
import pytest

from fractrain.host.graph.choice import Choice, Path, fixed_choices
from fractrain.host.graph.options import StepOptions
from fractrain.host.modelling import StepModel
from fractrain.host.modelling.run_costs import RunCosts
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision
from tests.host.modelling.steps import SKIP, resnet8_step

EIGHT, FOUR = Precision(8, 8, 8), Precision(4, 4, 6)
IMAGES = (4, 3, 8, 8)
STEP = resnet8_step(IMAGES)


@pytest.fixture(scope="module")
def costs() -> RunCosts:
    return RunCosts(machine="tiny")


def test_fw8bw8_is_the_baseline(costs: RunCosts) -> None:
    chosen, baseline = costs(STEP, fixed_choices([EIGHT] * 3))
    assert chosen == baseline
    assert baseline.seconds == pytest.approx(baseline.cycles / costs.clock_hz)


def test_blocks_of_their_own_precision(costs: RunCosts) -> None:
    choices = fixed_choices([FOUR, SKIP, EIGHT])
    chosen, _ = costs(STEP, choices)
    expected = StepModel(load_parameters("tiny"), STEP).cost(choices)
    assert (chosen.cycles, chosen.joules) == (expected.cycles, expected.joules)


@pytest.mark.parametrize("real", [False, True])
def test_images_that_part_cost_their_shares(real: bool, costs: RunCosts) -> None:
    mask = np.ones(4, np.float32)
    shared = Choice((Path(FOUR, 1, mask), Path(SKIP, 3, mask)))
    several = resnet8_step(IMAGES, StepOptions((FOUR, SKIP), per_sample=True, real=real))
    chosen, baseline = costs(several, [shared] * 3)
    _, eight = costs(STEP, fixed_choices([FOUR] * 3))
    alone = resnet8_step(IMAGES, StepOptions((FOUR,), real=real))  # published shortcuts have 4 bits
    four, _ = costs(alone, fixed_choices([FOUR] * 3))
    skip, _ = costs(STEP, fixed_choices([SKIP] * 3))
    assert chosen.cycles == pytest.approx(0.25 * four.cycles + 0.75 * skip.cycles)
    assert baseline == eight
