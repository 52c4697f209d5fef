"""The generated machine, simulated: every integer comes out of the RTL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from fractrain.gen.build_hash import build_hash, hash_register
from fractrain.host.backends.cycle_limit import port_beats
from fractrain.host.backends.driven import DrivenAccelerator
from fractrain.host.backends.driven_steps import StepMemory, first_of_steps
from fractrain.host.backends.engine import Outcome
from fractrain.host.backends.simulated_bus import CycleClock, SimulatedBus
from fractrain.host.compiler import Program
from fractrain.host.driver import Driver
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.installation import needs_extra
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.cosim.waveform import Waveform
from fractrain.sim.memory_model import MemoryModel

MEMORY_BYTES = 1 << 30
"""Bytes of the simulated memory. Untouched pages cost nothing."""


class SimulatedStepMemory(StepMemory):
    """The memory of ``machine`` from byte ``first`` on: nothing is between it and the host."""

    def __init__(self, machine: ConvolutionSimulation, first: int) -> None:
        self._memory = machine.memory[first:]
        self.address, self.size = machine.base_address + first, len(self._memory)

    def data(self, size: int) -> NDArray[np.uint8]:
        return self._memory[:size]


class CosimAccelerator(DrivenAccelerator):
    """The convolution engine of ``parameters`` under Verilator, behind the accelerator's interface.

    Opening compiles it, unless an earlier run has. ``memory`` is the model of its memory,
    ``waveform`` records its signals (`ConvolutionSimulation`), ``watch`` is called now and then
    while a program runs, with its cycles so far.

    Raises `MissingToolError` if a compiler or a package is missing, `MachineError` if the machine
    stops; the machine is then reset and takes the next call.
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
        with needs_extra("hardware"):
            self._machine = ConvolutionSimulation(
                parameters, memory_bytes=MEMORY_BYTES, waveform=waveform
            )
        self._machine.configure(memory or MemoryModel.ideal())
        bus = SimulatedBus(self._machine, watch)
        self._clock = CycleClock(self._machine)
        self._driver = Driver(bus, self._clock, parameters)
        self._driver.identify(hash_register(build_hash(parameters)), "the configuration")
        self._programs_end = len(self._machine.memory)
        if parameters.vector is not None:
            self._programs_end = first_of_steps(self._programs_end)
            self._take_steps(SimulatedStepMemory(self._machine, self._programs_end))

    @property
    def clock_cycles(self) -> int:
        """Cycles of the clock since it was opened, between programs, too."""
        return self._clock.now()

    @property
    def driver(self) -> Driver:
        return self._driver

    def _memory(self, program: Program) -> NDArray[np.uint8]:
        with self._mended():
            return super()._memory(program)

    def _execute(
        self, program: Program, image: NDArray[np.uint8], precisions: Mapping[int, Precision]
    ) -> Outcome:
        with self._mended():
            return super()._execute(program, image, precisions)

    @contextmanager
    def _mended(self) -> Iterator[None]:
        try:
            yield
        except MachineError:
            # the driver could not mend it: a broken rule, memory that does not answer
            self._clock.reset_machine()
            self._driver.table.forget()
            raise

    def _check(self, program: Program) -> None:
        end = program.base_address + program.memory_bytes
        if end > self._programs_end:
            raise ParameterError(
                "memory of the program",
                end,
                f"at most {self._programs_end} bytes; run fewer steps or images at a time",
            )

    def _room(self, program: Program) -> NDArray[np.uint8]:
        return self._read(program)

    def _written(self, program: Program) -> None:
        self._machine.collect(port_beats(program))

    def _read(self, program: Program) -> NDArray[np.uint8]:
        first = program.base_address
        return self._machine.memory[first : first + program.memory_bytes]

    def _beats(self, program: Program) -> NDArray[np.int64]:
        return self._machine.sent().results

    def _close(self) -> None:
        super()._close()
        self._machine.close()
