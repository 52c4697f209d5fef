"""The engine without its time, behind the accelerator's interface."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.engine import EngineAccelerator, Outcome
from fractrain.host.compiler import Program
from fractrain.host.machine.counters import Counters
from fractrain.host.machine.work import MachineWork
from fractrain.hw.contract.precision import Precision
from fractrain.sim.functional import FunctionalMachine


class EmulatedAccelerator(EngineAccelerator):
    """The engine without its time. Memory keeps what earlier programs left."""

    image = np.zeros(0, np.uint8)

    def _memory(self, program: Program) -> NDArray[np.uint8]:
        if len(self.image) < program.memory_bytes:
            self.image = np.full(program.memory_bytes, 0xA5, np.uint8)
        return self.image[: program.memory_bytes]

    def _execute(
        self, program: Program, image: NDArray[np.uint8], precisions: Mapping[int, Precision]
    ) -> Outcome:
        emulated = FunctionalMachine(self.parameters, image, base=program.base_address)
        for slot, precision in precisions.items():
            emulated.table[slot] = precision
        result = emulated.run(program.program_address, len(program.commands))
        passes = {tag: Counters(busy_cycles=busy) for tag, busy in result.passes.items()}
        return Outcome(image, result.beats, MachineWork(passes, programs=1))
