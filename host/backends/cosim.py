"""The generated machine itself, simulated: every integer comes out of the RTL."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from fractrain.gen.build_hash import build_hash, hash_register
from fractrain.host.backends.cycle_limit import cycle_limit, port_beats
from fractrain.host.backends.engine import EngineAccelerator, Outcome
from fractrain.host.compiler import Program
from fractrain.host.machine_work import program_work
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.installation import needs_extra
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import BUILD_HASH, ID, IDENTITY
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.cosim.waveform import Waveform
from fractrain.sim.memory_model import MemoryModel

MEMORY_BYTES = 1 << 30
"""Of the simulated memory. Pages that no program touches cost nothing."""


class CosimAccelerator(EngineAccelerator):
    """The convolution engine of ``parameters`` under Verilator, behind the accelerator's interface.

    Opening compiles it, unless an earlier run has. ``memory`` says how its memory behaves;
    ``waveform`` and ``watch`` are those of `ConvolutionSimulation`.

    Raises `MissingToolError` if a compiler or a package is missing, `MachineError` if the machine
    stops; it has been reset then and takes the next call.
    """

    measured_as = "RTL cycles"

    def __init__(
        self,
        parameters: Parameters,
        memory: MemoryModel | None = None,
        *,
        waveform: Waveform | None = None,
        watch: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__(parameters)
        self._model = memory or MemoryModel.ideal()
        with needs_extra("hardware"):
            self._machine = ConvolutionSimulation(
                parameters, memory_bytes=MEMORY_BYTES, waveform=waveform, watch=watch
            )
        self._check_identity()

    @property
    def clock_cycles(self) -> int:
        """Cycles of the clock since it was opened, between programs, too."""
        return self._machine.cycles

    def _check_identity(self) -> None:
        identity = self._machine.read_register(ID)
        if identity != IDENTITY:
            raise MachineError(
                f"register ID reads 0x{identity:08X} instead of 0x{IDENTITY:08X}: "
                "this is no FracTrain engine"
            )
        expected = hash_register(build_hash(self.parameters))
        found = self._machine.read_register(BUILD_HASH)
        if found != expected:
            raise MachineError(
                f"register BUILD_HASH reads 0x{found:08X}, the configuration makes "
                f"0x{expected:08X}: hardware and software were not generated together"
            )

    def _execute(
        self, program: Program, image: NDArray[np.uint8], precisions: Mapping[int, Precision]
    ) -> Outcome:
        machine, first = self._machine, program.base_address
        if first + len(image) > len(machine.memory):
            raise ParameterError(
                "memory of the program",
                first + len(image),
                f"at most {len(machine.memory)} bytes; run fewer steps or images at a time",
            )
        for slot, precision in precisions.items():
            machine.write_precision(slot, precision)
        memory = machine.memory[first : first + len(image)]
        memory[:] = image
        try:
            result = machine.run(
                program.program_address,
                len(program.commands),
                cycle_limit=cycle_limit(program, precisions),
                collect_port=port_beats(program),
                model=self._model,
            )
        except MachineError:
            machine.reset()
            raise
        work = program_work(result.counters, cycles=result.cycles)
        return Outcome(memory, result.port, work)

    def _close(self) -> None:
        self._machine.close()
