"""Methods: which stage comes when, and what it tells the selector."""

import json

import numpy as np
import pytest

from fractrain.host.methods.indicator import TurningPointIndicator
from fractrain.host.methods.method import Method, Stage, Task
from fractrain.host.methods.progression import Progression
from fractrain.host.methods.recipe import Recipe, make_recipe
from fractrain.host.networks.gates import Gates
from fractrain.host.networks.selection import FixedSelector
from fractrain.host.numerics.elementwise import Elementwise
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision


def build(recipe: Recipe, *, steps_per_epoch: int = 10, mode: str = "float") -> Method:
    return recipe.build(
        Task(
            steps=1000,
            steps_per_epoch=steps_per_epoch,
            widths=[16, 16],
            macs=[100, 100],
            mode=mode,
            rng=np.random.default_rng(0),
        )
    )


def run(method: Method, steps: int, loss: float = 1.0) -> None:
    for step in range(steps):
        method.before_step(step)
        method.after_step(step, loss)


def test_static_never_changes() -> None:
    method = build(make_recipe("static", precision=Precision(4, 3, 6)))
    run(method, 300)
    assert isinstance(method.selector, FixedSelector)
    assert method.selector.precision == Precision(4, 3, 6)
    assert method.stages == [Stage(Precision(4, 3, 6), 0)]
    assert method.target_cp is None


def test_pfq_climbs_the_published_schedule_on_a_plateau() -> None:
    method = build(make_recipe("pfq"))
    run(method, 300)
    assert method.stages == [
        Stage(Precision(3, 3, 6), 0),
        Stage(Precision(4, 4, 6), 50),
        Stage(Precision(6, 6, 8), 100),
        Stage(Precision(8, 8, 8), 150),
    ]
    assert method.selector.precision == Precision(8, 8, 8)
    assert set(method.selector.precisions) == set(method.progression.values)


def test_the_interval_of_the_indicator_can_be_shorter_than_an_epoch() -> None:
    method = build(make_recipe("pfq", interval=3))
    run(method, 40)
    assert [stage.first_step for stage in method.stages] == [0, 15, 30]


def test_pfq_stays_while_the_loss_falls() -> None:
    method = build(make_recipe("pfq"), steps_per_epoch=1)
    for step in range(12):
        method.after_step(step, 30.0 - 2 * step)
    assert method.progression.current == Precision(3, 3, 6)


def test_a_stage_may_skip_the_blocks() -> None:
    method = build(make_recipe("pfq", schedule_forward=(0, 8), schedule_backward=(0, 8)))
    method.before_step(0)
    assert method.selector.precision == Precision(0, 0, 0)


def test_dfq_has_one_target_and_four_bit_weights() -> None:
    method = build(make_recipe("dfq", target=2.5))
    run(method, 300)
    gates = method.selector
    assert isinstance(gates, Gates)
    assert (gates.target, method.target_cp) == (2.5, 2.5)
    assert [stage.first_step for stage in method.stages] == [0]
    assert [str(each) for each in gates.precisions] == [
        "3/4/6",
        "4/4/6",
        "4/4/8",
        "6/4/8",
        "6/4/12",
    ]
    assert gates.rules.stored_bits == 8


def test_fractrain_raises_the_target_at_turning_points() -> None:
    method = build(make_recipe("fractrain"))
    targets = []
    for step in range(200):
        method.before_step(step)
        targets.append(method.selector.target)
        method.after_step(step, 1.0)
    assert targets == [1.5] * 50 + [2.0] * 50 + [2.5] * 50 + [3.0] * 50


def test_wide_candidates_are_stored_wide_and_those_per_sample_not_at_all() -> None:
    wide = make_recipe("dfq", candidates=((3, 6), (12, 12)))
    assert build(wide).selector.rules.stored_bits == 12
    assert build(wide, mode="reference").selector.rules.stored_bits is None


def test_a_gate_that_decides_early_stores_nothing_first() -> None:
    assert build(make_recipe("dfq", decide="early")).selector.rules.stored_bits is None
    assert build(make_recipe("dfq", decide="late")).selector.rules.stored_bits == 8
    with pytest.raises(ParameterError, match="--mode reference"):
        build(make_recipe("dfq", decide="late"), mode="reference")
    with pytest.raises(ParameterError, match="late, early"):
        make_recipe("dfq", decide="never")


def test_a_candidate_may_skip_the_block() -> None:
    method = build(make_recipe("dfq", candidates=((0, 0), (3, 6))))
    assert list(method.selector.precisions) == [Precision(0, 0, 0), Precision(3, 4, 6)]


def test_a_progression_goes_on_from_its_state() -> None:
    """At every step of a run, through JSON: the stages come when they would have come."""
    losses = np.random.default_rng(1).normal(1, 0.02, 200)

    def fresh() -> Progression:
        indicator = TurningPointIndicator(epsilon=0.05, alpha=0.9, limit=3)
        return Progression([1, 2, 3, 4], indicator, interval=4)

    whole = fresh()
    for step, loss in enumerate(losses):
        whole.observe(step, loss)
    assert len(whole.stages) == 4
    for cut in range(0, 200, 7):
        parts = fresh()
        for step, loss in enumerate(losses):
            if step == cut:
                state = json.loads(json.dumps(parts.state()))
                parts = fresh()
                parts.load(state)
            parts.observe(step, loss)
        assert parts.stages == whole.stages


@pytest.mark.parametrize("published", [False, True])
def test_the_published_indicator_sees_the_cost(published: bool) -> None:
    """Cross entropy is constant; reg · cost is not, as gates choose the dearest candidate every
    second step: cp above the target, then below."""
    recipe = make_recipe("fractrain", interval=1, beta=1.0, targets=(3.0, 3.0), epsilon=0.1)
    method = build(recipe, per_sample=published, published=published)
    gates = method.selector
    assert isinstance(gates, Gates)
    for step in range(5):
        method.before_step(step)
        gates._decide.weight.value[:] = 0
        gates._decide.bias.value[:] = np.eye(5)[4 * (step % 2)]
        gates.begin(training=True)
        for index in range(2):
            gates.choose(index, np.ones((2, 16, 2, 2), np.float32), Elementwise())
        expected = (-1, 1)[step % 2] * 2 * (1.7578, 4.6875)[step % 2]
        assert gates.indicated_loss == pytest.approx(expected if published else 0.0, rel=1e-4)
        method.after_step(step, 10.0)
    # Losses 6.5, 19.4, 6.5, 19.4, 6.5 are no plateau, 10, 10, 10, 10, 10 are one.
    assert len(method.stages) == (1 if published else 2)


def test_published_decays_are_those_of_reference_mode() -> None:
    """Five stages: at the third turning point ε stays."""
    recipe = make_recipe("pfq", schedule_forward=(2, 3, 4, 6, 8), schedule_backward=(6,) * 5)
    for published, expected in ((True, 0.15 * 0.4**2), (False, 0.15 * 0.4**4)):
        method = build(recipe, steps_per_epoch=1, published=published)
        run(method, 20)
        assert method.state()["indicator"]["epsilon"] == pytest.approx(expected)
