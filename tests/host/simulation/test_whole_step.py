"""Whole steps beside golden's, on the functional machine."""

from __future__ import annotations

import pytest

from fractrain.host.simulation.images import training_images
from fractrain.host.simulation.vector_machines import FUNCTIONAL, opened_vector_machine
from fractrain.host.simulation.whole_step import StepSetting, integer_options, simulate_whole_step
from fractrain.hw.contract.precision import Precision
from fractrain.sim.memory_model import MemoryModel
from tests.host.machine_step.trainers import ScriptedSelector
from tests.sim.cosim.vector_engine import P


@pytest.mark.parametrize("skipped", [0, 1])
def test_a_skipped_block_leaves_nothing_in_the_stash(skipped: int) -> None:
    """Golden's measuring step forms something in each block; what it takes beside the machine does
    not."""
    images = training_images("random", 4, 0)[:, :, :8, :8]
    bits = [Precision(4, 4, 6), Precision(8, 8, 8), Precision(3, 3, 6)]
    bits[skipped] = Precision(0, 0, 0)
    setting = StepSetting("resnet8", images, ScriptedSelector([bits]), 0, integer_options(None, 8))
    with opened_vector_machine(FUNCTIONAL, P, MemoryModel.ideal(), lambda _: None) as opened:
        simulated = simulate_whole_step(setting, opened.machine, lambda _: None)
    assert simulated.stash_bytes and Precision(0, 0, 0) in simulated.precisions
