"""The cycle model against the RTL, program by program, on the tiny machine."""

from collections.abc import Iterator

import numpy as np
import pytest

from fractrain.host.backends.cosim import CosimAccelerator
from fractrain.host.simulation.measuring import STALLS, measure
from fractrain.host.simulation.programs import ResultForm, make_job
from fractrain.host.simulation.step import TrainingStep, record_training_step
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.memory_model import MemoryModel

PARAMETERS = load_parameters("tiny")
MODELS = {"ideal": MemoryModel.ideal(), "ddr": MemoryModel.ddr(PARAMETERS)}


@pytest.fixture(scope="module", params=MODELS)
def machine(request: pytest.FixtureRequest) -> Iterator[tuple[CosimAccelerator, MemoryModel]]:
    model = MODELS[request.param]
    with CosimAccelerator(PARAMETERS, memory=model) as opened:
        assert isinstance(opened, CosimAccelerator)
        yield opened, model


def record(precision: str) -> TrainingStep:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32), dtype=np.uint8)
    return record_training_step(
        "resnet8", images, PARAMETERS, Precision.parse(precision), seed=0, blocks=range(1, 3)
    )


@pytest.mark.parametrize("form", ResultForm)
@pytest.mark.parametrize("precision", ["4,4,6", "2,1,3"])
def test_whole_steps(
    machine: tuple[CosimAccelerator, MemoryModel], form: ResultForm, precision: str
) -> None:
    """Two residual blocks, all passes, within 1 % of all cycles; busy cycles and bytes exact."""
    accelerator, model = machine
    training = record(precision)
    job = make_job(PARAMETERS, training, training.convolutions, form)
    measured = measure(accelerator, job, training.table, model)
    found, predicted = measured.counters, measured.predicted
    assert predicted.total("BUSY") == found.busy_cycles
    assert predicted.total("BYTES_READ") == found.bytes_in
    assert predicted.total("BYTES_WRITTEN") == found.bytes_out
    errors = {"cycles": predicted.cycles - found.cycles}
    for name in STALLS:
        errors[name] = predicted.total(f"STALL_{name.upper()}") - getattr(found, f"stall_{name}")
    relative = {name: round(100 * error / found.cycles, 2) for name, error in errors.items()}
    assert max(map(abs, relative.values())) <= 1, f"{relative} {found}"


def test_a_skipped_step_costs_next_to_nothing(
    machine: tuple[CosimAccelerator, MemoryModel],
) -> None:
    accelerator, model = machine
    training = record("4,4,6")
    job = make_job(PARAMETERS, training, training.convolutions, ResultForm.RAW)
    skipped = {slot: Precision(0, 0, 0) for slot in training.table}
    before = accelerator.counters
    accelerator.run(job.program, job.operands, skipped)
    cost = accelerator.counters - before
    assert cost.busy_cycles == 0 and cost.bytes_out == 0
    # the command stream is read, and that is all
    assert cost.bytes_in == len(job.program.commands) * 32
    assert cost.cycles < 8 * len(job.program.commands) + 500
