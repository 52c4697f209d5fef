"""A recorded training step: all its convolutions, with the operands that training gave them."""

from dataclasses import replace

import numpy as np
import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.simulation.programs import ResultForm, make_job
from fractrain.host.simulation.step import (
    TrainingStep,
    check_step,
    parse_blocks,
    record_training_step,
)
from fractrain.hw.contract.commands import Command, Store
from fractrain.hw.contract.errors import MismatchError, ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision

PARAMETERS = load_parameters("tiny")


def record(**options: object) -> TrainingStep:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16), dtype=np.uint8)
    return record_training_step(
        "resnet8", images, PARAMETERS, Precision(4, 3, 6), seed=0, **options
    )


MODES = pytest.mark.parametrize("mode", ["hardware", "float"])


@MODES
def test_every_layer_in_every_pass(mode: str) -> None:
    step = record(mode=mode)
    found = {(each.layer, each.pass_): each for each in step.convolutions}
    layers = 1 + 3 * 2 + 2
    # nothing comes before the first convolution: it has no error pass
    assert len(found) == len(step.convolutions) == 3 * layers - 1
    assert ("first", Pass.ERROR) not in found
    error = found["stage2.block0.first", Pass.ERROR]
    geometry = error.convolution.geometry
    assert geometry.weights == (64, 32, 3, 3) and geometry.size == (8, 8) and geometry.stride == 2
    assert error.bits == (6, 3) and error.result.shape == (2, 32, 8, 8)
    assert error.geometry_text == "32 -> 64, 3x3/2, 8x8"
    for pass_ in Pass:
        # the same multiply-accumulates in every pass
        assert found["stage2.block0.first", pass_].macs == 2 * 4 * 4 * 64 * 32 * 9
    assert error.bit_products == error.macs * 18


@MODES
def test_results_are_those_of_the_operands(mode: str) -> None:
    with open_accelerator("golden", PARAMETERS) as golden:
        for each in record(mode=mode).convolutions:
            again = golden.convolve(each.convolution, each.rows, each.columns)
            assert np.array_equal(again, each.result), each.name


def test_errors_reach_their_range() -> None:
    """In hardware mode, too, whose scales are otherwise those of the step before."""
    errors = [each for each in record().convolutions if each.pass_ is Pass.GRADIENT]
    reached = [abs(each.columns).max() / ((1 << each.bits[1] - 1) - 1) for each in errors]
    assert len(reached) == 9 and min(reached) > 0.9


@pytest.mark.parametrize("form", ResultForm)
def test_the_machine_does_the_same_in_both_modes(form: ResultForm) -> None:
    """Cycles that were measured in one hold in the other: commands differ by what depends on
    results, by how far planes are shifted."""
    hardware, other = (
        make_job(PARAMETERS, step, step.convolutions, form).program.decoded
        for step in (record(mode="hardware"), record(mode="float"))
    )

    def alike(command: Command) -> Command:
        return replace(command, shift=0) if isinstance(command, Store) else command

    assert list(map(alike, hardware)) == list(map(alike, other))


def test_layers_outside_the_blocks_have_a_slot_of_their_own() -> None:
    step = record()
    precisions = {each.layer: each.precision for each in step.convolutions}
    assert precisions["first"] == precisions["stage1.block0.shortcut"] == Precision(8, 8, 8)
    assert precisions["stage1.block0.first"] == Precision(4, 3, 6)
    assert step.table == {0: Precision(8, 8, 8), 1: Precision(4, 3, 6)}
    assert record(uniform=True).table == {0: Precision(4, 3, 6)}


def test_blocks() -> None:
    assert parse_blocks("0..2") == range(3) and parse_blocks("1") == range(1, 2)
    names = {each.layer for each in record(blocks=range(1, 2)).convolutions}
    assert names == {f"stage1.block0.{layer}" for layer in ("first", "second", "shortcut")}
    for text in ("", "a", "2..1", "-1", "1..", "1..2..3"):
        with pytest.raises(ParameterError, match="blocks"):
            parse_blocks(text)


def test_steps_that_are_too_large() -> None:
    check_step("resnet38", 128)
    with pytest.raises(ParameterError, match="--batch: got 129, allowed: at most 128 images of"):
        check_step("resnet38", 129)
    with pytest.raises(ParameterError, match=r"--blocks: got 3, allowed: 0\.\.2"):
        check_step("resnet8", 1, range(2, 4))


@pytest.mark.parametrize("form", ResultForm)
def test_a_job_finds_one_wrong_result(form: ResultForm) -> None:
    step = record(blocks=range(2, 3))
    job = make_job(PARAMETERS, step, step.convolutions, form)
    with open_accelerator("golden", PARAMETERS) as golden:
        results = golden.run(job.program, job.operands, step.table)
    job.check(results)
    wrong = np.array(results["stage2.block0.first.gradient.sums"])
    wrong.flat[-1] += 1
    with pytest.raises(MismatchError, match=r"stage2\.block0\.first, gradient.*1 of \d+ results"):
        job.check(results | {"stage2.block0.first.gradient.sums": wrong})
    with pytest.raises(MismatchError, match="None results"):
        job.check(results | {"stage2.block0.first.forward.sums": None})


def test_operands_that_several_passes_read_are_stored_once() -> None:
    step = record(blocks=range(0, 1))
    job = make_job(PARAMETERS, step, step.convolutions, ResultForm.RAW)
    # two layers with activations, weights and errors each
    assert len(job.operands) == 6 and len(step.convolutions) == 6
