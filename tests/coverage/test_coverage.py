"""Functional coverage of the engine: random programs until every bin is hit, all results exact."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from fractrain.host.compiler import Step
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.sim.cosim.cache import build_root
from tests.coverage import reference
from tests.coverage.campaign import Campaign
from tests.coverage.cases import Case, Run, parse_case
from tests.coverage.machine import Mismatch

TINY = load_parameters("tiny")
SEED = 1
MOST_CASES = 500


@pytest.fixture
def campaign() -> Iterator[Campaign]:
    with Campaign(TINY, SEED) as opened:
        yield opened


def test_every_bin_is_hit_and_every_result_exact(campaign: Campaign) -> None:
    """The report is build/coverage.md."""
    campaign.run(lambda now: now.cases < MOST_CASES and bool(now.coverage.holes))
    campaign.write(build_root() / "coverage.md", f"the engine: {__name__}, tiny, seed {SEED}")
    print(campaign.summary())
    assert campaign.machine.refused < campaign.cases // 20
    assert not campaign.coverage.holes


def test_the_reference_is_the_sum_it_should_be() -> None:
    """Element by element, on a layer of which nothing is even."""
    g = Geometry(2, 3, 2, (6, 5), (3, 2), 2, 1)
    random = np.random.default_rng(SEED)
    a, w, e = (random.integers(-9, 9, shape) for shape in (g.activations, g.weights, g.errors))
    y, dx, dw = np.zeros_like(e), np.zeros_like(a), np.zeros_like(w)
    for n, k, p, q in np.ndindex(g.errors):
        for c, r, s in np.ndindex(g.weights[1:]):
            h, v = 2 * p + r - 1, 2 * q + s - 1
            if 0 <= h < g.size[0] and 0 <= v < g.size[1]:
                y[n, k, p, q] += a[n, c, h, v] * w[k, c, r, s]
                dx[n, c, h, v] += e[n, k, p, q] * w[k, c, r, s]
                dw[k, c, r, s] += e[n, k, p, q] * a[n, c, h, v]
    assert np.array_equal(reference.forward(a, w, g), y)
    assert np.array_equal(reference.error(e, w, g), dx)
    assert np.array_equal(reference.gradient(a, e, g), dw)


def test_a_mismatch_is_found_and_made_small(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a reference that is wrong for every second image."""
    right = reference.forward

    def wrong(a: np.ndarray, w: np.ndarray, g: Geometry) -> np.ndarray:
        return right(a, w, g) + np.arange(g.images).reshape(-1, 1, 1, 1) % 2

    monkeypatch.setattr(reference, "forward", wrong)
    with pytest.raises(Mismatch, match="the emulator of the commands, too") as error:
        campaign.run(lambda now: now.cases < 50)
    case = error.value.case
    (step,), (run,) = case.steps, case.runs
    assert step.pass_ is Pass.FORWARD and step.geometry.images == 2
    assert (step.geometry.channels, step.geometry.filters, step.geometry.output) == (1, 1, (1, 1))
    assert run.bus == "ideal"


def test_a_case_is_its_text() -> None:
    step = Step(Pass.GRADIENT, Geometry(1, 2, 3, (4, 5), (3, 3), 2, 1), 3, "a", "e", "dw", (5, 6))
    case = Case((step,), (Run({3: Precision(5, 0, 6)}, "ddr", seed=8),), 7, 4096)
    assert parse_case(case.text()) == case
