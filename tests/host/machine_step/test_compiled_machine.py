"""Training runs whose steps are programs, carried out by the functional machine: they end as on the
executor, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator
from fractrain.host.backends.functional import FunctionalVectorMachine
from fractrain.host.compiler.whole_step import DoesNotFit
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.host.machine.vector_machine import StepLaunch
from fractrain.host.machine_step.compiled_machine import CompiledMachine
from fractrain.host.methods.recipe import make_recipe
from fractrain.host.training.machine_trainer import MachineTrainer
from fractrain.host.training.trainer import DivergenceError, Trainer
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.numerics import UPDATE_LEAST_SHIFT
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from tests.host.compiler.whole_step.running import small
from tests.host.machine_step.test_whole_runs import CASES, MIXED
from tests.host.machine_step.trainers import SIDE, Case, assert_same_state, make, train
from tests.hw.machines import with_vector

A = Precision(4, 3, 6)
STATIC = make_recipe("static", precision=A)


class Programs(CompiledMachine):
    """On the functional machine."""

    def attach(self, trainer: Trainer) -> None:
        """It is told with each step."""


def on_programs(p: Parameters | None = None) -> Callable[[Case, Accelerator], Programs]:
    parameters = p or small(precision__slots=32)
    return lambda case, golden: Programs(FunctionalVectorMachine(parameters))


def on_machine(case: Case, golden: Accelerator, p: Parameters | None = None) -> MachineTrainer:
    found = make(case, golden, on_programs(p))
    assert isinstance(found, MachineTrainer)
    return found


def check(case: Case, golden: Accelerator, p: Parameters | None = None) -> list[dict[str, Any]]:
    """Whole steps give what the executor gives: log, state, sum of the weights, evaluation."""
    usual, whole = make(case, golden), on_machine(case, golden, p)
    whole.note = pytest.fail
    log = train(usual, case.steps)
    assert train(whole, case.steps) == log
    assert whole.whole_steps == case.steps, "all of them on the machine"
    assert_same_state(whole.state(), usual.state())
    sums = [each.arithmetic.weights_sha256(each.parameters()) for each in (usual, whole)]
    assert sums[0] == sums[1]
    assert whole.evaluate() == usual.evaluate()
    return log


@pytest.mark.parametrize("chunk", [2, 4, 8])
def test_chunks_that_do_not_divide_the_batch(golden: Accelerator, chunk: int) -> None:
    options = IntegerOptions(chunk_rows=chunk * SIDE)
    check(Case(STATIC, options=options, batch=13, steps=1), golden)


def test_wide_residuals(golden: Accelerator) -> None:
    """8/8/12, r of 12 bits."""
    recipe = make_recipe("static", precision=Precision(8, 8, 12))
    check(Case(recipe, options=replace(MIXED, mixing=0), batch=5, steps=2), golden)


def test_mixed_statistics_go_layer_by_layer(golden: Accelerator) -> None:
    """The channel unit has none; a second step has the first one's statistics."""
    case = Case(STATIC, options=MIXED, batch=5, steps=2)
    usual, whole = make(case, golden), on_machine(case, golden)
    said: list[str] = []
    whole.note = said.append
    assert train(usual, 2) == train(whole, 2) and whole.whole_steps == 0
    assert_same_state(whole.state(), usual.state())
    assert len(said) == 1 and "--running-share 0" in said[0]


def test_gates_that_skip(golden: Accelerator) -> None:
    log = check(replace(CASES["FracTrain, skipping"], batch=4, steps=5), golden)
    bits = {each["bits"][0] for each in log}
    assert len(bits) > 1, "precisions change"


def test_all_kinds_of_skips(golden: Accelerator) -> None:
    """Of a block with a shortcut, of the last ones, of all; one program for all of them."""
    check(replace(CASES["scripted"], batch=4, steps=5), golden)


def test_pictures_of_32_pixels(golden: Accelerator) -> None:
    """With the memories that a machine of such blocks should have."""
    sizes = {"plane_words": 4096, "column_words": 512, "gradient_words": 2048}
    p = with_vector(**{f"buffers__{name}": words for name, words in sizes.items()})
    options = IntegerOptions(chunk_rows=32)
    check(Case(STATIC, options=options, side=32, batch=2, steps=1), golden, p)


def test_a_run_goes_on_from_a_checkpoint_of_either(golden: Accelerator) -> None:
    case = replace(CASES["static"], batch=4, steps=2)
    usual, whole = make(case, golden), on_machine(case, golden)
    train(usual, 1), train(whole, 1)
    checkpoints = usual.state(), whole.state()
    train(usual)
    for checkpoint in checkpoints:
        resumed = on_machine(case, golden)
        resumed.load(checkpoint)
        train(resumed)
        assert_same_state(resumed.state(), usual.state())


def test_a_refused_loss_leaves_all_as_it_was(golden: Accelerator) -> None:
    """The program waits for the host and is abandoned; the next step begins anew."""
    case = replace(CASES["static"], batch=4, steps=3)
    usual, whole = make(case, golden), on_machine(case, golden)
    train(usual, 1), train(whole, 1)
    before = whole.state()
    bias = next(each for each in whole.parameters() if each.name == "classifier.bias")
    good = bias.value
    bias.value = good + np.array([np.inf, 0, 0])
    with pytest.raises(DivergenceError, match="the loss is"):
        train(whole, 2)
    bias.value = good
    assert_same_state(whole.state(), before)
    assert train(usual, 2) == train(whole, 2)
    assert_same_state(whole.state(), usual.state())


def test_updates_with_large_factors_go_layer_by_layer(
    golden: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that does not take them, with the same integers; others are whole steps."""
    case = replace(CASES["static"], batch=4, steps=2)
    usual = make(case, golden)
    wanted = train(usual)
    for least, steps in ((-60, case.steps), (60, 0)):
        monkeypatch.setattr(FunctionalVectorMachine, "least_update_shift", least)
        whole = on_machine(case, golden, small())
        said: list[str] = []
        whole.note = said.append
        assert train(whole) == wanted and whole.whole_steps == steps
        assert_same_state(whole.state(), usual.state())
        assert len(said) == (steps == 0)
        assert not said or ("factor of an update" in said[0] and "layer by layer" in said[0])


def test_skipped_weights_have_no_factor_that_could_be_too_large(
    golden: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their sums are 0: such a step is one of the RTL's, too."""
    bits = Precision(4, 4, 6), Precision(0, 0, 0), Precision(4, 3, 6)
    given = {"recipe": None, "script": tuple((each,) for each in bits), "stages": ((8, 2),)}
    case = replace(CASES["static"], batch=5, steps=3, **given)
    usual = make(case, golden)
    wanted = train(usual)
    monkeypatch.setattr(FunctionalVectorMachine, "least_update_shift", UPDATE_LEAST_SHIFT)
    whole = on_machine(case, golden, small())
    whole.note = pytest.fail
    assert train(whole) == wanted and whole.whole_steps == 3
    assert_same_state(whole.state(), usual.state())


def test_what_does_not_fit_goes_layer_by_layer(golden: Accelerator) -> None:
    case = replace(CASES["static"], batch=4, steps=2)
    usual, whole = make(case, golden), on_machine(case, golden, small({"staging_words": 64}))
    said: list[str] = []
    whole.note = said.append
    assert train(usual) == train(whole)
    assert whole.whole_steps == 0
    assert_same_state(whole.state(), usual.state())
    (text,) = said
    assert "staging memory of a whole step" in text and "layer by layer" in text


def test_steps_of_other_graphs_take_the_weights_along(golden: Accelerator) -> None:
    """Batches of two sizes: two programs, one of them in memory at a time."""
    case = replace(CASES["static"], batch=4, steps=3)
    usual, whole = make(case, golden), on_machine(case, golden)
    for images in (4, 3, 4):
        for trainer in (usual, whole):
            data = trainer.dataset
            part = data.train_images[:images], data.train_labels[:images]
            report = trainer._step(0, *part)
            trainer.step += 1
        del report
    assert whole.whole_steps == 3
    assert_same_state(whole.state(), usual.state())


class Early(FunctionalVectorMachine):
    """Ends before it has given its tokens."""

    def wait(self) -> bool:
        super().wait()
        return False


def test_a_program_that_ends_early(golden: Accelerator) -> None:
    case = replace(CASES["static"], batch=4, steps=1)
    p = small(precision__slots=32)
    trainer = make(case, golden, lambda case, of: Programs(Early(p)))
    with pytest.raises(MachineError, match="ended before it gave the sums of image 0"):
        train(trainer)


def test_memory_that_is_too_small(golden: Accelerator) -> None:
    class Little(FunctionalVectorMachine):
        def memory(self, size: int) -> Any:
            if size > 1 << 16:
                raise DoesNotFit("memory", size, "at most 65536 bytes")
            return super().memory(size)

        def start(self, launch: StepLaunch) -> None:
            raise AssertionError("nothing is to be started")

    case = replace(CASES["static"], batch=4, steps=1)
    p = small(precision__slots=32)
    whole = make(case, golden, lambda case, of: Programs(Little(p)))
    assert train(whole) == train(make(case, golden))
    assert isinstance(whole, MachineTrainer) and whole.whole_steps == 0
