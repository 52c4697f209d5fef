"""The convolution engine under co-simulation: its registers, its memory, and whole programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ctypes import byref
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.engine_fault import EngineFault
from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS, Precision
from fractrain.hw.contract.registers import (
    ADDRESS_BITS,
    CAUSE,
    CLEAR_COUNTERS,
    CONTROL,
    COUNTERS,
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
    WINDOW_FIRST,
    WINDOW_LAST,
    Register,
    RegisterMap,
    encode_precision,
)
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
SLICE_CYCLES = 50_000  # Ctrl-C is noticed between two slices
DRAIN_CYCLES = 100_000
Counters = Mapping[Tag, Mapping[str, int]]


@dataclass(frozen=True)
class RunResult:
    """What a program did.

    cycles : from the one after START was written to the one with the interrupt, both included
    port : ``[n, results_per_beat]`` int64, the beats of the result port that were collected
    port_last : ``[n]``, whether the beat is the last of its tile
    port_beats : all beats of the result port
    counters : the engine's counters, by tag and by name
    bytes_read, bytes_written : by the ports, of everything, as the memory saw it
    """

    cycles: int
    port: NDArray[np.int64]
    port_last: NDArray[np.bool_]
    port_beats: int
    counters: Counters
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
    between runs. Machine and memory keep their state until `reset`, which leaves the bytes alone.
    Use it in a ``with`` statement, or `close` it.

    memory_bytes : size of the memory, a multiple of 4096
    design : the RTL; by default the engine of ``parameters``
    waveform : records the signals until this is closed (slow); its cycles are those of `cycles`
    watch : called now and then while a program runs, with its cycles so far

    Raises `MissingToolError` when a tool is missing, `ParameterError` if ``design`` has not the
    engine's ports. Every method that clocks the machine raises `MachineError` once the design
    has broken a rule of AXI3, AXI-Lite or the result stream; only `reset` mends that.
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        memory_bytes: int = 1 << 20,
        base_address: int = 0,
        design: Design | None = None,
        waveform: Waveform | None = None,
        watch: Callable[[int], None] | None = None,
    ) -> None:
        for name, value in (("memory_bytes", memory_bytes), ("base_address", base_address)):
            if value < 0 or value % 4096:
                raise ParameterError(name, value, "a multiple of 4096")
        if not 0 < memory_bytes <= (1 << 32) - base_address:
            raise ParameterError("memory_bytes", memory_bytes, "1.. up to the end of 32 bits")
        self.parameters = parameters
        self.base_address = base_address
        self.memory: NDArray[np.uint8] = np.zeros(memory_bytes, np.uint8)
        self._registers = RegisterMap(parameters)
        self._collected = np.zeros((0, parameters.results_per_beat), np.int64)
        self._last = np.zeros(0, np.uint8)
        self._started_at = 0
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
        self._waveform, self._watch = waveform, watch
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
        """From now on these, and no other, faults are on the bus, until `reset` or the next
        call; ``BusFaults()`` has none. The cycles in it count from now."""
        injected = library.bus_faults(faults, self.cycles)
        self._library.machine_inject(self._open_handle(), byref(injected))

    # -- programs ---------------------------------------------------------------------------

    def run(
        self,
        program_address: int,
        commands: int,
        *,
        cycle_limit: int,
        collect_port: int | None = 0,
        model: MemoryModel = MemoryModel(),  # noqa: B008  immutable
        stalls: BusStalls = BusStalls(),  # noqa: B008  immutable
        seed: int = 0,
        window: tuple[int, int] | None = None,
    ) -> RunResult:
        """Run the ``commands`` commands at ``program_address`` to their end.

        ``collect_port`` is the greatest number of beats that the result port may send, or None:
        then any number, and none is kept. ``window`` is the first and last byte that the engine
        may access, by default the whole memory. The precision table is left as it is.

        Raises `EngineFault` if the engine stops with a fault, `MachineError` if it does not end
        within ``cycle_limit`` cycles or breaks a rule.
        """
        self.configure(model, stalls, seed)
        self.start(program_address, commands, collect_port=collect_port, window=window)
        return self.finish(cycle_limit=cycle_limit)

    def start(
        self,
        program_address: int,
        commands: int,
        *,
        collect_port: int | None = 0,
        window: tuple[int, int] | None = None,
    ) -> None:
        """Clear counters and interrupt, and start a program; `advance` and `finish` go on."""
        first, last = window or (self.base_address, self.base_address + len(self.memory) - 1)
        for register, value in (
            (WINDOW_FIRST, first),
            (WINDOW_LAST, last),
            (PROGRAM_ADDRESS, program_address),
            (PROGRAM_COMMANDS, commands),
            (INTERRUPT, INTERRUPT_PENDING.insert(1)),
            (INTERRUPT_ENABLE, INTERRUPT_ENABLED.insert(1)),
            (CONTROL, CLEAR_COUNTERS.insert(1)),
        ):
            self.write_register(register, value)
        self._collect(collect_port)
        self.write_register(CONTROL, START.insert(1))
        self._started_at = self.cycles

    def advance(self, cycles: int, *, until_interrupt: bool = True) -> bool:
        """Clock ``cycles`` cycles, or fewer if the interrupt comes; whether it is there."""
        end = self.cycles + max(0, cycles)
        while True:
            slice_ = min(SLICE_CYCLES, end - self.cycles)
            self._library.machine_advance(self._open_handle(), slice_, int(until_interrupt))
            state = self._state()
            library.require_rules(state)
            self._follow_waveform(state.cycles)
            if state.cycles >= end or (until_interrupt and state.interrupt):
                return bool(state.interrupt)
            if self._watch:
                self._watch(state.cycles - self._started_at)

    def finish(self, *, cycle_limit: int) -> RunResult:
        """Wait for the end of the program that was started, ``cycle_limit`` cycles after START at
        most; raises as `run` does."""
        if cycle_limit < 1:
            raise ParameterError("cycle_limit", cycle_limit, "at least 1")
        ended = self.advance(cycle_limit - (self.cycles - self._started_at))
        state = self._state()
        cycles = state.cycles - self._started_at
        status = self.read_register(STATUS)
        if FAULT.extract(status):
            raise EngineFault(CAUSE.extract(status), self.read_register(FAULT_INDEX), cycles)
        if not ended:
            raise MachineError(
                f"no end within {cycle_limit} cycles: STATUS 0x{status:08X}, "
                f"{state.beats} result beats, {_traffic(state)}; {self._activity()}"
            )
        if not DONE.extract(status):
            raise MachineError(f"interrupt, but STATUS is 0x{status:08X} after {cycles} cycles")
        self.write_register(INTERRUPT, INTERRUPT_PENDING.insert(1))
        kept = min(state.beats, len(self._collected))
        return RunResult(
            cycles=cycles,
            port=self._collected[:kept],
            port_last=self._last[:kept].astype(bool),
            port_beats=state.beats,
            counters=self.read_counters(),
            bytes_read=tuple(8 * each.read_beats for each in state.traffic),
            bytes_written=tuple(8 * each.write_beats for each in state.traffic),
        )

    def _follow_waveform(self, cycles: int) -> None:
        """Note that the waveform has begun; end it if it has become too large."""
        if (waveform := self._waveform) is None or waveform.full:
            return
        waveform.begun = cycles > waveform.first
        if waveform.size_bytes > MOST_BYTES:
            self._library.machine_end_trace(self._open_handle())
            waveform.full = True

    def _collect(self, most: int | None) -> None:
        """New room for result beats; the old one belongs to the last result."""
        capacity = most or 0
        # not filled: what nobody writes takes no memory
        self._collected = np.empty((capacity, self.parameters.results_per_beat), np.int64)
        self._last = np.empty(capacity, np.uint8)
        collection = library.Collection(
            self._collected.ctypes.data, self._last.ctypes.data, capacity, most is None
        )
        self._library.machine_collect(self._open_handle(), byref(collection))

    def _activity(self) -> str:
        """The counters that are not 0."""
        shown = [
            f"{tag.name}_{name} {value}"
            for tag, counters in self.read_counters().items()
            for name, value in counters.items()
            if value
        ]
        return "counters: " + (", ".join(shown) or "all 0")

    # -- registers and life -----------------------------------------------------------------

    def read_register(self, register: Register | int) -> int:
        """Read a register, or the word at a word address, over AXI-Lite."""
        handle, address = self._open_handle(), _address(register)
        word = library.Word()
        response = self._library.register_read(handle, 4 * address, byref(word), REGISTER_CYCLES)
        self._require_answer(response, "read", address)
        return int(word.value)

    def write_register(self, register: Register | int, value: int) -> None:
        """Write a register, or the word at a word address, over AXI-Lite."""
        if not 0 <= value < 1 << 32:
            raise ParameterError("register value", value, "0..2^32-1")
        handle, address = self._open_handle(), _address(register)
        response = self._library.register_write(handle, 4 * address, value, REGISTER_CYCLES)
        self._require_answer(response, "write", address)

    def write_precision(self, slot: int, precision: Precision) -> None:
        """Set slot ``slot`` of the precision table."""
        if not 0 <= slot < self.parameters.precision.slots:
            raise ParameterError("slot", slot, f"0..{self.parameters.precision.slots - 1}")
        self.write_register(self._registers.table_address(slot), encode_precision(precision))

    def read_counters(self) -> Counters:
        """All counters, by tag and by name."""
        return {
            tag: {each.name: self._read_pair(each.address(tag)) for each in COUNTERS} for tag in Tag
        }

    def soft_reset(self, *, cycle_limit: int = DRAIN_CYCLES) -> None:
        """Write CONTROL.RESET and wait until the machine is idle.

        Raises `MachineError` if it is not within ``cycle_limit`` cycles, for example because
        the bus is still stuck.
        """
        start = self.cycles
        self.forget_offer()
        self.write_register(CONTROL, RESET.insert(1))
        while True:
            status = self.read_register(STATUS)
            if IDLE.extract(status) and not DRAINING.extract(status):
                return
            if self.cycles - start > cycle_limit:
                raise MachineError(
                    f"not idle within {cycle_limit} cycles after a reset: STATUS 0x{status:08X}"
                )
            self.advance(16, until_interrupt=False)

    def forget_offer(self) -> None:
        """CONTROL.RESET is going to be written: a result beat that is offered may be taken back."""
        self._library.machine_forget_offer(self._open_handle(), REGISTER_CYCLES)

    def drop_results(self) -> None:
        """From now on all beats of the result port are taken, and none is kept."""
        self._collect(None)

    def reset(self) -> None:
        """Assert the engine's reset for a few cycles, forget all that is on the bus and what was
        injected, and count cycles from 0 again."""
        self._library.machine_reset(self._open_handle())
        self._started_at = 0
        self.inject(BusFaults())
        self._collect(0)

    @property
    def cycles(self) -> int:
        """Cycles of the clock since the last reset, register accesses included."""
        return int(self._state().cycles)

    def _state(self) -> library.State:
        state = library.state(self.parameters.memory.ports)
        self._library.machine_state(self._open_handle(), byref(state))
        return state

    def _read_pair(self, address: int) -> int:
        low = self.read_register(address)
        return low | self.read_register(address + 1) << 32

    def _require_answer(self, response: int, kind: str, address: int) -> None:
        library.require_rules(self._state())
        if response < 0:
            raise MachineError(f"no answer to a register {kind} at word {address}")
        if response:
            raise MachineError(f"a register {kind} at word {address} was answered by {response}")


def _address(register: Register | int) -> int:
    address = register.address if isinstance(register, Register) else register
    if not 0 <= address < 1 << ADDRESS_BITS:
        raise ParameterError("register address", address, f"0..{(1 << ADDRESS_BITS) - 1}")
    return address


def _constants(parameters: Parameters) -> dict[str, int]:
    return {
        "MEMORY_PORTS": parameters.memory.ports,
        "RESULTS_PER_BEAT": parameters.results_per_beat,
        "ACCUMULATOR_BITS": SUM_BITS,
    }


def _traffic(state: library.State) -> str:
    reads = sum(each.read_beats for each in state.traffic)
    writes = sum(each.write_beats for each in state.traffic)
    return f"{8 * reads} bytes read, {8 * writes} written"
