"""Programs on the cycle model, where they lie in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fractrain.host.compiler import Program
from fractrain.hw.contract.precision import Precision

if TYPE_CHECKING:
    from fractrain.sim.cycles import Prediction
    from fractrain.sim.memory_model import MemoryModel


def predicted(
    program: Program, precisions: Mapping[int, Precision], memory: MemoryModel
) -> Prediction:
    """The cycle model's prediction for ``program`` with ``precisions`` in its slots."""
    from fractrain.sim.cycles import predict

    return predict(
        program.parameters,
        program.decoded,
        precisions,
        memory,
        program_address=program.program_address,
    )


def predict_program(
    program: Program, precisions: Mapping[int, Precision], memory: str
) -> tuple[int, int, int]:
    """Cycles, busy cycles and bytes (both ways) with the ``memory`` of `step_programs.MEMORIES`."""
    cycles, busy, read, written = predict_traffic(program, precisions, memory)
    return cycles, busy, read + written


def predict_traffic(
    program: Program, precisions: Mapping[int, Precision], memory: str
) -> tuple[int, int, int, int]:
    """As `predict_program`; bytes read and bytes written apart."""
    from fractrain.sim.memory_model import MemoryModel

    ddr = memory == "ddr"
    model = MemoryModel.ddr(program.parameters) if ddr else MemoryModel.ideal()
    found = predicted(program, precisions, model)
    read, written = found.total("BYTES_READ"), found.total("BYTES_WRITTEN")
    return found.cycles, found.total("BUSY"), read, written
