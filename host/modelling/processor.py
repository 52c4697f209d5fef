"""The processor of the board: a model of its time from published figures, not a measurement.

Two cores of an ARM Cortex-A9 at 667 MHz with NEON. For work of a kind, from below:

    at best      max(cycles by NEON on both cores, bytes of the formula / `PORT_BYTES_PER_SECOND`)
    as written   max(cycles by VFP on one core, bytes of all calls / `COPY_BYTES_PER_SECOND`)

No program on this processor can beat *at best*; *as written* is the least time of our NumPy code,
without Python's overhead of each call. docs/host_work.md has the sources.
"""

from __future__ import annotations

from fractrain.host.modelling.host_kinds import Kind

NAME = "2 × Cortex-A9 at 667 MHz"
CLOCK_HZ = 666_667_000
"""The operating point of Linux's zynq-7000.dtsi."""

CORES = 2

NEON_FLOAT_BYTES = 8
"""Of float32 operands that one core computes on in a cycle: an instruction on four of them keeps
NEON for two cycles (GCC's cortex-a9-neon.md, contributed by ARM)."""

NEON_INTEGER_BYTES = 16
"""The same of integers: one cycle for 16 bytes, multiplications aside."""

PORT_BYTES_PER_SECOND = 2.84e9
"""The most that the memory interconnect reads from DDR through one port (UG585, table 22-4)."""

COPY_BYTES_PER_SECOND = 2 * 393 * 2**20
"""Read and written together by libc's memcpy on a Zynq-7000 at 666 MHz: 393 MiB/s copied (Genode,
issue 4456)."""


def seconds_at_best(kind: Kind, elements: float) -> float:
    """Of ``elements`` of work on both cores, by the best program."""
    lanes = NEON_INTEGER_BYTES if kind.integer else NEON_FLOAT_BYTES
    cycles = kind.operations * kind.lane_bytes / lanes + kind.scalar_cycles
    moved = kind.bytes_read + kind.bytes_written
    return elements * max(cycles / (CORES * CLOCK_HZ), moved / PORT_BYTES_PER_SECOND)


def seconds_as_written(kind: Kind, elements: float) -> float:
    """Of ``elements`` of work on one core, call by call, without NEON, as Debian's armhf is built.

    In a cycle a core issues a load, a store or a floating-point operation; integer operations fit
    beside loads and stores (GCC's cortex-a9.md).
    """
    cycles = kind.accesses_as_written + kind.floating_calls + kind.scalar_cycles
    return elements * max(cycles / CLOCK_HZ, kind.bytes_as_written / COPY_BYTES_PER_SECOND)
