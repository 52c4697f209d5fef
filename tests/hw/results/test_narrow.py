"""Narrowing: every shift to every width, around limits and halves, whenever the steps come."""

from collections import deque
from collections.abc import Iterator
from random import Random

import pytest

from fractrain.hw.contract.precision import MAX_BITS, SUM_BITS
from fractrain.hw.results.narrow import Narrower
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS, stall_pattern

LOWEST, HIGHEST = -(1 << SUM_BITS - 1), (1 << SUM_BITS - 1) - 1
SHIFTS = range(64)
MODES = [
    (shift, bits, signed)
    for shift in SHIFTS
    for bits in range(1, MAX_BITS + 1)
    for signed in (False, True)
]


def narrowed(value: int, shift: int, bits: int, signed: bool) -> int:
    """The contract's formula: floor((sum + 2**(shift-1)) / 2**shift), saturated; ``bits`` bits."""
    if shift:
        value = (value + (1 << shift - 1)) >> shift
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return min(max(value, low), high) & (1 << bits) - 1


def interesting(draw: Random, shift: int, bits: int, signed: bool) -> int:
    """A sum around a limit, a half or zero, at the end of the range, or of any size."""
    half = 1 << max(0, shift - 1)
    limits = [-(1 << bits - 1), (1 << bits - 1) - 1] if signed else [0, (1 << bits) - 1]
    kind = draw.randrange(4)
    if kind == 0:
        value = (draw.choice(limits) << shift) + draw.choice([-half, 0, half]) + draw.randint(-1, 1)
    elif kind == 1:
        value = draw.choice([0, LOWEST, HIGHEST]) + draw.randint(-2, 2)
    elif kind == 2:
        value = (2 * draw.randint(-9, 9) + 1) * half + draw.randint(-1, 1)
    else:
        value = draw.getrandbits(SUM_BITS) >> draw.randrange(SUM_BITS)
        value = value if draw.random() < 0.5 else -value
    return min(max(value, LOWEST), HIGHEST)


def check(sizes: tuple[int, int, int], modes: Iterator[tuple[int, int, bool]], stalls: str) -> None:
    results, pixels, part_results = sizes
    narrower = Narrower(results, pixels, part_results)
    parts = results // part_results

    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        stall = stall_pattern(stalls, draw)
        # what the last steps gave: bits and wanted results, to be seen LATENCY_STEPS after
        inside: deque[tuple[int, list[int]] | None] = deque([None] * narrower.LATENCY_STEPS)
        for shift, bits, signed in modes:
            while True:
                sums = [interesting(draw, shift, bits, signed) for _ in range(results)]
                simulation.set(
                    sums=sum(
                        value % (1 << SUM_BITS) << SUM_BITS * i for i, value in enumerate(sums)
                    ),
                    shift=shift % 16,
                    coarse=sum(shift // 16 << 2 * part for part in range(parts)),
                    signed=signed,
                    beyond=(1 << MAX_BITS) - (1 << bits - signed),
                )
                step = not next(stall)
                simulation.set(step=(1 << parts) - 1 if step else 0)
                outside = draw.getrandbits(pixels) & draw.getrandbits(pixels)
                simulation.set(outside=outside)
                shown = inside[0]
                if shown is not None:
                    width, wanted = shown
                    found = [each % (1 << width) for each in simulation.get("results")]
                    assert found == wanted
                await simulation.tick()
                if step:
                    break
            inside.popleft()
            entered = [narrowed(value, shift, bits, signed) for value in sums]
            inside.append((bits, entered))
            leaves = inside[0]
            if leaves is not None:  # its last step was this one
                width, wanted = leaves
                kept = [
                    0 if outside >> i * pixels // results & 1 else value
                    for i, value in enumerate(wanted)
                ]
                inside[0] = width, kept

    simulate(narrower, body)


@pytest.mark.parametrize("sizes", [(4, 2, 2), (4, 4, 4), (8, 2, 4)], ids=str)
def test_every_shift_and_width(sizes: tuple[int, int, int]) -> None:
    """Each after each other in random order, a set of sums in every step."""
    draw = Random(f"{sizes}")
    check(sizes, iter(draw.sample(MODES, len(MODES))), "never")


@pytest.mark.parametrize("stalls", STALLS)
def test_steps_come_when_they_like(stalls: str) -> None:
    """What is inside stays while there is no step; everything is counted in steps."""
    draw = Random(stalls)
    check((4, 2, 2), iter(draw.sample(MODES, 200)), stalls)
