"""Functional coverage of whole steps: random networks until every bin is hit, each step exact."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.sim.cosim.cache import build_root
from tests.coverage.points import Coverage
from tests.coverage.whole_steps.bins import STEP_POINTS, bins_of
from tests.coverage.whole_steps.campaign import Campaign
from tests.coverage.whole_steps.cases import parse_case
from tests.coverage.whole_steps.drawing import Steps
from tests.coverage.whole_steps.machine import StepMachine, StepMismatch
from tests.host.compiler.whole_step.running import Stepped
from tests.sim.cosim.vector_engine import P

SEED = 1
FEW = 6
MOST_CASES = 120


@pytest.fixture(scope="module")
def golden() -> Iterator[Accelerator]:
    with open_accelerator("golden") as accelerator:
        yield accelerator


def test_the_first_networks(golden: Accelerator) -> None:
    """Those of most bins: weights, momenta, sums, peaks are golden's, every byte of memory is the
    functional machine's."""
    with Campaign(P, golden, SEED) as campaign:
        campaign.run(FEW)
        print(campaign.summary())
        assert campaign.machine.steps == FEW
        assert campaign.machine.golden_weights > 0


@pytest.mark.slow
def test_every_bin_is_hit_and_every_step_exact(golden: Accelerator) -> None:
    """The report is build/coverage-steps.md."""
    with Campaign(P, golden, SEED) as campaign:
        campaign.run(MOST_CASES)
        campaign.write(build_root() / "coverage-steps.md", f"whole steps, seed {SEED}")
        print(campaign.summary())
        assert not campaign.coverage.holes
        assert not campaign.machine.refused


def test_the_networks_that_are_drawn_hit_every_bin() -> None:
    """By what is drawn alone: no bin is out of reach."""
    coverage = Coverage(STEP_POINTS)
    steps, count = Steps(P, coverage, SEED), 0
    while coverage.holes:
        case = steps.next()
        assert parse_case(case.text()) == case
        for name, values in bins_of(P, case):
            coverage.hit(name, *values)
        count += 1
        assert count <= MOST_CASES, coverage.holes


def test_a_wrong_byte_is_found(golden: Accelerator, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit of the RTL's memory, which the host does not read; the step is in no bin then."""
    coverage, checks = Coverage(STEP_POINTS), 0
    right = Stepped.check

    def wrong(self: Stepped) -> None:
        nonlocal checks
        right(self)
        checks += 1
        if checks == 2:  # behind the functional machine's
            self.memory[-1] ^= 1

    monkeypatch.setattr(Stepped, "check", wrong)
    machine = StepMachine(P, golden, coverage)
    try:
        with pytest.raises(StepMismatch, match="1 bytes differ from the functional machine's"):
            machine.check(Steps(P, coverage, SEED).next())
    finally:
        machine.close()
    assert not any(coverage.hits["bits"].values())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_more_networks(golden: Accelerator, seed: int) -> None:
    """Until every bin is hit once more, by other networks."""
    with Campaign(P, golden, seed) as campaign:
        campaign.run(MOST_CASES)
        assert not campaign.coverage.holes, campaign.summary()
