"""Configurations that are accepted, and small layers that show whether their machines work.

    python -m tests.coverage.configurations
    python -m tests.coverage.configurations --name zc706 --rtl

generates the machines, reads their Verilog with Verilator and, with ``--rtl``, runs the layers on
it: the large ones, which take many minutes. The tests do so with the small ones.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fractrain.gen.designs import ENGINE_NAME, Flavour, make_engine
from fractrain.gen.verilog import emit
from fractrain.host.compiler import Planes, Port, Step
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.configuration_checks import WINDOW_PATTERNS
from fractrain.hw.contract.parameters import SPATIAL_BITS, Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cosim.compile import Design
from fractrain.sim.cosim.convolution import convolution_design
from fractrain.sim.cosim.toolchain import require_tools, tool_environment
from tests.coverage.arrays import oversized
from tests.coverage.bins import layer_points
from tests.coverage.cases import Case, Run
from tests.coverage.commands import COMMAND_POINTS
from tests.coverage.drawing import Random, draw_bus
from tests.coverage.machine import Machine
from tests.coverage.points import Coverage
from tests.host.compiler.running import three_passes
from tests.hw.machines import machine
from tests.hw.verilator import primitive_models

Changes = Mapping[str, Any]
VERILATOR = "verilator --lint-only -Wno-fatal -Wno-lint -Wno-style --no-timing".split()


def least(changes: Changes, preset: str = "tiny") -> dict[str, Any]:
    """``changes`` with the smallest buffers that a machine with them can have."""
    p = machine(preset, **changes)
    digits = p.digits(p.precision.max_bits)
    sizes = {
        "column_words": max(4, 2 * digits),
        "plane_words": max(16, 2 * p.lane_groups * digits),
        "gradient_words": p.beats_per_tile,
        "patterns": WINDOW_PATTERNS,
    }
    return {**changes, **{f"buffers__{name}": words for name, words in sizes.items()}}


SMALLEST = {
    "precision__slots": 1,
    "queues__commands": 2,
    "queues__result_tiles": 2,
    "memory__ports": 1,
    "memory__outstanding": 1,
}
ODD = {
    "buffers__plane_words": 333,
    "buffers__column_words": 67,
    "buffers__gradient_words": 45,
    "buffers__patterns": 19,
    "queues__commands": 3,
    "queues__result_tiles": 5,
    "memory__ports": 3,
    "memory__outstanding": 3,
    "precision__slots": 5,
}
SMALL: dict[str, Changes] = {
    "smallest": least({**SMALLEST, "precision__max_bits": 4, "array__cluster_columns": 1}),
    "odd-2": {**ODD, "array__spatial_bits": 2, "array__cluster_rows": 1},
    "ports-4": {
        "array__spatial_bits": 4,
        "memory__ports": 4,
        "memory__outstanding": 16,
        "array__cluster_rows": 16,
        "array__cluster_columns": 8,
    },
    "smallest-8": least({**SMALLEST, "array__spatial_bits": 8, "precision__max_bits": 8}),
}
"""Changes to tiny."""

STYLES: dict[str, Changes] = {
    "primitives": {"array__dot": "lut6", "array__accumulator": "dsp48e1"},
    "plain": {"array__dot": "inferred", "array__accumulator": "behavioural"},
}
"""Changes to tiny that only a machine for the FPGA shows."""

LARGE: dict[str, Changes] = {
    "zc706-2": {"array__spatial_bits": 2},
    "zc706-4": {"array__spatial_bits": 4},
    "zc706-8": {"array__spatial_bits": 8},
    "zc706-largest": {
        "buffers__column_words": 65536,
        "buffers__plane_words": 65536,
        "buffers__gradient_words": 65536,
        "buffers__patterns": 128,
        "queues__commands": 256,
        "queues__result_tiles": 64,
        "memory__outstanding": 16,
        "array__cluster_columns": 1,
    },
}
"""Changes to zc706 of which the machines are too large for the tests."""


@st.composite
def configurations(draw: st.DrawFn) -> Parameters:
    """Engines of any sizes, often the smallest; the memories up to a few thousand words."""
    channels = draw(st.sampled_from((8, 8, 16)))
    spatial = draw(st.sampled_from(SPATIAL_BITS))
    widest = draw(st.sampled_from([bits for bits in range(1, 17) if bits % spatial == 0]))
    rows, columns = (
        draw(st.sampled_from([count for count in (1, 2, 4, 8, 16) if size % count == 0]))
        for size in (2 * channels, channels)
    )
    shape = {
        "array__spatial_bits": spatial,
        "array__cluster_rows": rows,
        "array__cluster_columns": columns,
        "array__dot": draw(st.sampled_from(("lut6", "inferred"))),
        "array__accumulator": draw(st.sampled_from(("dsp48e1", "behavioural"))),
        "precision__max_bits": widest,
        "precision__slots": draw(st.sampled_from((1, 2, 64, 256))),
        "queues__commands": draw(st.sampled_from((2, 3, 16, 256))),
        "queues__result_tiles": draw(st.sampled_from((2, 3, 64))),
        "memory__ports": draw(st.integers(1, 4)),
        "memory__outstanding": draw(st.integers(1, 16)),
    }
    preset = "tiny" if channels == 8 else "zc706"
    smallest = least(shape, preset)
    sizes = {
        name: words + draw(st.sampled_from((0, 0, 1, words // 2, 7 * words)))
        for name, words in smallest.items()
        if name.startswith("buffers__")
    }
    sizes["buffers__patterns"] = min(sizes["buffers__patterns"], 128)
    return machine(preset, **{**shape, **sizes})


def layers(p: Parameters) -> Iterator[tuple[list[Step], dict[int, Precision]]]:
    """Programs of all passes that need every kind of window, cut and result, narrow and wide."""
    pixels, channels, most = p.array.rows, p.block.channels, p.precision.max_bits
    widest, few = (most,) * 3, (min(3, most), min(2, most), 1)
    for geometry, bits in (
        (Geometry(2, channels + 3, channels + 1, (pixels // 2, pixels // 2), (3, 3), 1, 1), few),
        (Geometry(3, channels, 2 * channels, (5, pixels // 4), (3, 3), 2, 1), widest),
        (Geometry(1, channels, channels, (5, 2 * pixels), (3, 3), 1, 1), few),
        (Geometry(2, 2, 3, (3, 4 * pixels), (3, 3), 2, 1), widest),
        (Geometry(3, 10 * channels, channels, (4, 4), (1, 1), 2, 0), (most, 1, most)),
        (Geometry(1, 4, channels, (9, 9), (5, 5), 2, 2), widest),
    ):
        precision = {0: Precision(*bits)}
        steps = three_passes(geometry, bits)
        yield steps, precision
        for destination in (Port(), Planes(min(7, most), 3, signed=True)):
            # gradients leave raw or at the port
            some = steps if isinstance(destination, Port) else steps[:2]
            yield [dataclasses.replace(each, destination=destination) for each in some], precision


def design_of(p: Parameters, flavour: Flavour = Flavour.SIMULATION) -> Design:
    """The engine of ``p``; that for synthesis comes with models of its primitives."""
    if flavour is Flavour.SIMULATION:
        return convolution_design(p)
    return Design(ENGINE_NAME, emit(make_engine(p, flavour), ENGINE_NAME) + primitive_models())


def simulate(p: Parameters, design: Design, every: int = 1) -> int:
    """Run each ``every``-th program of `layers` on ``design``; raises `Mismatch`.

    Returns the cycles.
    """
    coverage = Coverage({**layer_points(p), **COMMAND_POINTS})
    engine = Machine(p, coverage, design)
    random = Random(1)
    try:
        for number, (steps, table) in enumerate(islice(layers(p), 0, None, every)):
            bus = ("ideal", "long stalls")[number % 2]
            run = Run(table, bus, *draw_bus(random, p, bus), seed=number)
            engine.check(Case(tuple(steps), (run,), seed=number))
    finally:
        engine.close()
    return engine.cycles


def lint(design: Design) -> list[str]:
    """What is wrong with the Verilog: errors of Verilator, arrays too large for tools."""
    require_tools()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "engine.v").write_text(design.verilog)
        result = subprocess.run(
            [*VERILATOR, "--top-module", design.name, "engine.v"],
            cwd=folder,
            env=tool_environment(),
            capture_output=True,
            text=True,
        )
    found = [line for line in result.stderr.splitlines() if line.startswith("%Error")]
    arrays = oversized(design.verilog)
    return found + [f"array {name} has {bits} bits" for name, bits in arrays.items()]


def check(name: str, p: Parameters, flavour: Flavour, *, rtl: bool) -> bool:
    """Print what becomes of ``p``; whether all is well."""
    start = time.monotonic()
    design = design_of(p, flavour)
    found = lint(design)
    if rtl and not found:
        print(f"{name}, {flavour.value}: {simulate(p, design):,} cycles, all exact", flush=True)
    print(f"{name}, {flavour.value}: {found or 'ok'}, {time.monotonic() - start:.0f} s", flush=True)
    return not found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.coverage.configurations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--name", default="", help="those whose name begins so (default: all)")
    parser.add_argument("--rtl", action="store_true", help="run layers on the RTL, too")
    options = parser.parse_args()
    well = True
    for preset, configured in (("tiny", SMALL | STYLES), ("zc706", LARGE)):
        for name, changes in configured.items():
            if name.startswith(options.name):
                flavour = Flavour.SYNTHESIS if name in STYLES else Flavour.SIMULATION
                well &= check(name, machine(preset, **changes), flavour, rtl=options.rtl)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
