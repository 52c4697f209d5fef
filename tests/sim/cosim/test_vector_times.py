"""Cycles of commands of a machine with a vector unit: the RTL's and the cycle model's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from fractrain.hw.contract.commands import (
    Command,
    Convolve,
    Earlier,
    End,
    Fault,
    Fill,
    Join,
    Load,
    Memory,
    Narrow,
    Pattern,
    Recall,
    Recalled,
    RowPixels,
    Set,
    Update,
    encode_all,
)
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.precision import Operand, Precision
from fractrain.hw.contract.registers import CYCLE_COUNTERS
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.cycles import predict
from fractrain.sim.memory_model import MemoryModel
from tests.sim.cosim.unit_programs import read_counters, run_program, set_tables
from tests.sim.cosim.vector_engine import ZC706, P

MEMORY_BYTES = 1 << 24
PROGRAM = 1 << 22
FEW, MANY, FULL = range(3)
TABLE = Precision(1, 1, 1), Precision(4, 4, 6), Precision(8, 8, 8)
KEPT = KeptBits(4, 4), KeptBits(4, 4), KeptBits(8, 8)
IDEAL = MemoryModel.ideal()
TIMES = 4
BEGIN_CYCLES = 12
"""In the model a program begins when 128 bytes of it have come, in the RTL with a command."""


@pytest.fixture(
    scope="module", params=[P, pytest.param(ZC706, marks=pytest.mark.slow)], ids=["P", "zc706"]
)
def machine(request: pytest.FixtureRequest) -> Iterator[ConvolutionSimulation]:
    with ConvolutionSimulation(request.param, memory_bytes=MEMORY_BYTES) as found:
        found.configure(IDEAL)
        yield found


def cycles(machine: ConvolutionSimulation, commands: Sequence[Command]) -> tuple[int, int]:
    """Of a program with ``commands``: measured in RTL, and modelled."""
    program = [*commands, End()]
    set_tables(machine, TABLE, KEPT, (0, 0))
    words = encode_all(program)
    machine.memory[PROGRAM:][: words.size] = words.reshape(-1)
    assert run_program(machine, PROGRAM, len(program)).fault is Fault.NONE
    names = [each.name for each in CYCLE_COUNTERS]
    counters = read_counters(machine)
    measured = sum(count for (_, name), count in counters.items() if name in names)
    tables = dict(enumerate(TABLE)), IDEAL
    kept = dict(enumerate(KEPT))
    found = predict(machine.parameters, program, *tables, program_address=PROGRAM, kept=kept)
    return measured, found.cycles


def convolved(command: Narrow | Join) -> list[Command]:
    """``command`` behind tiles that the array makes faster than they are taken."""
    convolve = Convolve(
        slot=FEW,
        operand=Operand.ACTIVATION,
        partner=Operand.WEIGHT,
        row_signed=False,
        column_signed=True,
        pattern=0,
        pairs=1,
        address=0,
        column_address=0,
        images=command.images,
    )
    return [Pattern(entry=0, a_enable=True, a_quarters=15), convolve, command]


def recall(slot: int, *, masked: bool = False) -> Recall:
    place = {"plane_stride": 64, "mask_plane": 9, "blocks": 5}
    return Recall(kind=Recalled.END, address=0, kept_slot=slot, masked=masked, **place)


def update(number: int, slot: int) -> Update:
    """Of a tile of its own: both half-blocks."""
    size = 0x1000
    return Update(
        slot=slot,
        operand=Operand.ACTIVATION,
        partner=Operand.ERROR,
        a_enable=True,
        a_address=number * size,
        b_enable=True,
        b_address=(1 << 20) + number * size,
        velocity=1 << 21,
        taps=9,
    )


LOAD = Load(
    slot=FULL,
    operand=Operand.ACTIVATION,
    partner=Operand.WEIGHT,
    memory=Memory.PLANES,
    address=0,
    words=16,
    runs=1,
    destination=0,
    digit_stride=64,
)
SHARED = {"images": 8, "interleaved": True, "image_blocks": 4}
LATER = {"earlier": Earlier.PART, "earlier_address": 2048}
REPEATED: dict[str, list[Command]] = {
    "a record at a time": [Set(address=0, words=9)],
    "lines": [Fill(address=0, lines=9)],
    "a block is turned": [recall(MANY)],
    "words come slower than a block is turned": [recall(FULL, masked=True)],
    "the next words wait for a turn": [recall(MANY), Set(address=0, words=4), LOAD],
    "narrow": convolved(Narrow(images=8)),
    "join": convolved(Join(images=8, earlier=Earlier.STREAM)),
    "part": convolved(Join(images=8, part=True, address=2048)),
    "a row is a line of the tensor": convolved(Join(row_pixels=RowPixels.QUARTER, **SHARED)),
    "two lines": convolved(Join(row_pixels=RowPixels.HALF, **SHARED, **LATER)),
    "update": [update(0, FULL)],
}


@pytest.mark.parametrize("name", REPEATED)
def test_one_after_the_other(machine: ConvolutionSimulation, name: str) -> None:
    """What some more of the same take, to a cycle or two each."""
    once, twice = (cycles(machine, REPEATED[name] * count) for count in (TIMES, 2 * TIMES))
    measured, modelled = (b - a for a, b in zip(once, twice, strict=True))
    assert abs(measured - modelled) <= 2 * TIMES


@pytest.mark.parametrize(
    "result",
    [Narrow(images=200), Join(row_pixels=RowPixels.HALF, **SHARED | {"images": 50}, **LATER)],
    ids=["narrow", "join"],
)
def test_no_turn_at_the_gradient_memory(
    machine: ConvolutionSimulation, result: Narrow | Join
) -> None:
    """While beats stand still there, an UPDATE waits until the last of them."""
    updates = [update(number, FULL) for number in range(4)]
    measured, modelled = cycles(machine, [*updates, *convolved(result)])
    alone, _ = cycles(machine, updates)
    assert measured > 1.5 * alone
    assert modelled - BEGIN_CYCLES == pytest.approx(measured, rel=0.01)
