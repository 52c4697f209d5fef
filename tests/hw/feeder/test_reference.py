"""The reference itself: real patterns make the windows that a plain loop over the picture makes."""

from random import Random

import numpy as np
import pytest

from tests.hw.feeder.programs import CONVOLUTIONS, random_memory
from tests.hw.feeder.reference import Machine
from tests.hw.machines import machine


@pytest.mark.parametrize("spatial_bits", [1, 2])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_windows_of_convolutions(name: str, spatial_bits: int) -> None:
    parameters = machine(array__spatial_bits=spatial_bits, array__accumulator="behavioural")
    memory = random_memory(parameters, Random(1))
    tasks, wanted = CONVOLUTIONS[name].program(parameters, memory)
    reference = Machine(parameters, memory)
    windows = [each for task in tasks for each in reference.run(task.command, task.digits)]
    assert len(windows) == len(wanted)
    for window, rows in zip(windows, wanted, strict=True):
        assert window.known.all()
        assert np.array_equal(window.rows, rows)
