"""CARRY's lines become E, with moments and peak, at any pace of the memories."""

from random import Random
from typing import Any

import numpy as np
import pytest

from fractrain.hw.contract.numerics import JOIN_BITS, NARROW_BITS
from fractrain.hw.vector.carry import MOST_LINES, CarryTail
from fractrain.hw.vector.line_layouts import carried_line
from fractrain.sim.functional.arithmetic import saturate, shift_saturate
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS
from tests.hw.vector.beats import ends_and_random
from tests.hw.vector.machines import machine_with_unit

P = machine_with_unit()
PIXELS, CHANNELS = P.array.rows, P.block.channels
MARGIN = 4
Line = dict[str, Any]


def lines_of(rng: np.random.Generator, groups: int, blocks: int) -> list[Line]:
    lines = []
    for group in range(groups):
        for block in range(blocks):
            for channel in range(CHANNELS):
                place = (group * blocks + block) * CHANNELS + channel
                lines.append(
                    {
                        "numbers": ends_and_random(rng, -(1 << 15), (1 << 15) - 1, PIXELS).tolist(),
                        "normalized": ends_and_random(rng, -128, 127, PIXELS).tolist(),
                        "count": int(rng.integers(0, 1 << PIXELS)),
                        "target": 77 + place,
                        "channel": group * CHANNELS + channel,
                        "last": 0,
                    }
                )
    lines[-1]["last"] = 1
    return lines


def wanted(line: Line, shift: int) -> tuple[np.ndarray, int]:
    """E, and the greatest |total|."""
    moved = shift_saturate(np.array(line["numbers"]), shift, JOIN_BITS)
    total = moved * (line["count"] >> np.arange(PIXELS) & 1)
    return saturate(total, NARROW_BITS), int(np.abs(total).max())


COMMANDS = [
    # shift, groups, blocks, totals, start
    (0, 2, 2, 1, 1),
    (-64, 1, 1, 1, 0),
    (3, 1, 3, 0, 1),
    (-9, 2, 1, 1, 1),
    (-3, 1, 2, 1, 1),
    (63, 1, 1, 1, 1),
]


@pytest.mark.parametrize("stalls", STALLS)
def test_every_line(stalls: str) -> None:
    tail = CarryTail(P, MARGIN)
    width = carried_line(P)

    async def body(simulation: Simulation) -> None:
        rng, draw = np.random.default_rng(3), Random(4)
        writes = simulation.sink("staging_writes", stalls=stalls)
        sums = simulation.sink("moment_lines", stalls=stalls)
        peaks = simulation.sink("peaks", stalls=stalls)
        for number, (shift, groups, blocks, totals, start) in enumerate(COMMANDS):
            lines = lines_of(rng, groups, blocks)
            task = {"shift": shift, "totals": totals, "start": start}
            simulation.set(task=task | {"moments": 16, "peak": number})
            taken = [len(each.items) for each in (writes, sums)]
            await simulation.tick(2)
            waiting, ended = list(lines), 0
            allowed = 0
            while not ended:
                # after ``room`` so many lines may still come
                allowed = MARGIN if simulation.get("room") else allowed
                comes = bool(waiting) and allowed > 0 and draw.random() < 0.9
                simulation.set(valid=comes)
                if comes:
                    allowed -= 1
                    simulation.set(line=width.const(waiting.pop(0)))
                ended = simulation.get("ended")
                await simulation.tick()
            found = [wanted(line, shift) for line in lines]
            check(writes.items[taken[0] :], sums.items[taken[1] :], lines, found, task, blocks)
            peak = peaks.items[-1]
            assert len(peaks.items) == number + 1 and peak["address"] == number
            assert peak["value"] == max(each for _, each in found) and not peak["adds"]

    simulate(tail, body)
    assert MARGIN < MOST_LINES


def check(
    writes: list[Any],
    sums: list[Any],
    lines: list[Line],
    found: list[tuple[np.ndarray, int]],
    task: dict[str, int],
    blocks: int,
) -> None:
    """Each line where it belongs, once, in order."""
    assert len(writes) == len(lines) and len(sums) == (len(lines) if task["totals"] else 0)
    for line, (e, _), write in zip(lines, found, writes, strict=True):
        odd = line["target"] % 2
        assert (write["address"], write["enable"]) == (line["target"] // 2, 1 << odd)
        word = int(write["data"][odd])
        got = [word >> NARROW_BITS * pixel & 0xFFFF for pixel in range(PIXELS)]
        assert got == [int(each) & 0xFFFF for each in e]
    for place, (line, (e, _), each) in enumerate(zip(lines, found, sums, strict=False)):
        if place >= len(sums):
            break
        assert list(each["numbers"]) == e.tolist()
        assert list(each["normalized"]) == line["normalized"]
        assert each["first"] and each["last"] and each["correlate"]
        assert each["moments"] + each["channel"] == 16 + line["channel"]
        first_block = place // CHANNELS % blocks == 0
        assert each["start"] == (task["start"] and first_block)
