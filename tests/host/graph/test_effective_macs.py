"""The cost model against its formula and against the published counts."""

import numpy as np
import pytest

from fractrain.host.graph.choice import Choice, Path
from fractrain.host.graph.effective_macs import EffectiveMacs
from fractrain.host.graph.step import StepGraph, build_outline
from fractrain.host.networks.registry import build_network
from fractrain.hw.contract.precision import Pass, Precision
from tests.host.graph.steps import make_step


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


def test_published_size_of_resnet38(rng: np.random.Generator) -> None:
    """83.28 million multiply-accumulates forward, on one 32x32 image of three channels."""
    network = build_network("resnet38", channels=3, classes=10, rng=rng)
    outline = build_outline(network, (3, 32, 32))
    macs = sum(each.geometry.macs for each in outline.convolutions)
    assert macs == pytest.approx(83.28e6, rel=1e-4)


def costs_of(step: StepGraph, precision: Precision) -> EffectiveMacs:
    costs = EffectiveMacs()
    costs.add_step(step, [Choice((Path(precision),))] * 3)
    return costs


def test_a_kernel_of_ones_costs_but_is_no_work_of_the_network() -> None:
    """One filter forward, one channel in the error pass; only where weights are odd levels."""
    fine, coarse = Precision(8, 8, 8), Precision(3, 3, 6)
    plain, odd = make_step(coarse, fine), make_step(coarse, fine, odd_weights=(2, 3, 4))
    assert costs_of(odd, fine).state() == costs_of(plain, fine).state()
    one, other = costs_of(odd, coarse), costs_of(plain, coarse)
    assert one.baseline == other.baseline
    extra = sum(
        each.geometry.macs * bits
        for each, bits in (
            (each, 3 if each.pass_ is Pass.FORWARD else 6) for each in odd.convolutions if each.ones
        )
    )
    layer = next(
        each for each in plain.convolutions if each.name.startswith("stage1.block0.second")
    )
    ones = next(each for each in odd.convolutions if each.name.endswith("second.forward.ones"))
    assert ones.geometry.macs * 16 == 6 * 64 * 16 * 16 * 9
    assert layer.geometry.macs == 6 * 16 * 32 * 32 * 9
    assert one.executed - other.executed == extra / 1024
