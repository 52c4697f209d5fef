"""A recorded training step: all its convolutions, with the operands that training gave them."""

import numpy as np
import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.simulation.programs import ResultForm, make_job
from fractrain.host.simulation.step import (
    TrainingStep,
    geometry_text,
    parse_blocks,
    record_training_step,
    useful_bit_products,
)
from fractrain.hw.contract.errors import MismatchError, ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision

PARAMETERS = load_parameters("tiny")


def record(**options: object) -> TrainingStep:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16), dtype=np.uint8)
    return record_training_step(
        "resnet8", images, PARAMETERS, Precision(4, 3, 6), seed=0, **options
    )


def test_every_layer_in_every_pass() -> None:
    step = record()
    calls = {(call.name, call.pass_): call for call in step.calls}
    layers = 1 + 3 * 2 + 2
    # nothing comes before the first convolution: it has no error pass
    assert len(calls) == len(step.calls) == 3 * layers - 1
    assert ("first", Pass.ERROR) not in calls
    call = calls["stage2.block0.first", Pass.ERROR]
    assert call.kernels == (64, 32, 3, 3) and call.size == (8, 8) and call.stride == 2
    assert call.bits == (6, 3) and call.result.shape == (2, 32, 8, 8)
    assert geometry_text(call) == "32 -> 64, 3x3/2, 8x8"
    for pass_ in Pass:
        # the same multiply-accumulates in every pass
        assert calls["stage2.block0.first", pass_].macs == 2 * 4 * 4 * 64 * 32 * 9
    assert useful_bit_products(call) == call.macs * 18


def test_layers_outside_the_blocks_have_a_slot_of_their_own() -> None:
    step = record()
    assert step.precisions[step.slots["first"]] == Precision(8, 8, 8)
    assert step.precisions[step.slots["stage1.block0.shortcut"]] == Precision(8, 8, 8)
    assert step.precisions[step.slots["stage1.block0.first"]] == Precision(4, 3, 6)
    assert record(uniform=True).precisions == [Precision(4, 3, 6)]


def test_blocks() -> None:
    assert parse_blocks("0..2") == range(3) and parse_blocks("1") == range(1, 2)
    names = {call.name for call in record(blocks=range(1, 2)).calls}
    assert names == {f"stage1.block0.{layer}" for layer in ("first", "second", "shortcut")}
    for text in ("", "a", "2..1", "-1", "1..", "1..2..3"):
        with pytest.raises(ParameterError, match="blocks"):
            parse_blocks(text)


@pytest.mark.parametrize("form", ResultForm)
def test_a_job_finds_one_wrong_result(form: ResultForm) -> None:
    step = record(blocks=range(2, 3))
    job = make_job(PARAMETERS, step, step.calls, form)
    with open_accelerator("golden", PARAMETERS) as golden:
        results = golden.run(job.program, job.operands, dict(enumerate(step.precisions)))
    job.check(results)
    wrong = np.array(results["result3"])
    wrong.flat[-1] += 1
    with pytest.raises(MismatchError, match=r"stage2\.block0\.\w+, gradient.*1 of \d+ results"):
        job.check(results | {"result3": wrong})
    with pytest.raises(MismatchError, match="None results"):
        job.check(results | {"result0": None})


def test_operands_that_several_passes_read_are_stored_once() -> None:
    step = record(blocks=range(0, 1))
    job = make_job(PARAMETERS, step, step.calls, ResultForm.RAW)
    # two layers with activations, weights and errors each
    assert len(job.operands) == 6 and len(step.calls) == 6
