"""What `fractrain bench` measures, one generator function each.

A benchmark function prepares (compiles, packs, warms up), then makes one measurement each time
it is resumed and yields its figures, and cleans up when it is closed. So the measurements of
different benchmarks can take turns, and a drift of the machine's speed hits all alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from host.optional import needs_extra
from hw.contract.errors import FractrainError
from hw.contract.layout import pack_matrix, unpack_matrix
from hw.contract.matrix_commands import encode_all
from hw.contract.matrix_registers import COUNTERS, RegisterMap, encode_precision
from hw.contract.parameters import load_parameters
from hw.contract.precision import Operand, Pass, Precision, value_range

Figures = dict[str, float]
"""Values of one measurement, each under its unit."""


@dataclass(frozen=True)
class Benchmark:
    """``start()`` is the generator; ``about`` says what its figures mean."""

    name: str
    about: str
    start: Callable[[], Iterator[Figures]]


def array_simulation(config: str) -> Iterator[Figures]:
    """Clock cycles per second of the bare array, a random pass in every cycle."""
    parameters = load_parameters(config)
    with needs_extra("hardware"):
        from sim.cosim.array import ArraySimulation, random_passes
    passes = random_passes(parameters, 4 * 64, tile_passes=64, seed=1)
    # about half a second for each preset
    repeats = max(1, 4_000_000_000 // parameters.bit_products_per_cycle // len(passes))
    with ArraySimulation(parameters) as array:
        array.play(passes)
        while True:
            start = time.perf_counter()
            played = array.play(passes, repeats=repeats, keep=0)
            yield {"cycles/s": played.cycles / (time.perf_counter() - start)}


def engine_simulation(config: str) -> Iterator[Figures]:
    """Clock cycles per second of the whole engine in a matrix product at 4 x 4 bits.

    The streams never stall. Also the share of cycles in which the array was busy.
    """
    from host.program import MatrixProgram

    parameters = load_parameters(config)
    with needs_extra("hardware"):
        from sim.cosim.engine import EngineSimulation, Program
    rows, columns, slices = 16, 32, 4
    operands = [
        _random_matrix(tiles * parameters.array.rows, slices * parameters.array.lanes, 4, signed)
        for tiles, signed in ((rows, False), (columns, True))
    ]
    product = MatrixProgram(Pass.FORWARD, operands[0], operands[1], (4, 4), parameters)
    table = RegisterMap(parameters).table_address(0), encode_precision(Precision(4, 4, 4))
    program = Program(encode_all(product.commands), product.blocks, product.beats, [table])
    busy = next(counter.address for counter in COUNTERS if counter.name == "BUSY")
    with EngineSimulation(parameters) as engine:
        before = 0
        while True:
            start = time.perf_counter()
            result = engine.run(program)
            seconds = time.perf_counter() - start
            after = engine.read_register(busy) | engine.read_register(busy + 1) << 32
            yield {
                "cycles/s": result.cycles / seconds,
                "% of cycles busy": 100 * (after - before) / result.cycles,
            }
            before = after


def packing(config: str, unpack: bool) -> Iterator[Figures]:
    """Bytes of bit planes made (or read back) per second, from a matrix of 4-bit activations."""
    parameters = load_parameters(config)
    bits, rows, depth = 4, 4096, 9 * 64
    values = _random_matrix(rows, depth, bits, Operand.ACTIVATION.signed)
    blocks = pack_matrix(values, bits, False, parameters)
    while True:
        start = time.perf_counter()
        if unpack:
            unpack_matrix(blocks, bits, False, (rows, depth), parameters)
        else:
            pack_matrix(values, bits, False, parameters)
        yield {"GB/s": blocks.nbytes / 1e9 / (time.perf_counter() - start)}


def training(steps: int) -> Iterator[Figures]:
    """Steps per second of ``fractrain train`` with its defaults, and its peak memory.

    A run of one step is subtracted, so that starting up and the final test do not count.
    """
    with tempfile.TemporaryDirectory(prefix="fractrain-bench-") as folder:
        _train(1, Path(folder))  # fills the caches of the operating system
        while True:
            short, _ = _train(1, Path(folder))
            long, peak = _train(1 + steps, Path(folder))
            yield {"steps/s": steps / max(long - short, 1e-9), "MiB at peak": peak / 2**20}


def _train(steps: int, folder: Path) -> tuple[float, int]:
    """Seconds and peak bytes of one training process."""
    command = [sys.executable, "-m", "host.cli.main", "train", "--steps", str(steps)]
    command += ["--name", "bench", "--overwrite"]
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with (folder / "output").open("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        # not Popen.wait: only this call gives the resources of this very process
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise FractrainError(f"fractrain train failed: {output.read().strip()[-500:]}")
    return seconds, usage.ru_maxrss * 1024


def _random_matrix(rows: int, depth: int, bits: int, signed: bool) -> np.ndarray:
    low, high = value_range(bits, signed)
    return np.random.default_rng(1).integers(low, high + 1, (rows, depth))


BENCHMARKS = [
    *(
        Benchmark(
            f"array-{config}",
            "co-simulation of the bare array, a pass in every cycle",
            partial(array_simulation, config),
        )
        for config in ("tiny", "zc706")
    ),
    *(
        Benchmark(
            f"engine-{config}",
            "co-simulation of the engine, a 4 x 4 bit matrix product",
            partial(engine_simulation, config),
        )
        for config in ("tiny", "zc706")
    ),
    Benchmark("pack", "integers to bit planes, 4 bits, zc706", partial(packing, "zc706", False)),
    Benchmark("unpack", "bit planes to integers, 4 bits, zc706", partial(packing, "zc706", True)),
    Benchmark("train", "fractrain train with its defaults", partial(training, 8)),
]
