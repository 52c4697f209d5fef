"""The benchmarks of `fractrain bench`, one generator function each.

A benchmark function prepares (compiles, packs, warms up), then makes one measurement each time it
is resumed and yields its figures, and cleans up when it is closed. So measurements of several
benchmarks take turns, and a drift of the computer's speed affects all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fractrain
from fractrain.host.benchmarks.training import training_steps
from fractrain.host.compiler import Port, Program, Raw, Step, compile_program
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.errors import FractrainError
from fractrain.hw.contract.installation import needs_extra
from fractrain.hw.contract.parameters import DEFAULT_PRESET, load_parameters
from fractrain.hw.contract.precision import Operand, Pass, Precision, value_range

Figures = dict[str, float]
"""Values of one measurement, each under its unit."""


@dataclass(frozen=True)
class Benchmark:
    """``start()`` is the generator; ``about`` says what its figures mean.

    ``package``: what must be installed beyond the lock file.
    """

    name: str
    about: str
    start: Callable[[], Generator[Figures, None, None]]
    package: str | None = None


def array_simulation(config: str) -> Generator[Figures, None, None]:
    """Clock cycles per second of the bare array, a random pass in every cycle."""
    parameters = load_parameters(config)
    with needs_extra("hardware"):
        from fractrain.sim.cosim.array import ArraySimulation, random_passes
    passes = random_passes(parameters, 4 * 64, tile_passes=64, seed=1)
    # about half a second for each preset
    repeats = max(1, 4_000_000_000 // parameters.bit_products_per_cycle // len(passes))
    with ArraySimulation(parameters) as array:
        array.play(passes)
        while True:
            start = time.perf_counter()
            played = array.play(passes, repeats=repeats, keep=0)
            yield {"cycles/s": played.cycles / (time.perf_counter() - start)}


def engine_simulation(config: str) -> Generator[Figures, None, None]:
    """Clock cycles per second of the whole engine in a convolution at 4 x 4 bits.

    An ideal memory, sums at the result port. Also the share of cycles in which the array was busy.
    """
    from fractrain.host.backends.cosim import CosimAccelerator

    program, operands = _convolution(config, bits=4)
    precisions = {0: Precision(4, 4, 4)}
    with CosimAccelerator(program.parameters) as machine:
        while True:
            before = machine.counters
            start = time.perf_counter()
            machine.run(program, operands, precisions)
            seconds = time.perf_counter() - start
            done = machine.counters - before
            yield {
                "cycles/s": done.cycles / seconds,
                "% of cycles busy": 100 * done.busy_cycles / done.cycles,
            }


def packing(config: str, unpack: bool) -> Generator[Figures, None, None]:
    """Bytes of a memory image made (or read back) per second: a convolution at 4 bits."""
    program, operands = _convolution(config, bits=4, destination=Raw())
    precisions = {0: Precision(4, 4, 4)}
    memory = program.pack(operands)
    while True:
        start = time.perf_counter()
        if unpack:
            program.unpack(memory, precisions)
        else:
            program.pack(operands)
        yield {"GB/s": memory.nbytes / 1e9 / (time.perf_counter() - start)}


def _convolution(
    config: str, *, bits: int, destination: Port | Raw | None = None
) -> tuple[Program, dict[str, NDArray[np.int64]]]:
    """A 3 x 3 layer of four blocks of channels each way, and random operands for it."""
    parameters = load_parameters(config)
    channels = 4 * parameters.block.channels
    geometry = Geometry(8, channels, channels, (16, 16), (3, 3), 1, 1)
    step = Step(Pass.FORWARD, geometry, 0, "a", "w", "y", (bits, bits), destination or Port())
    operands = {
        "a": _random(geometry.activations, bits, Operand.ACTIVATION.signed),
        "w": _random(geometry.weights, bits, Operand.WEIGHT.signed),
    }
    return compile_program(parameters, [step]), operands


def _random(shape: tuple[int, ...], bits: int, signed: bool) -> NDArray[np.int64]:
    low, high = value_range(bits, signed)
    return np.random.default_rng(1).integers(low, high + 1, shape)


def training(steps: int) -> Generator[Figures, None, None]:
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
    command = [sys.executable, "-m", "fractrain", "train", "--steps", str(steps)]
    command += ["--name", "bench", "--overwrite"]
    root = Path(fractrain.__file__).parent.parent
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


FORMS = {"": "", "plain": ", without Numba", "float": ", float32 around convolutions"}

BENCHMARKS = [
    *(
        Benchmark(
            f"array-{config}",
            "co-simulation of the bare array, a pass in every cycle",
            partial(array_simulation, config),
        )
        for config in ("tiny", DEFAULT_PRESET)
    ),
    *(
        Benchmark(
            f"engine-{config}",
            "co-simulation of the engine, a 3 x 3 layer at 4 x 4 bits",
            partial(engine_simulation, config),
        )
        for config in ("tiny", DEFAULT_PRESET)
    ),
    Benchmark(
        "pack",
        f"tensors to a memory image, 4 bits, {DEFAULT_PRESET}",
        partial(packing, DEFAULT_PRESET, False),
    ),
    Benchmark(
        "unpack",
        f"results from memory to a tensor, {DEFAULT_PRESET}",
        partial(packing, DEFAULT_PRESET, True),
    ),
    Benchmark("train", "fractrain train with its defaults", partial(training, 8)),
    *(
        Benchmark(
            "-".join(filter(None, (model, backend, precision, form))).replace("/", ""),
            f"training step of {model}, batch 128, {precision}, on {backend}{FORMS[form]}",
            partial(
                partial(training_steps, model, backend, precision),
                beside_float32=backend == "torch",
                form=form,
            ),
            package="torch" if backend == "torch" else None,
        )
        for model, backend, precision, form in (
            ("resnet20", "golden", "fw8bw8", ""),
            ("resnet20", "golden", "fw8bw8", "plain"),
            ("resnet20", "golden", "fw8bw8", "float"),
            ("resnet38", "golden", "fw8bw8", ""),
            ("resnet38", "golden", "fw8bw8", "float"),
            ("resnet20", "torch", "fw8bw8", ""),
            ("resnet20", "torch", "fw8bw8", "plain"),
            ("resnet20", "torch", "fw8bw8", "float"),
            ("resnet20", "torch", "fractrain", ""),
            ("resnet20", "torch", "fractrain", "float"),
            ("resnet38", "torch", "fw8bw8", ""),
            ("resnet38", "torch", "fw8bw8", "float"),
            ("resnet38", "torch", "fractrain", ""),
            ("resnet38", "torch", "fractrain", "float"),
        )
    ),
]
