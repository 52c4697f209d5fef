"""A step as one program: the convolutions that training really asks for."""

import numpy as np
import pytest

from fractrain.host.graph.choice import fixed_choices
from fractrain.host.modelling.predictions import predict_program, predicted
from fractrain.host.modelling.step_programs import training_program
from fractrain.host.simulation.measuring import memory_model
from fractrain.host.simulation.programs import ResultForm, make_job
from fractrain.host.simulation.step import record_training_step
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass, Precision
from tests.host.modelling.steps import SKIP, layers_step, resnet8_step

PARAMETERS = load_parameters("zc706")
BITS = Precision(4, 3, 6)


def test_blocks_of_one_precision_share_a_slot() -> None:
    step = layers_step(3)
    program, slots = training_program(PARAMETERS, step, fixed_choices([BITS, SKIP, BITS]), "port")
    assert list(slots.values()) == [Precision(8, 8, 8), BITS, SKIP]
    assert [each.slot for each in program.steps] == [1, 2, 1, 1, 1, 2, 2, 1, 1]
    assert [each.pass_ for each in program.steps[3:]] == [Pass.GRADIENT, Pass.ERROR] * 3
    with pytest.raises(ParameterError, match="choices: got 2, allowed: 3"):
        training_program(PARAMETERS, step, fixed_choices([BITS, SKIP]), "port")


@pytest.mark.parametrize("memory", ["port", "ddr"])
def test_the_program_costs_what_recorded_training_costs(memory: str) -> None:
    """Array time and bytes are those of a step that the golden model recorded."""
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16), dtype=np.uint8)
    recorded = record_training_step("resnet8", images, PARAMETERS, BITS, seed=0)
    form = ResultForm.PORT if memory == "port" else ResultForm.PLANES
    job = make_job(PARAMETERS, recorded, recorded.convolutions, form)
    model = memory_model("ideal" if memory == "port" else "ddr", PARAMETERS)
    wanted = predicted(job.program, recorded.table, model)
    step = resnet8_step((2, 3, 16, 16))
    program, slots = training_program(PARAMETERS, step, fixed_choices([BITS] * 3), memory)
    cycles, busy, moved = predict_program(program, slots, memory)
    assert busy == wanted.total("BUSY")
    assert moved == wanted.total("BYTES_READ") + wanted.total("BYTES_WRITTEN")
    # where tensors lie in memory differs, and with it whose burst is whose turn
    assert cycles == pytest.approx(wanted.cycles, rel=0.002)
