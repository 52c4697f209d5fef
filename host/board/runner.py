"""One program on the machine: start it, wait for its interrupt, say what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fractrain.host.board.registers import EngineRegisters
from fractrain.host.board.system import System, UioDevice
from fractrain.host.machine_work import CYCLE_CAUSES
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.registers import (
    CAUSE,
    CLEAR_COUNTERS,
    CONTROL,
    DONE,
    DRAINING,
    FAULT,
    FAULT_INDEX,
    IDLE,
    INTERRUPT,
    INTERRUPT_ENABLE,
    INTERRUPT_ENABLED,
    INTERRUPT_PENDING,
    PROGRAM_ADDRESS,
    PROGRAM_COMMANDS,
    RESET,
    START,
    STATUS,
    WATCHDOG,
    WINDOW_FIRST,
    WINDOW_LAST,
)

__all__ = ["ProgramRunner"]

WATCHDOG_CYCLES = 1 << 20
"""For an answer of memory, as after a reset; the machine stops by itself before we give up."""

LATENCY_SECONDS = 0.25
"""Until a process that sleeps has noticed an interrupt, on a board that does something else too."""

CYCLES_MARGIN = 4
RESET_POLLS = 20
RESET_POLL_SECONDS = 2e-5
"""Memory answers within microseconds, if at all. Counted, not timed: a process that was not
scheduled meanwhile has not waited."""

POWER_CYCLE = (
    "the board needs a power cycle: a bitstream that is loaded now would find HP ports that wait"
)


@contextmanager
def _interrupt_needed() -> Iterator[None]:
    """Linux answers EIO where the device tree gives the device no interrupt."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"the UIO device has no interrupt ({error.strerror}): the node fractrain@40000000 "
            "needs interrupts = <0 29 4> and interrupt-parent (board/zc706)"
        ) from error


class ProgramRunner:
    """Runs programs through registers and interrupt; nothing in it waits without a limit.

    ``check_clock`` is called before a program and after it, each time before a register is
    accessed: it raises `MachineError` where that might never be answered, or what was computed
    is not to be trusted.
    """

    def __init__(
        self,
        system: System,
        registers: EngineRegisters,
        uio: UioDevice,
        clock_hz: float,
        *,
        check_clock: Callable[[], None] = lambda: None,
    ) -> None:
        self._system, self._registers, self._uio = system, registers, uio
        self._clock_hz, self._check_clock = clock_hz, check_clock

    def run(self, address: int, commands: int, window: tuple[int, int], cycle_limit: int) -> float:
        """Run ``commands`` commands at ``address``; seconds from START to the interrupt.

        ``window``: first and last byte that the machine may touch. Raises `EngineFault` if the
        machine stops, `MachineError` if the program does not end in time (four times
        ``cycle_limit`` cycles, and what memory and Linux may take) or its interrupt does not come;
        the machine has been reset then.
        """
        self._check_clock()
        self._prepare(address, commands, window)
        began = self._system.now()
        self._registers.write(CONTROL, START.insert(1))
        try:
            came = self._wait(began + self.timeout_s(cycle_limit))
        except BaseException:  # an interruption, too: the buffer may be given away next
            self._check_clock()
            self.reset()
            raise
        seconds = self._system.now() - began
        self._check_clock()
        status = self._registers.read(STATUS)
        self._registers.write(INTERRUPT, INTERRUPT_PENDING.insert(1))
        if came and DONE.extract(status) and not FAULT.extract(status):
            return seconds
        error = self._failure(came, status, seconds)
        if trouble := self.reset():
            raise MachineError(f"{error}; {trouble}") from error
        raise error

    def require_idle(self) -> None:
        """Raise `MachineError` while the machine may still touch the buffer."""
        status = self._registers.read(STATUS)
        if not IDLE.extract(status) or DRAINING.extract(status):
            raise MachineError(
                f"the machine is not idle (STATUS 0x{status:08X}): memory owes answers to an "
                f"earlier program; {POWER_CYCLE}"
            )

    def timeout_s(self, cycle_limit: int) -> float:
        """How long a program may take whose cycles are bounded by ``cycle_limit``."""
        cycles = CYCLES_MARGIN * cycle_limit + 2 * WATCHDOG_CYCLES
        return cycles / self._clock_hz + LATENCY_SECONDS

    def _prepare(self, address: int, commands: int, window: tuple[int, int]) -> None:
        """Everything but START, with no interrupt of before left anywhere."""
        for register, value in (
            (WATCHDOG, WATCHDOG_CYCLES),
            (WINDOW_FIRST, window[0]),
            (WINDOW_LAST, window[1]),
            (PROGRAM_ADDRESS, address),
            (PROGRAM_COMMANDS, commands),
            (INTERRUPT, INTERRUPT_PENDING.insert(1)),
            (INTERRUPT_ENABLE, INTERRUPT_ENABLED.insert(1)),
            (CONTROL, CLEAR_COUNTERS.insert(1)),
        ):
            self._registers.write(register, value)
        self._arm()

    def _arm(self) -> None:
        """Forget interrupts that have been counted, then let the next one through."""
        self._interrupted(0.0)
        self.let_through()

    def let_through(self) -> None:
        """Let the next interrupt through."""
        with _interrupt_needed():
            self._uio.enable()

    def _interrupted(self, timeout_s: float) -> bool:
        with _interrupt_needed():
            return self._uio.wait(timeout_s)

    def stays_quiet(self, seconds: float) -> bool:
        """Whether no interrupt comes for so long, although one would be let through."""
        self.let_through()
        return not self._interrupted(seconds)

    def _wait(self, deadline: float) -> bool:
        """Whether the program's interrupt came; others that come are let pass."""
        while True:
            if not self._interrupted(max(0.0, deadline - self._system.now())):
                return False
            self._check_clock()
            status = self._registers.read(STATUS)
            if DONE.extract(status) or FAULT.extract(status):
                return True
            self.let_through()
            if self._system.now() >= deadline:
                return False

    def _failure(self, came: bool, status: int, seconds: float) -> MachineError:
        if FAULT.extract(status):
            index = self._registers.read(FAULT_INDEX)
            return EngineFault(CAUSE.extract(status), index, self.counted_cycles())
        if DONE.extract(status) and not came:
            return MachineError(
                f"the program has ended (STATUS 0x{status:08X}) but no interrupt came within "
                f"{seconds:.2f} s: the line from the FPGA to Linux is broken; the device tree must "
                "say interrupts = <0 29 4>, and /proc/interrupts counts what arrives under "
                "'fractrain'"
            )
        return MachineError(
            f"no end within {seconds:.2f} s: STATUS 0x{status:08X}, {self._activity()}"
        )

    def counted_cycles(self) -> int:
        """Cycles of the program so far, by the machine's counters."""
        counters = self._registers.counters().values()
        return sum(each[name] for each in counters for name in CYCLE_CAUSES)

    def _activity(self) -> str:
        """The counters that are not 0."""
        shown = [
            f"{tag.name}_{name} {value}"
            for tag, counters in self._registers.counters().items()
            for name, value in counters.items()
            if value
        ]
        return "counters: " + (", ".join(shown) or "all 0")

    def reset(self) -> str:
        """Stop the machine and wait until its ports are quiet; '' or what is wrong if they are
        not within their time."""
        self._registers.write(CONTROL, RESET.insert(1))
        for _ in range(RESET_POLLS):
            status = self._registers.read(STATUS)
            if IDLE.extract(status) and not DRAINING.extract(status):
                return ""
            self._system.sleep(RESET_POLL_SECONDS)
        return (
            f"not idle {1e3 * RESET_POLLS * RESET_POLL_SECONDS:g} ms after a reset (STATUS "
            f"0x{status:08X}): memory owes answers, so the buffer must not be touched; "
            f"{POWER_CYCLE}"
        )
