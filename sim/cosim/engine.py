"""The matrix engine under co-simulation: whole programs on its ports, one call each."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hw.contract.errors import MachineError, ParameterError
from hw.contract.matrix_commands import COMMAND_BITS, COMMAND_BYTES, MULTIPLY_FIELDS, Fault
from hw.contract.matrix_registers import ADDRESS_BITS, CAUSE, FAULT_INDEX, STATUS
from hw.contract.parameters import Parameters
from sim.cosim.compile import Design, compile_model
from sim.cosim.simulation import Simulation
from sim.cosim.stalls import Stall, Stalls

DONE, FAULT, CYCLE_LIMIT, VALID_DROPPED, PAYLOAD_CHANGED, TOO_MANY_RESULTS = range(6)
_BROKEN_RULES = {
    VALID_DROPPED: "the result stream dropped valid before the transfer",
    PAYLOAD_CHANGED: "the result stream changed its payload before the transfer",
    TOO_MANY_RESULTS: "the result stream sent more beats than the program has",
}
START_UP_CYCLES = 10_000


@dataclass(frozen=True)
class Program:
    """What the engine shall do.

    writes : (address, value) of registers, written before the first command
    commands : ``[n, 16]`` bytes, as `hw.contract.matrix_commands.encode_all` makes them
    blocks : ``[n, block_bytes]`` bytes, in the order in which the load commands take them
    beats : beats that come out of the result stream
    """

    commands: NDArray[np.uint8]
    blocks: NDArray[np.uint8]
    beats: int
    writes: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class RunResult:
    """``results[beats, results_per_beat]`` as int64, ``last[beats]``, and the cycles it took.

    ``cycles`` counts from the first cycle in which a command or block may be offered to the one
    in which everything was taken and the engine idle.
    """

    results: NDArray[np.int64]
    last: NDArray[np.bool_]
    cycles: int


class _StallRates(ctypes.Structure):
    _fields_ = [("enter", ctypes.c_double), ("leave", ctypes.c_double)]


class _Run(ctypes.Structure):
    """Mirrors ``struct Run`` of engine.cpp."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("commands", "blocks", "results", "last")),
        *(
            (name, ctypes.c_uint64)
            for name in ("command_count", "block_count", "beat_count", "seed", "cycle_limit")
        ),
        ("stalls", _StallRates * 3),
        *(
            (name, ctypes.c_uint64)
            for name in ("cycles", "commands_taken", "blocks_taken", "beats_taken", "status")
        ),
    ]


def engine_design(parameters: Parameters) -> Design:
    """The generated engine of ``parameters``, in the flavour made for simulation."""
    from gen.designs import ENGINE_NAME, Flavour, make_engine
    from gen.verilog import emit

    engine = make_engine(parameters, Flavour.SIMULATION)
    return Design(ENGINE_NAME, emit(engine, ENGINE_NAME))


class EngineSimulation(Simulation):
    """A machine with ``parameters``: the generated RTL, compiled.

    It keeps its state (buffers, table, counters) from one `run` to the next until `reset`.
    Use it in a ``with`` statement, or `close` it.

    design : the RTL; by default the engine of ``parameters``
    trace : file to write all signals of all cycles to, as VCD (slow and large)

    Raises `MissingToolError` when a tool is missing, `ParameterError` if ``design`` has not the
    engine's ports.
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        design: Design | None = None,
        trace: str | Path | None = None,
    ) -> None:
        self.parameters = parameters
        design = design or engine_design(parameters)
        design.require_ports(_expected_ports(parameters))
        library = compile_model(design, "engine.cpp", _constants(parameters), trace=bool(trace))
        self._open(_load(library), trace)

    # -- programs --------------------------------------------------------------------------

    def run(
        self,
        program: Program,
        *,
        stalls: Stalls = Stalls(),  # noqa: B008  immutable
        seed: int = 0,
        cycle_limit: int | None = None,
    ) -> RunResult:
        """Run ``program`` to its end.

        ``stalls`` and ``seed`` say when the far sides of the streams pause. ``cycle_limit`` is
        by default several times what any engine should need for these commands.

        Raises `MachineError` if the engine stops with a fault, does not end within the cycle
        limit, breaks a stream rule, or leaves blocks or sends results that it should not; the
        text names the cycle. `ParameterError` for arrays of the wrong shape.
        """
        commands = _bytes("commands", program.commands, COMMAND_BYTES)
        blocks = _bytes("blocks", program.blocks, self.parameters.block_bytes)
        if program.beats < 0:
            raise ParameterError("beats", program.beats, "0 or more")
        results = np.zeros((program.beats, self.parameters.results_per_beat), np.int64)
        last = np.zeros(program.beats, np.uint8)
        run = _Run(
            commands=commands.ctypes.data,
            blocks=blocks.ctypes.data,
            results=results.ctypes.data,
            last=last.ctypes.data,
            command_count=len(commands),
            block_count=len(blocks),
            beat_count=program.beats,
            seed=seed & 0xFFFF_FFFF,
            cycle_limit=cycle_limit or self._default_limit(commands, blocks, program, stalls),
            stalls=tuple(_StallRates(*each.rates) for each in _in_order(stalls)),
        )
        for address, value in program.writes:
            self.write_register(address, value)
        self._library.machine_run(self._open_handle(), ctypes.byref(run))
        self._check(run)
        return RunResult(results, last.astype(bool), run.cycles)

    def _default_limit(
        self,
        commands: NDArray[np.uint8],
        blocks: NDArray[np.uint8],
        program: Program,
        stalls: Stalls,
    ) -> int:
        """Four times the work at the widest precision, if nothing overlapped."""
        slices = _field(commands, MULTIPLY_FIELDS["slices"].offset // 8)
        passes = int(slices.sum()) * self.parameters.digits(self.parameters.precision.max_bits) ** 2
        # a block of a column load is written in several cycles, one for each tile in it
        loads = len(blocks) * self.parameters.column_tiles_per_block
        work = 100 * len(commands) + passes + loads + program.beats
        return int((START_UP_CYCLES + 4 * work) * stalls.slowdown)

    def _check(self, run: _Run) -> None:
        """Raise `MachineError` unless ``run`` ended as it should."""
        if run.status in _BROKEN_RULES:
            raise MachineError(f"cycle {run.cycles}: {_BROKEN_RULES[run.status]}")
        progress = (
            f"taken so far: {run.commands_taken} of {run.command_count} commands, "
            f"{run.blocks_taken} of {run.block_count} blocks, "
            f"{run.beats_taken} of {run.beat_count} result beats"
        )
        if run.status == FAULT:
            cause = CAUSE.extract(self.read_register(STATUS.address))
            index = self.read_register(FAULT_INDEX.address)
            raise MachineError(
                f"cycle {run.cycles}: the engine stopped with a fault after {index} commands: "
                f"{_describe(cause)}; {progress}"
            )
        if run.status == CYCLE_LIMIT:
            raise MachineError(f"no end within {run.cycle_limit} cycles; {progress}")
        if run.blocks_taken != run.block_count:
            raise MachineError(
                f"cycle {run.cycles}: the engine is idle with blocks left; {progress}"
            )

    # -- registers and life ----------------------------------------------------------------

    def read_register(self, address: int) -> int:
        """Read the register at word ``address``; takes one cycle."""
        return int(self._library.register_read(self._open_handle(), _check_address(address)))

    def write_register(self, address: int, value: int) -> None:
        """Write the register at word ``address``; takes one cycle."""
        if not 0 <= value < 1 << 32:
            raise ParameterError("register value", value, "0..2^32-1")
        self._library.register_write(self._open_handle(), _check_address(address), value)

    def reset(self) -> None:
        """Assert the engine's reset for a few cycles, and count cycles from 0 again."""
        self._library.machine_reset(self._open_handle())

    @property
    def cycles(self) -> int:
        """Cycles of the clock since the last reset, register accesses included."""
        return int(self._library.machine_cycles(self._open_handle()))


def _constants(parameters: Parameters) -> dict[str, int]:
    return {
        "BLOCK_BYTES": parameters.block_bytes,
        "RESULTS_PER_BEAT": parameters.results_per_beat,
        "ACCUMULATOR_BITS": parameters.precision.accumulator_bits,
    }


def _expected_ports(parameters: Parameters) -> dict[str, int]:
    payloads = {
        "commands": COMMAND_BITS,
        "load": parameters.block_bits,
        "results": parameters.results_per_beat * parameters.precision.accumulator_bits + 1,
    }
    ports = {"clk": 1, "rst": 1, "idle": 1, "fault": 1}
    for stream, width in payloads.items():
        ports |= {f"{stream}__payload": width, f"{stream}__valid": 1, f"{stream}__ready": 1}
    return ports | {
        "registers__address": ADDRESS_BITS,
        "registers__write": 1,
        "registers__write_data": 32,
        "registers__read_data": 32,
    }


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    machine, word = ctypes.c_void_p, ctypes.c_uint32
    for name, result, arguments in (
        ("machine_open", machine, [ctypes.c_char_p]),
        ("machine_close", None, [machine]),
        ("machine_reset", None, [machine]),
        ("machine_cycles", ctypes.c_uint64, [machine]),
        ("machine_run", None, [machine, ctypes.POINTER(_Run)]),
        ("register_write", None, [machine, word, word]),
        ("register_read", word, [machine, word]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _in_order(stalls: Stalls) -> tuple[Stall, Stall, Stall]:
    """As ``enum Stream`` of engine.cpp numbers them."""
    return stalls.commands, stalls.load, stalls.results


def _bytes(name: str, array: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """``array`` as contiguous rows of ``width`` bytes; `ParameterError` if it is not that."""
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != width:
        raise ParameterError(name, f"{array.dtype}{list(array.shape)}", f"uint8[n, {width}]")
    return np.ascontiguousarray(array)


def _field(commands: NDArray[np.uint8], byte: int) -> NDArray[np.int64]:
    """The 16-bit field at ``byte`` of every command."""
    return commands[:, byte] + (commands[:, byte + 1].astype(np.int64) << 8)


def _check_address(address: int) -> int:
    if not 0 <= address < 1 << ADDRESS_BITS:
        raise ParameterError("register address", address, f"0..{(1 << ADDRESS_BITS) - 1}")
    return address


def _describe(cause: int) -> str:
    try:
        return Fault(cause).description
    except ValueError:
        return f"unknown cause {cause}"
