"""Accelerators with an engine behind the driver: co-simulation and boards."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.cycle_limit import launch
from fractrain.host.backends.driven_steps import DrivenVectorMachine, StepMemory
from fractrain.host.backends.engine import EngineAccelerator, Outcome
from fractrain.host.compiler import Program
from fractrain.host.driver import Driver
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.precision import Precision

__all__ = ["DrivenAccelerator"]


class DrivenAccelerator(EngineAccelerator):
    """Base of these backends. Each has a `driver`, and its own way to the machine's memory; whole
    steps have a part of that for themselves (`_take_steps`)."""

    @property
    @abstractmethod
    def driver(self) -> Driver:
        """The machine's driver."""

    @abstractmethod
    def _check(self, program: Program) -> None:
        """Raise `ParameterError` for a program that this machine or its memory cannot run."""

    @abstractmethod
    def _room(self, program: Program) -> NDArray[np.uint8]:
        """Where ``program`` is packed: if possible, the memory that the machine sees."""

    @abstractmethod
    def _written(self, program: Program) -> None:
        """Make the content of `_room` visible to the machine, from ``program.base_address`` on."""

    @abstractmethod
    def _read(self, program: Program) -> NDArray[np.uint8]:
        """The memory of ``program`` after its run; valid until the next `_room`."""

    def _beats(self, program: Program) -> NDArray[np.int64]:
        """What ``program`` has sent to the result port."""
        return np.zeros((0, self.parameters.results_per_beat), np.int64)

    def _take_steps(self, memory: StepMemory) -> None:
        """Whole steps are carried out in ``memory``."""
        self.vector_machine = DrivenVectorMachine(
            self.parameters, lambda: self.driver, memory, self._mended, self._count
        )

    def _mended(self) -> AbstractContextManager[None]:
        """In which the machine is accessed; it may mend what the driver could not."""
        return nullcontext()

    def _memory(self, program: Program) -> NDArray[np.uint8]:
        self._check(program)
        if self.vector_machine is not None:
            self.vector_machine.stop()  # a step that nobody has finished
        self.driver.require_idle()  # or it might still touch the memory
        return self._room(program)

    def _execute(
        self, program: Program, image: NDArray[np.uint8], precisions: Mapping[int, Precision]
    ) -> Outcome:
        self.driver.table.set(precisions)
        self._written(program)
        work = self.driver.execute(launch(program, precisions))
        return Outcome(self._read(program), self._beats(program), work)

    def _close(self) -> None:
        if self.vector_machine is not None:
            with suppress(MachineError):  # who opens the machine next stops it
                self.vector_machine.stop()
