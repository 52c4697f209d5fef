"""The FPGA of a simulated board: the generated RTL, the clock it gets, and the time that passes.

Time is simulated time: nothing waits for the wall clock.
"""

from __future__ import annotations

from collections.abc import Collection

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import DRAINING, IDLE, STATUS
from fractrain.sim.board.hang import BusHang
from fractrain.sim.board.slcr import SlcrModel
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.cosim.convolution_faults import BusFaults, ErrorRegion
from fractrain.sim.memory_model import MemoryModel

__all__ = ["Fpga"]

FIRST_CHUNK_CYCLES, CHUNK_CYCLES = 1 << 6, 1 << 16
"""Between two checks whether the machine is idle."""

CLOCK_TOLERANCE = 1e-3
FASTER = 1.25
"""FCLK0 changed by another driver: a divider less at 200 MHz. The design still answers."""


class Fpga:
    """A machine with ``parameters`` in an FPGA, which is empty at first.

    injected : what is wrong with the board (`sim.board.INJECTIONS`); read at each use
    engine : the RTL with its memory, ``memory_bytes`` from ``base_address`` on, which behaves as
        ``memory`` says
    slcr : the registers of the processor system that decide whether the FPGA answers
    running : whether a program was at work when time last passed. For the sensor, which another
        thread reads: it must not touch the engine
    """

    def __init__(
        self,
        parameters: Parameters,
        injected: Collection[str],
        *,
        memory_bytes: int,
        base_address: int,
        memory: MemoryModel,
    ) -> None:
        self._injected = injected
        self.engine = ConvolutionSimulation(
            parameters, memory_bytes=memory_bytes, base_address=base_address
        )
        self.engine.configure(memory)
        self._clocks = parameters.target.clocks
        self.slcr = SlcrModel(self._clocks, injected)
        self.wanted_mhz = self._paced_mhz = float(parameters.clock_mhz)
        self.running = False
        self._configured = self._wedged = False
        self._seconds = 0.0

    # -- what is in it -------------------------------------------------------------------------

    @property
    def clocked(self) -> bool:
        """Whether a design is in it, and runs."""
        return self._configured and not self.slcr.obstacle

    def configure(self) -> None:
        """Load the bitstream. If the machine is moving data, memory does not answer afterwards,
        until `power_cycle`."""
        self._seconds = self.now()
        # the ports of the processor system wait for ever for the rest of the transfers under way
        self._wedged |= self._configured and not self._at_rest()
        self.engine.reset()
        self.engine.collect(None)
        self.engine.inject(self._bus_faults())
        self._configured = True
        self.slcr.configured()

    def power_cycle(self) -> None:
        """Switch it off and on: nothing is configured."""
        self._configured = self._wedged = False
        self.slcr = SlcrModel(self._clocks, self._injected)

    def _bus_faults(self) -> BusFaults:
        everything = 0, (1 << 32) - 1
        if "axi-error" in self._injected:
            return BusFaults((ErrorRegion(*everything, writes=False),))
        if "axi-write-error" in self._injected:
            return BusFaults((ErrorRegion(*everything, reads=False),))
        stuck = self._wedged or "stuck-memory" in self._injected
        return BusFaults(stuck_from=0 if stuck else None)

    def _at_rest(self) -> bool:
        """No transfer is under way or about to begin."""
        status = self.engine.read_register(STATUS.address)
        return bool(IDLE.extract(status)) and not DRAINING.extract(status)

    # -- accesses ------------------------------------------------------------------------------

    def require_answer(self) -> None:
        """Raise `BusHang` unless the FPGA answers an access now."""
        obstacle = "the FPGA is not configured" if not self._configured else self.slcr.obstacle
        if not obstacle and abs(self.slcr.clock_mhz / self._paced_mhz - 1) > CLOCK_TOLERANCE:
            obstacle = f"FCLK0 is at {self.slcr.clock_mhz:.4g} MHz, not at {self._paced_mhz:g}"
        if not obstacle and "mainline" in self._injected and not self.slcr.design_was_reset:
            obstacle = "its flip-flops may hold anything since FCLK0 was switched under them"
        if obstacle:
            raise BusHang(f"an access to the FPGA although {obstacle}: the processor would hang")

    def started(self) -> None:
        """A program has just begun."""
        if "fclk-stopped" in self._injected:
            self.slcr.stopped_by_another()
        if "fclk-changed" in self._injected:
            now, self._paced_mhz = self.now(), FASTER * self.wanted_mhz
            self._seconds += now - self.now()
            self.slcr.switched_by_linux(self._paced_mhz)

    # -- time ----------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since it was made."""
        return self._seconds + self.engine.cycles / (1e6 * self._paced_mhz)

    def pass_time(self, seconds: float, *, stop_at_interrupt: bool) -> None:
        """Let the machine run, or the time pass while it has nothing to do."""
        if not self.clocked:
            self._seconds += seconds
            return
        cycles, chunk = round(seconds * 1e6 * self._paced_mhz), FIRST_CHUNK_CYCLES
        while cycles > 0:
            self.running = True
            before = self.engine.cycles
            came = self.engine.advance(min(cycles, chunk), until_interrupt=stop_at_interrupt)
            if came and stop_at_interrupt:
                return
            cycles -= self.engine.cycles - before
            if IDLE.extract(self.engine.read_register(STATUS.address)):
                # an idle machine need not be simulated
                self.running = False
                self._seconds += max(0, cycles) / (1e6 * self._paced_mhz)
                return
            chunk = CHUNK_CYCLES
