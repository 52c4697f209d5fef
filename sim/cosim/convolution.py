"""The convolution engine under co-simulation: its registers, its memory and its clock.

The driver (`host.driver`) uses them.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import byref
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.contract.registers import ADDRESS_BITS, CONTROL, RESET
from fractrain.sim.cosim import convolution_library as library
from fractrain.sim.cosim.compile import Design, compile_model
from fractrain.sim.cosim.convolution_faults import BusFaults
from fractrain.sim.cosim.convolution_ports import convolution_ports
from fractrain.sim.cosim.designs import cached_design
from fractrain.sim.cosim.simulation import Simulation
from fractrain.sim.cosim.stalls import BusStalls
from fractrain.sim.cosim.waveform import MOST_BYTES, Waveform
from fractrain.sim.memory_model import MemoryModel

ENGINE_NAME = "convolution_engine"
REGISTER_CYCLES = 1_000
SLICE_CYCLES = 50_000  # Ctrl-C takes effect between two slices


@dataclass(frozen=True)
class Sent:
    """Traffic of the ports since `ConvolutionSimulation.collect`.

    results : ``[n, results_per_beat]`` int64, the beats of the result port that were collected
    last : ``[n]``, whether the beat is the last of its tile
    beats : all beats of the result port
    bytes_read, bytes_written : over the memory ports, as counted by the memory
    """

    results: NDArray[np.int64]
    last: NDArray[np.bool_]
    beats: int
    bytes_read: tuple[int, ...]
    bytes_written: tuple[int, ...]


def convolution_design(parameters: Parameters) -> Design:
    """The generated engine of ``parameters``, in the flavour made for simulation."""

    def verilog() -> str:
        from fractrain.gen.designs import Flavour, make_engine
        from fractrain.gen.verilog import emit

        return emit(make_engine(parameters, Flavour.SIMULATION), ENGINE_NAME)

    return cached_design(ENGINE_NAME, parameters, verilog)


class ConvolutionSimulation(Simulation):
    """A machine with ``parameters``, the generated RTL compiled, and its memory.

    ``memory`` is the memory behind the ports, as bytes from ``base_address`` on; fill and read it
    between programs. Machine and memory keep their state until `reset`, which leaves the bytes
    alone. Use it in a ``with`` statement, or `close` it.

    memory_bytes : size of the memory, a multiple of 4096
    design : the RTL; by default the engine of ``parameters``
    waveform : records the signals until this is closed (slow); its cycles are those of `cycles`

    Raises `MissingToolError` when a tool is missing, `ParameterError` if the ports of ``design``
    differ from the engine's. Once the design has broken a rule of AXI3, AXI-Lite or the result
    stream, every method that clocks the machine raises `MachineError`, until `reset`.
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        memory_bytes: int = 1 << 20,
        base_address: int = 0,
        design: Design | None = None,
        waveform: Waveform | None = None,
    ) -> None:
        for name, value in (("memory_bytes", memory_bytes), ("base_address", base_address)):
            if value < 0 or value % 4096:
                raise ParameterError(name, value, "a multiple of 4096")
        if not 0 < memory_bytes <= (1 << 32) - base_address:
            raise ParameterError("memory_bytes", memory_bytes, "1.. up to the end of 32 bits")
        self.parameters = parameters
        self.base_address = base_address
        self.memory: NDArray[np.uint8] = np.zeros(memory_bytes, np.uint8)
        self._results = np.zeros((0, parameters.results_per_beat), np.int64)
        self._last = np.zeros(0, np.uint8)
        design = design or convolution_design(parameters)
        design.require_ports(convolution_ports(parameters))
        path = compile_model(
            design.with_registered_inputs(),
            "convolution.cpp",
            _constants(parameters),
            form=waveform.form if waveform else None,
        )
        self._open(library.load(path))
        self._library.machine_attach(
            self._open_handle(), self.memory.ctypes.data, base_address, memory_bytes
        )
        self.configure()
        self._waveform = waveform
        self.reset()
        if waveform:
            half_period = round(1e6 / parameters.clock_mhz / 2)
            place = waveform.path, waveform.first, waveform.end
            self._library.machine_trace(self._open_handle(), *place, half_period)

    # -- the far side of the ports ----------------------------------------------------------

    def configure(
        self,
        model: MemoryModel = MemoryModel(),  # noqa: B008  immutable
        stalls: BusStalls = BusStalls(),  # noqa: B008  immutable
        seed: int = 0,
    ) -> None:
        """From now on the memory behaves as ``model`` says, and the far sides stall."""
        setting = library.setting(model, stalls, seed)
        self._library.machine_configure(self._open_handle(), byref(setting))

    def inject(self, faults: BusFaults) -> None:
        """Put these faults on the bus, and no others, until `reset` or the next call;
        ``BusFaults()`` has none. Its cycles count from now."""
        injected = library.bus_faults(faults, self.cycles)
        self._library.machine_inject(self._open_handle(), byref(injected))

    def collect(self, most: int | None) -> None:
        """Keep up to ``most`` beats of the result port from now on; one more is an error. None:
        take any number, and keep none. Counts of the ports' traffic begin anew."""
        capacity = most or 0
        # not filled: pages without writes take no memory; the old ones belong to the last `sent`
        self._results = np.empty((capacity, self.parameters.results_per_beat), np.int64)
        self._last = np.empty(capacity, np.uint8)
        collection = library.Collection(
            self._results.ctypes.data, self._last.ctypes.data, capacity, most is None
        )
        self._library.machine_collect(self._open_handle(), byref(collection))

    def sent(self) -> Sent:
        """Traffic of the ports since `collect`."""
        state = self._state()
        kept = min(state.beats, len(self._results))
        return Sent(
            self._results[:kept],
            self._last[:kept].astype(bool),
            state.beats,
            tuple(8 * each.read_beats for each in state.traffic),
            tuple(8 * each.write_beats for each in state.traffic),
        )

    # -- the clock --------------------------------------------------------------------------

    def advance(
        self,
        cycles: int,
        *,
        until_interrupt: bool = True,
        watch: Callable[[int], None] | None = None,
    ) -> bool:
        """Clock ``cycles`` cycles, or fewer if the interrupt comes; whether it is there.

        ``watch`` is called now and then meanwhile, with the cycles so far.
        """
        first = self.cycles
        end = first + max(0, cycles)
        while True:
            slice_ = min(SLICE_CYCLES, end - self.cycles)
            self._library.machine_advance(self._open_handle(), slice_, int(until_interrupt))
            state = self._state()
            library.require_rules(state)
            self._follow_waveform(state.cycles)
            if state.cycles >= end or (until_interrupt and state.interrupt):
                return bool(state.interrupt)
            if watch:
                watch(state.cycles - first)

    @property
    def cycles(self) -> int:
        """Cycles of the clock since the last reset, register accesses included."""
        return int(self._state().cycles)

    def reset(self) -> None:
        """Assert the engine's reset for a few cycles, clear the bus and the injected faults, and
        count cycles from 0 again."""
        self._library.machine_reset(self._open_handle())
        self.inject(BusFaults())
        self.collect(0)

    def _follow_waveform(self, cycles: int) -> None:
        """Note that the waveform has begun; end it if it has become too large."""
        if (waveform := self._waveform) is None or waveform.full:
            return
        waveform.begun = cycles > waveform.first
        if waveform.size_bytes > MOST_BYTES:
            self._library.machine_end_trace(self._open_handle())
            waveform.full = True

    # -- registers ----------------------------------------------------------------------

    def read_register(self, address: int) -> int:
        """Read the register at a word address, over AXI-Lite."""
        handle, word = self._open_handle(), library.Word()
        _require_address(address)
        response = self._library.register_read(handle, 4 * address, byref(word), REGISTER_CYCLES)
        self._require_answer(response, "read", address)
        return int(word.value)

    def write_register(self, address: int, value: int) -> None:
        """Write the register at a word address, over AXI-Lite."""
        handle = self._open_handle()
        _require_address(address)
        if not 0 <= value < 1 << 32:
            raise ParameterError("register value", value, "0..2^32-1")
        if address == CONTROL.address and RESET.extract(value):
            # the engine may withdraw an offered result beat
            self._library.machine_forget_offer(handle, REGISTER_CYCLES)
        response = self._library.register_write(handle, 4 * address, value, REGISTER_CYCLES)
        self._require_answer(response, "write", address)

    def _require_answer(self, response: int, kind: str, address: int) -> None:
        library.require_rules(self._state())
        if response < 0:
            raise MachineError(f"no answer to a register {kind} at word {address}")
        if response:
            raise MachineError(f"a register {kind} at word {address} was answered by {response}")

    def _state(self) -> library.State:
        state = library.state(self.parameters.memory.ports)
        self._library.machine_state(self._open_handle(), byref(state))
        return state


def _require_address(address: int) -> None:
    if not 0 <= address < 1 << ADDRESS_BITS:
        raise ParameterError("register address", address, f"0..{(1 << ADDRESS_BITS) - 1}")


def _constants(parameters: Parameters) -> dict[str, int]:
    return {
        "MEMORY_PORTS": parameters.memory.ports,
        "RESULTS_PER_BEAT": parameters.results_per_beat,
        "ACCUMULATOR_BITS": SUM_BITS,
    }
