"""Measures jobs on a machine, beside the cycle model's prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fractrain.host.accelerator import Accelerator
from fractrain.host.machine.counters import Counters
from fractrain.host.modelling.predictions import predicted
from fractrain.host.simulation.programs import Job
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cycles import Prediction
from fractrain.sim.memory_model import MemoryModel

STALLS = ("operand", "result", "memory", "token")
"""Causes of stalls, as `Counters` and the cycle model name them."""

MEMORIES = ("ideal", "ddr")
"""How the memory behaves: 8 bytes per port and cycle with a short latency, or as the board's."""


def memory_model(name: str, parameters: Parameters) -> MemoryModel:
    """The memory ``name`` of `MEMORIES`, for the machine ``parameters``."""
    return MemoryModel.ideal() if name == "ideal" else MemoryModel.ddr(parameters)


@dataclass(frozen=True)
class Measured:
    """Counters of the RTL, and the cycle model's prediction for the same program."""

    counters: Counters
    predicted: Prediction

    @property
    def model_error(self) -> float:
        """Relative error of the predicted cycles."""
        return self.predicted.cycles / self.counters.cycles - 1


def measure(
    machine: Accelerator, job: Job, precisions: Mapping[int, Precision], memory: MemoryModel
) -> Measured:
    """Run ``job`` with ``precisions`` in its slots, compare its results, ask the cycle model."""
    before = machine.counters
    job.check(machine.run(job.program, job.operands, precisions))
    return Measured(machine.counters - before, predicted(job.program, precisions, memory))
