"""The MAC array alone under co-simulation: passes in, tiles of results out."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.sim.cosim.compile import Design, compile_model
from fractrain.sim.cosim.simulation import Simulation


@dataclass(frozen=True)
class Passes:
    """Inputs of the array in each of ``n`` cycles.

    control : for every field of the array's control port ``[n]`` numbers
    rows : ``[n, M, S, K]`` bits: row, plane of the digit (most significant first), lane
    columns : ``[n, N, S, K]`` bits
    """

    control: dict[str, NDArray[np.integer]]
    rows: NDArray[np.uint8]
    columns: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Played:
    """``results[beats, results_per_beat]`` and ``last[beats]`` of the beats that were kept, the
    number of all ``beats``, a ``checksum`` of all results, and the cycles it took."""

    results: NDArray[np.int64]
    last: NDArray[np.bool_]
    beats: int
    checksum: int
    cycles: int


class _Play(ctypes.Structure):
    """Mirrors ``struct Play`` of array.cpp."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("control", "rows", "columns", "results", "last")),
        *(
            (name, ctypes.c_uint64)
            for name in ("pass_count", "repeats", "drain_cycles", "capacity")
        ),
        *((name, ctypes.c_uint64) for name in ("beats", "checksum", "cycles")),
    ]


class ArraySimulation(Simulation):
    """The generated MAC array of ``parameters``, compiled, in the flavour made for simulation.

    Use it in a ``with`` statement, or `close` it. Raises `MissingToolError` when a tool is missing.
    """

    def __init__(self, parameters: Parameters) -> None:
        from fractrain.gen.designs import Flavour, make_array
        from fractrain.gen.verilog import emit

        self.parameters = parameters
        array = make_array(parameters, Flavour.SIMULATION)
        self.latency_cycles: int = array.latency_cycles
        self._control = array.control.shape()
        design = Design("mac_array", emit(array, "mac_array"))
        constants = _constants(design, parameters, array.results.shape())
        self._open(_load(compile_model(design, "array.cpp", constants)))

    def play(self, passes: Passes, *, repeats: int = 1, keep: int | None = None) -> Played:
        """Run ``passes``, ``repeats`` times over, then wait until all results have come out.

        ``keep`` is the number of beats of results to return, by default as many as the
        tiles of ``passes`` have, times ``repeats``.
        """
        if self._handle is None:
            raise MachineError("the simulation is closed; open it again")
        control = self._pack_control(passes)
        tiles = int(np.sum(passes.control["valid"] & passes.control["last"]))
        capacity = tiles * repeats * self.parameters.beats_per_tile if keep is None else keep
        array = self.parameters.array
        rows = _pack_bits("rows", passes.rows, (len(passes), array.rows), self.parameters)
        columns = _pack_bits(
            "columns", passes.columns, (len(passes), array.columns), self.parameters
        )
        results = np.zeros((capacity, self.parameters.results_per_beat), np.int64)
        last = np.zeros(capacity, np.uint8)
        play = _Play(
            control=control.ctypes.data,
            rows=rows.ctypes.data,
            columns=columns.ctypes.data,
            results=results.ctypes.data,
            last=last.ctypes.data,
            pass_count=len(passes),
            repeats=repeats,
            drain_cycles=self.latency_cycles + self.parameters.beats_per_tile,
            capacity=capacity,
        )
        self._library.machine_play(self._handle, ctypes.byref(play))
        kept = min(capacity, play.beats)
        return Played(
            results[:kept], last[:kept].astype(bool), play.beats, play.checksum, play.cycles
        )

    def _pack_control(self, passes: Passes) -> NDArray[np.uint64]:
        """The control port's word of every pass."""
        words = np.zeros(len(passes), np.uint64)
        fields = self._control.members
        if set(passes.control) != set(fields):
            raise ParameterError("control fields", sorted(passes.control), ", ".join(fields))
        for name, values in passes.control.items():
            field = self._control[name]
            if np.any((values < 0) | (values >= 1 << field.width)):
                raise ParameterError(f"control.{name}", int(np.max(values)), f"{field.width} bits")
            words |= values.astype(np.uint64) << np.uint64(field.offset)
        return words


def random_passes(parameters: Parameters, count: int, *, tile_passes: int, seed: int) -> Passes:
    """``count`` passes in tiles of ``tile_passes`` without bubbles, all else random.

    A last tile that is cut short gives no results.
    """
    array = parameters.array
    if tile_passes < parameters.beats_per_tile:
        raise ParameterError("tile_passes", tile_passes, f"at least {parameters.beats_per_tile}")
    random = np.random.default_rng(seed)
    place = np.arange(count) % tile_passes
    spatial = array.spatial_bits
    # only the top plane of a digit can be negative
    top = 1 if spatial == 1 else random.choice([0, 1], count)
    planes = (1 << spatial) - 1
    greatest_shift = array.max_shift
    return Passes(
        control={
            "valid": np.ones(count, np.int64),
            "first": (place == 0).astype(np.int64),
            "last": (place == tile_passes - 1).astype(np.int64),
            "shift": random.integers(0, greatest_shift + 1, count),
            "row_enable": np.full(count, planes),
            "row_negative": random.integers(0, 2, count) & top,
            "column_enable": np.full(count, planes),
            "column_negative": random.integers(0, 2, count) & top,
        },
        rows=_random_bits(random, (count, array.rows, spatial, array.lanes)),
        columns=_random_bits(random, (count, array.columns, spatial, array.lanes)),
    )


def _random_bits(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return random.integers(0, 2, shape, dtype=np.uint8)


def _pack_bits(
    name: str, bits: NDArray[np.uint8], leading: tuple[int, int], parameters: Parameters
) -> NDArray[np.uint8]:
    shape = (*leading, parameters.array.spatial_bits, parameters.array.lanes)
    if bits.shape != shape:
        raise ParameterError(f"{name}.shape", bits.shape, f"{shape}")
    return np.packbits(bits.reshape(len(bits), -1), axis=1, bitorder="little")


def _constants(design: Design, parameters: Parameters, results: Any) -> dict[str, int]:
    def size(port: str) -> int:
        return -(-design.ports[port] // 8)

    return {
        "CONTROL_BYTES": 8,  # as `_pack_control` makes them
        "ROWS_BYTES": size("rows"),
        "COLUMNS_BYTES": size("columns"),
        "RESULTS_BYTES": size("results"),
        "RESULTS_VALID_BIT": results["valid"].offset,
        "RESULTS_LAST_BIT": results["last"].offset,
        "RESULTS_DATA_BIT": results["data"].offset,
        "RESULTS_PER_BEAT": parameters.results_per_beat,
        "ACCUMULATOR_BITS": SUM_BITS,
    }


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    machine = ctypes.c_void_p
    for name, result, arguments in (
        ("machine_open", machine, []),
        ("machine_close", None, [machine]),
        ("machine_play", None, [machine, ctypes.POINTER(_Play)]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
