"""Bus and clock of a board for the driver: registers and interrupt by UIO, the processor's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fractrain.host.board.clock import ClockChanged
from fractrain.host.board.node import interrupts, node_name
from fractrain.host.board.system import System, UioDevice
from fractrain.host.driver import Advice
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.targets.target import Ports

__all__ = ["BoardBus", "BoardClock"]

LATENCY_SECONDS = 0.25
"""From an interrupt until a sleeping process notices it, on a board with other work."""

CYCLES_MARGIN = 4
PACE_TOLERANCE = 0.02
"""Relative tolerance between two clocks that are compared."""

SHORT_SECONDS = 0.01


@contextmanager
def _interrupt_needed(ports: Ports) -> Iterator[None]:
    """Linux answers EIO where the device tree gives the device no interrupt."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"the UIO device has no interrupt ({error.strerror}): the node {node_name(ports)} "
            f"needs {interrupts(ports)} and interrupt-parent (board/zynq/registers.dtsi)"
        ) from error


class BoardBus:
    """The UIO device ``uio`` of a machine clocked at ``clock_hz``, connected by ``ports``."""

    def __init__(self, uio: UioDevice, clock_hz: float, ports: Ports) -> None:
        self._uio, self._hz, self._ports = uio, clock_hz, ports
        self.advice = Advice(
            other_machine="another bitstream is loaded, or the registers are not at "
            f"0x{ports.registers_address:08x}; load ours: fractrain board load",
            other_build="the FPGA runs another build than the one installed; load that one: "
            "fractrain board load",
            no_interrupt="the line from the FPGA to Linux is broken; the device tree must say "
            f"{interrupts(ports)}, and /proc/interrupts counts what arrives under 'fractrain'",
            stuck="the board needs a power cycle: a bitstream that is loaded now would find HP "
            "ports that wait",
        )

    def read(self, address: int) -> int:
        return self._uio.words.read(address)

    def write(self, address: int, value: int) -> None:
        self._uio.words.write(address, value)

    def listen(self) -> None:
        with _interrupt_needed(self._ports):
            self._uio.enable()

    def wait(self, cycles: float) -> bool:
        with _interrupt_needed(self._ports):
            return self._uio.wait(cycles / self._hz)

    def observed(self) -> str:
        return ""


class BoardClock:
    """The clock of ``system``, in cycles of a machine at ``hz``.

    check : raises `ClockChanged` if FCLK0 is not as set
    """

    exact = False

    def __init__(self, system: System, hz: float, check: Callable[[], None] = lambda: None) -> None:
        self._system, self.hz, self._check = system, hz, check
        self.real = not system.simulated

    def now(self) -> float:
        return self._system.now() * self.hz

    def sleep(self, cycles: float) -> None:
        self._system.sleep(cycles / self.hz)

    def patience(self, cycle_limit: int, watchdog_cycles: int) -> float:
        return CYCLES_MARGIN * cycle_limit + 2 * watchdog_cycles + LATENCY_SECONDS * self.hz

    def describe(self, cycles: float) -> str:
        seconds = cycles / self.hz
        return f"{seconds:.2f} s" if seconds >= SHORT_SECONDS else f"{1e3 * seconds:.2g} ms"

    def check(self) -> None:
        self._check()

    def check_pace(self, counted: int, elapsed: float) -> None:
        """Needs no rights. It finds only a clock that is too fast, with which results may be wrong.
        (A slow one looks like a processor that was late.)"""
        if counted <= elapsed * (1 + PACE_TOLERANCE):
            return
        seconds, mhz = elapsed / self.hz, 1e-6 * self.hz
        raise ClockChanged(
            f"the machine counted {counted:,} cycles within {1e6 * seconds:.0f} microseconds: "
            f"FCLK0 is at {mhz * counted / elapsed:.4g} MHz at least, the bitstream is made "
            f"for {mhz:g} MHz, and what was computed is not used; `sudo fractrain board "
            "load` sets it"
        )
