"""The machine without its time: programs carried out command by command, in NumPy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.engine import EngineAccelerator, Outcome
from fractrain.host.compiler import Program
from fractrain.host.machine.counters import Counters
from fractrain.host.machine.vector_machine import StepLaunch, VectorMachine
from fractrain.host.machine.work import MachineWork
from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.functional import FunctionalMachine, FunctionalRun, RunResult

ANYTHING = 0xA5
"""Bytes of memory that nothing has written."""

MEMORY_BYTES = 1 << 30
"""Of memory for whole steps. Untouched pages cost nothing."""


class FunctionalAccelerator(EngineAccelerator):
    """`sim.functional` behind the accelerator's interface: the compiler's programs, without RTL.

    Counters have the cycles in which the array is busy, and bytes; no other cycles. Memory keeps
    what earlier programs left.
    """

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._image = np.zeros(0, np.uint8)
        if parameters.vector is not None:
            self.vector_machine = FunctionalVectorMachine(parameters)

    def _memory(self, program: Program) -> NDArray[np.uint8]:
        if len(self._image) < program.memory_bytes:
            self._image = np.full(program.memory_bytes, ANYTHING, np.uint8)
        return self._image[: program.memory_bytes]

    def _execute(
        self, program: Program, image: NDArray[np.uint8], precisions: Mapping[int, Precision]
    ) -> Outcome:
        machine = FunctionalMachine(self.parameters, image, base=program.base_address)
        for slot, precision in precisions.items():
            machine.table[slot] = precision
        result = machine.run(program.program_address, len(program.commands))
        return Outcome(image, result.beats, work_of(result))


class FunctionalVectorMachine(VectorMachine):
    """`sim.functional`, of ``parameters`` with a vector unit, for whole steps."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self._machine: FunctionalMachine | None = None
        self._image = np.zeros(0, np.uint8)
        self._running: FunctionalRun | None = None
        self._result: RunResult | None = None

    def memory(self, size: int) -> NDArray[np.uint8]:
        if size > MEMORY_BYTES:
            raise ParameterError("memory of the program", size, f"at most {MEMORY_BYTES} bytes")
        if not len(self._image):
            self._image = np.zeros(MEMORY_BYTES, np.uint8)
        return self._image[:size]

    def start(self, launch: StepLaunch) -> None:
        if self._machine is None:
            image = self.memory(MEMORY_BYTES)
            self._machine = FunctionalMachine(self.parameters, image, base=self.base_address)
        machine = self._machine
        for slot, each in enumerate(zip(launch.precisions, launch.kept, strict=True)):
            machine.table[slot], machine.kept[slot] = each
        machine.rounding = launch.seed, launch.step
        self._result = None
        self._running = machine.start(launch.address, launch.commands)

    def wait(self) -> bool:
        running = self._at_work()
        if running.until_token():
            return True
        self._running, self._result = None, running.result()
        return False

    def give(self, tokens: int) -> None:
        self._at_work().give(tokens)

    def stop(self) -> None:
        self._running = None

    @property
    def result(self) -> RunResult | None:
        """What the last program did; None while one is at work."""
        return self._result

    def _at_work(self) -> FunctionalRun:
        if self._running is None:
            raise MachineError("no program is at work")
        return self._running


def work_of(result: RunResult) -> MachineWork:
    """Of a program, as far as it is counted without cycles."""
    counted = {tag: _counters(result, tag) for tag in Tag}
    return MachineWork({tag: each for tag, each in counted.items() if each != Counters()}, 1)


def _counters(result: RunResult, tag: Tag) -> Counters:
    return Counters(
        busy_cycles=result.passes.get(tag, 0),
        bytes_in=result.bytes_read.get(tag, 0),
        bytes_out=result.bytes_written.get(tag, 0),
    )
