"""The simulated engine with its driver: whole programs, and all that they leave behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.backends.simulated_bus import CycleClock, SimulatedBus
from fractrain.host.driver import Driver, Launch, Running
from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.cosim.stalls import BusStalls
from fractrain.sim.memory_model import MemoryModel


@dataclass(frozen=True)
class RunResult:
    """What a program did: `fractrain.host.driver.Run`, what the engine counted, and
    `fractrain.sim.cosim.convolution.Sent`."""

    cycles: int
    counters: Mapping[Tag, Mapping[str, int]]
    port: NDArray[np.int64]
    port_last: NDArray[np.bool_]
    port_beats: int
    bytes_read: tuple[int, ...]
    bytes_written: tuple[int, ...]


class DrivenSimulation(ConvolutionSimulation):
    """Runs programs; ``watch`` as `SimulatedBus` has it."""

    def __init__(
        self, parameters: Parameters, watch: Callable[[int], None] | None = None, **options: Any
    ) -> None:
        super().__init__(parameters, **options)
        self.driver = Driver(SimulatedBus(self, watch), CycleClock(self), parameters)

    def run(
        self,
        address: int,
        commands: int,
        *,
        cycle_limit: int,
        collect_port: int | None = 0,
        window: tuple[int, int] | None = None,
        model: MemoryModel = MemoryModel(),  # noqa: B008  immutable
        stalls: BusStalls = BusStalls(),  # noqa: B008  immutable
        seed: int = 0,
    ) -> RunResult:
        """Run ``commands`` commands at ``address`` to their end; raises as `Driver.run` does."""
        self.configure(model, stalls, seed)
        return self.finish(
            self.start(
                address,
                commands,
                cycle_limit=cycle_limit,
                collect_port=collect_port,
                window=window,
            )
        )

    def start(
        self,
        address: int,
        commands: int,
        *,
        cycle_limit: int,
        collect_port: int | None = 0,
        window: tuple[int, int] | None = None,
    ) -> Running:
        """Start a program, which may touch the whole memory unless there is a ``window``."""
        everything = self.base_address, self.base_address + len(self.memory) - 1
        launch = Launch(address, commands, window or everything, cycle_limit)
        self.collect(collect_port)
        return self.driver.start(launch)

    def finish(self, running: Running) -> RunResult:
        """Wait for its end."""
        ended, sent = self.driver.finish(running), self.sent()
        return RunResult(
            int(ended.elapsed),
            self.driver.registers.counters(),
            sent.results,
            sent.last,
            sent.beats,
            sent.bytes_read,
            sent.bytes_written,
        )
