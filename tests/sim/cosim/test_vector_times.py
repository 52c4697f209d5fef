"""Cycles of commands of a machine with a vector unit: the RTL's and the cycle model's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fractrain.hw.contract.commands import (
    SIGNAL,
    WAIT,
    Apply,
    Carry,
    Channel,
    Command,
    Convolve,
    Earlier,
    End,
    Fault,
    Fill,
    Form,
    Join,
    Load,
    Memory,
    Move,
    Narrow,
    Normalize,
    Pattern,
    Quantize,
    Recall,
    Recalled,
    Recompute,
    Report,
    RowPixels,
    Second,
    Set,
    Shape,
    Spill,
    Stage,
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
FEW, MANY, FULL, ABSENT = range(4)
TABLE = Precision(1, 1, 1), Precision(4, 4, 6), Precision(8, 8, 8), Precision(0, 0, 0)
KEPT = KeptBits(4, 4), KeptBits(4, 4), KeptBits(8, 8), KeptBits(0, 0)
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


def convolved(command: Narrow | Join, slot: int = FEW) -> list[Command]:
    """``command`` behind tiles that the array makes, in the few bits of ``FEW`` faster than they
    are taken."""
    convolve = Convolve(
        slot=slot,
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


ERRORS: dict[str, Any] = {"operand": Operand.ERROR, "partner": Operand.WEIGHT}
OUT = 1 << 20


def shape(images: int = 4) -> Shape:
    """4 blocks of each image, in one group of channels."""
    strides = {"stash_stride": 64, "stash_group_stride": 64, "plane_stride": 64}
    planes = {"plane_group_stride": 16, "mask_plane": 9, "activation_plane": 12}
    pixels = {"row_pixels": RowPixels.WHOLE, "valid_x": 16, "valid_y": 1}
    tiles = {"images": images, "tiles_y": 4, "tiles_x": 1, "channel_groups": 1}
    return Shape(entry=0, **tiles, **pixels, **strides, **planes)


def form(**fields: Any) -> Form:
    slots = {"slot": MANY, "kept_slot": MANY, "form_slot": MANY}
    given = {"normalized": True, "planed": True, "residual_bits": 8, "stash": OUT} | fields
    return Form(shape=0, operand=Operand.ACTIVATION, partner=Operand.WEIGHT, **slots, **given)


def at_end(second: Second) -> Form:
    """With all that a block leaves at its end."""
    stashed = {"stash_normalized": True, "stash_mask": True, "stash_activations": True}
    return form(end=True, second=second, second_address=2048, kept=True, **stashed)


def quantize(slot: int, blocks: int) -> Quantize:
    planes = {"destination": OUT, "plane_stride": blocks, "blocks": blocks}
    return Quantize(slot=slot, operand=Operand.WEIGHT, partner=Operand.WEIGHT, source=0, **planes)


SLOTS = {"slot": MANY, "kept_slot": MANY}
APPLY = Apply(shape=0, tensor=1, **SLOTS, **ERRORS)
NORMALIZE = Normalize(
    **SLOTS,
    operand=Operand.ACTIVATION,
    partner=Operand.WEIGHT,
    shape=0,
    destination=2048,
    stash=OUT,
    stashed=True,
)
RECOMPUTE = Recompute(shape=0, form_slot=MANY, **SLOTS, **ERRORS)
APPLIED = replace(APPLY, slot=FULL)
CARRY = Carry(slot=MANY, shape=0, totals=True, **ERRORS)
CHANNEL = Channel(backward=True, pixels=100, chunk=64, address=OUT, **SLOTS, **ERRORS)
SPILL = Spill(address=OUT, runs=2, lines=64, run_stride=128, slot=MANY, **ERRORS)
LOADED_LINES = Fill(address=0, lines=128)
MOVE = Move(
    slot=MANY,
    **ERRORS,
    digit_stride=64,
    run_stride=4,
    runs=4,
    words=4,
    destination_digit_stride=1,
    destination_run_stride=6,
    groups=3,
)


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
IN_MEMORY = {"signal": 1 << SIGNAL[Stage.VECTOR].index(Stage.FETCH)}
SKIPPED = replace(at_end(Second.RESIDUAL), slot=ABSENT, **IN_MEMORY)
READ = Set(address=0, words=1, wait=1 << WAIT[Stage.FETCH].index(Stage.VECTOR))
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
    "a few weights": [quantize(MANY, 1)],
    "weights": [quantize(MANY, 9)],
    "weights of all bits": [quantize(FULL, 9)],
    "errors": [shape(), APPLY],
    "errors of many blocks": [shape(16), APPLY],
    "inside a block": [shape(), form(stash_normalized=True)],
    "at a block's end": [shape(), at_end(Second.RESIDUAL)],
    "behind a shortcut": [shape(), at_end(Second.SHORTCUT)],
    "a shortcut": [shape(), NORMALIZE],
    "formed again": [shape(), RECOMPUTE],
    "carried": [shape(), CARRY],
    "channels": [CHANNEL],
    "spilled": [SPILL],
    "a block's end in memory": [shape(), replace(at_end(Second.RESIDUAL), **IN_MEMORY), READ],
    "channels in memory": [replace(CHANNEL, **IN_MEMORY), READ],
    "spilled into memory": [replace(SPILL, **IN_MEMORY), READ],
    "skipped behind writes": [shape(), form(stash_normalized=True), SKIPPED, READ],
    "peaks": [Report(address=OUT, blocks=4)],
    "moved": [MOVE],
}


@pytest.mark.parametrize("name", REPEATED)
def test_one_after_the_other(machine: ConvolutionSimulation, name: str) -> None:
    """What some more of the same take, to two cycles each; to three what the model is known to be
    farther off at: QUANTIZE of a larger machine, and words that wait for a turn."""
    once, twice = (cycles(machine, REPEATED[name] * count) for count in (TIMES, 2 * TIMES))
    measured, modelled = (b - a for a, b in zip(once, twice, strict=True))
    quantizes = isinstance(REPEATED[name][-1], Quantize) and machine.parameters is ZC706
    farther = quantizes or name == "the next words wait for a turn"
    assert abs(measured - modelled) <= (3 if farther else 2) * TIMES


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


def test_convolutions_wait_in_front_of_the_array(machine: ConvolutionSimulation) -> None:
    """Only as many of them are taken ahead as the loops have room for, and with all others the
    UPDATEs behind them wait."""
    images = Convolve(
        slot=FULL,
        operand=Operand.ACTIVATION,
        partner=Operand.WEIGHT,
        row_signed=False,
        column_signed=True,
        pattern=0,
        pairs=1,
        address=0,
        column_address=0,
        images=16,
        reduce=True,
        finish=False,
    )
    queued = machine.parameters.queues.commands
    updates = [update(number % 8, FULL) for number in range(20 + 2 * queued)]
    pattern = Pattern(entry=0, a_enable=True, a_quarters=15)
    measured, modelled = cycles(machine, [pattern, *[images] * (12 + queued), *updates])
    assert modelled - BEGIN_CYCLES == pytest.approx(measured, rel=0.01)


JOINED = Join(row_pixels=RowPixels.HALF, totals=True, **SHARED | {"images": 64})
"""It reads and writes lines in a half or in a quarter of its time."""
BESIDE: dict[str, tuple[list[Command], list[Command], float]] = {
    "lines from memory, beside those of results": (
        [replace(LOADED_LINES, lines=512)] * 4,
        convolved(JOINED, FULL),
        0.01,
    ),
    "lines to memory": ([SPILL] * 16, convolved(JOINED, FULL), 0.01),
    "errors": ([shape(16), *[APPLY] * 6], convolved(JOINED, FULL), 0.03),
    "words for planes, beside those of errors": ([LOAD] * 30, [shape(16), *[APPLIED] * 4], 0.01),
    "words of planes": ([MOVE] * 12, [shape(16), *[APPLIED] * 4], 0.01),
}


@pytest.mark.parametrize("name", BESIDE)
def test_turns_at_a_memory(machine: ConvolutionSimulation, name: str) -> None:
    """The first of both waits for turns that the second takes."""
    waiting, taking, most = BESIDE[name]
    measured, modelled = cycles(machine, [*taking, *waiting])
    alone = max(cycles(machine, each)[0] for each in (waiting, taking))
    # blocks of a larger machine leave more turns
    assert measured > 1.05 * alone or machine.parameters is ZC706
    assert modelled - BEGIN_CYCLES == pytest.approx(measured, rel=most)
