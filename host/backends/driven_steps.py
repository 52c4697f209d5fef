"""Whole steps on an engine behind the driver: co-simulation and boards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
from numpy.typing import NDArray

from fractrain.host.driver import Driver, Launch, Running
from fractrain.host.machine.vector_machine import Counts, StepLaunch, VectorMachine
from fractrain.host.machine.work import MachineWork
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.numerics import UPDATE_LEAST_SHIFT
from fractrain.hw.contract.parameters import Parameters

__all__ = ["DrivenVectorMachine", "StepMemory", "first_of_steps"]

PAGE_BYTES = 4096
PROGRAMS_SHARE = 4
"""Convolutions that go layer by layer have a quarter of the memory: they do not disturb what whole
steps keep there, the program and the weights."""


def first_of_steps(size: int) -> int:
    """First byte of the part for whole steps of a memory of ``size`` bytes."""
    return size // PROGRAMS_SHARE // PAGE_BYTES * PAGE_BYTES


class StepMemory(ABC):
    """The part of a machine's memory that whole steps have: ``size`` bytes from ``address`` on."""

    address: int
    size: int

    @abstractmethod
    def data(self, size: int) -> NDArray[np.uint8]:
        """The first ``size`` bytes, as the host sees them."""

    def written(self, first: int, count: int) -> None:  # noqa: B027  nothing to do without caches
        """Make what the host has written to ``count`` bytes from ``first`` on visible to the
        machine."""

    def seen(self, first: int, count: int) -> None:  # noqa: B027
        """Make what the machine has written there visible to the host."""


class DrivenVectorMachine(VectorMachine):
    """The engine of ``parameters`` with a vector unit, for whole steps.

    driver : gives the machine's driver, or raises `MachineError` if there is none
    memory : its part for whole steps
    mended : context in which the machine is accessed; may mend what the driver could not
    count : is told the work of each program that has ended
    """

    least_update_shift = UPDATE_LEAST_SHIFT

    def __init__(
        self,
        parameters: Parameters,
        driver: Callable[[], Driver],
        memory: StepMemory,
        mended: Callable[[], AbstractContextManager[None]],
        count: Callable[[MachineWork], None],
    ) -> None:
        self.parameters, self.base_address = parameters, memory.address
        self._driver, self._memory = driver, memory
        self._mended, self._count = mended, count
        self._running: Running | None = None
        self._counts: Counts | None = None

    def memory(self, size: int) -> NDArray[np.uint8]:
        if size > self._memory.size:
            allowed = f"at most {self._memory.size:,} bytes, the memory's part for whole steps"
            raise ParameterError("memory of a whole step", f"{size:,} bytes", allowed)
        return self._memory.data(size)

    def written(self, first: int, count: int) -> None:
        self._memory.written(first, count)

    def seen(self, first: int, count: int) -> None:
        self._memory.seen(first, count)

    def start(self, launch: StepLaunch) -> None:
        self._counts = None
        window = self.base_address, self.base_address + launch.memory_bytes - 1
        with self._mended():
            driver = self._driver()
            driver.require_idle()
            driver.table.set(dict(enumerate(launch.precisions)), dict(enumerate(launch.kept)))
            driver.set_rounding(launch.seed, launch.step)
            self._running = driver.start(Launch(launch.address, launch.commands, window, None))

    def wait(self) -> bool:
        with self._at_work() as (driver, running):
            ended = driver.meet(running)
            if ended is None:
                return True
            counts = driver.registers.counters()
            work = driver.measure(ended, counts)
        self._running, self._counts = None, counts
        self._count(work)
        return False

    def give(self, tokens: int) -> None:
        with self._at_work() as (driver, _):
            driver.give(tokens)

    def stop(self) -> None:
        if self._running is not None:
            self._running = None
            with self._mended():
                self._driver().stop()

    @property
    def counts(self) -> Counts | None:
        return self._counts

    @contextmanager
    def _at_work(self) -> Iterator[tuple[Driver, Running]]:
        """The driver and its program, which is over if anything goes wrong."""
        if self._running is None:
            raise MachineError("no program is at work")
        try:
            with self._mended():
                yield self._driver(), self._running
        except BaseException:
            self._running = None
            raise
