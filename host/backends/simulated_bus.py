"""Bus and clock of a co-simulation for the driver: registers, interrupt line, cycles."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fractrain.host.driver import Advice

if TYPE_CHECKING:
    from fractrain.sim.cosim.convolution import ConvolutionSimulation

__all__ = ["CycleClock", "SimulatedBus"]


class SimulatedBus:
    """The ports of ``machine``. Waiting stays in the compiled model.

    watch : called now and then while a program runs, with its cycles so far
    """

    advice = Advice(
        other_machine="this is no FracTrain engine",
        other_build="hardware and software were not generated together",
        no_interrupt="the engine's interrupt stays low",
        stuck="only a reset of the simulation ends that",
    )

    def __init__(
        self, machine: ConvolutionSimulation, watch: Callable[[int], None] | None = None
    ) -> None:
        self._machine, self._watch = machine, watch

    def read(self, address: int) -> int:
        return self._machine.read_register(address)

    def write(self, address: int, value: int) -> None:
        self._machine.write_register(address, value)

    def listen(self) -> None:
        """Nothing to do: the line is never masked."""

    def wait(self, cycles: float) -> bool:
        return self._machine.advance(int(cycles), watch=self._watch)

    def observed(self) -> str:
        sent = self._machine.sent()
        return (
            f"{sent.beats} result beats, {sum(sent.bytes_read)} bytes read, "
            f"{sum(sent.bytes_written)} written"
        )


class CycleClock:
    """The clock of ``machine``: cycles are counted one by one, and a program's limit is exact."""

    exact, real = True, False

    def __init__(self, machine: ConvolutionSimulation) -> None:
        self._machine, self._before = machine, 0
        self.hz = 1e6 * machine.parameters.clock_mhz

    def reset_machine(self) -> None:
        """Reset ``machine``, whose own count of cycles begins again; this one does not."""
        self._before += self._machine.cycles
        self._machine.reset()

    def now(self) -> int:
        return self._before + self._machine.cycles

    def sleep(self, cycles: float) -> None:
        self._machine.advance(int(cycles), until_interrupt=False)

    def patience(self, cycle_limit: int, watchdog_cycles: int) -> float:
        return cycle_limit

    def describe(self, cycles: float) -> str:
        return f"{cycles:.0f} cycles"

    def check(self) -> None:
        """It is the machine's own."""

    def check_pace(self, counted: int, elapsed: float) -> None:
        """It is the machine's own."""
