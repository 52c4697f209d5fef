"""What a vector unit refuses: every command with each field wrong, at its limit and past."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fractrain.hw.contract.commands import (
    ENGINE_OPCODES,
    FIELDS,
    HEADER,
    Apply,
    Carry,
    Channel,
    Command,
    End,
    Fault,
    Fill,
    Form,
    Headed,
    Join,
    Move,
    Narrow,
    Normalize,
    Opcode,
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
    encode,
    field_types,
    opcode_of,
)
from fractrain.hw.contract.commands.enums import SIGNAL, WAIT
from fractrain.hw.contract.errors import MachineError
from fractrain.sim.functional.decoding import decode_task
from fractrain.sim.functional.fault import FaultError, StageFault
from tests.hw.machines import machine
from tests.sim.functional.limits import EVEN, WEIGHT, ends
from tests.sim.functional.vector_bench import ERROR, SIZE, VECTOR, VectorBench, small

P = small(precision__slots=5)
GOOD: tuple[Headed, ...] = (
    Move(groups=0x10),
    Recall(kind=Recalled.END, address=0),
    Fill(address=0),
    Set(address=0),
    Narrow(),
    Join(**ERROR),
    Shape(entry=0),
    Channel(pixels=16, address=0),
    Normalize(shape=0),
    Form(shape=0),
    Recompute(shape=0),
    Carry(**ERROR, shape=0),
    Apply(**ERROR, shape=0),
    Spill(address=0),
    Report(address=0),
    Quantize(**WEIGHT),
    Update(),
)


def bench() -> VectorBench:
    return VectorBench(P)


def fault_of(word: int, made: VectorBench | None = None) -> Fault | None:
    """What the decoder says."""
    made = made or bench()
    try:
        decode_task(word, 0, made.p, made.machine.table, made.machine.kept)
    except StageFault as fault:
        return fault.fault
    return None


def fault_of_run(*commands: Command, made: VectorBench | None = None) -> tuple[Fault, int] | None:
    """What the machine says, and of which command."""
    try:
        (made or bench()).run(Shape(entry=0), *commands, End())
    except FaultError as error:
        return error.fault, error.index
    return None


def with_field(command: Headed, name: str, value: int) -> int:
    """The word of ``command`` with any number in a field."""
    place = FIELDS[opcode_of(command)][name]
    return encode(command) & ~(((1 << place.width) - 1) << place.offset) | place.insert(value)


def test_every_command_is_here_and_good() -> None:
    assert {opcode_of(each) for each in GOOD} == set(Opcode) - set(ENGINE_OPCODES)
    for command in GOOD:
        assert fault_of(encode(command)) is None, command


@pytest.mark.parametrize("command", GOOD, ids=lambda each: type(each).__name__)
def test_a_machine_without_a_vector_unit_does_not_know_them(command: Headed) -> None:
    p = machine(precision__slots=5)
    with pytest.raises(StageFault) as caught:
        decode_task(encode(command), 0, p, bench().machine.table)
    assert caught.value.fault is Fault.OPCODE


@pytest.mark.parametrize("opcode", [0, max(Opcode) + 1, 255])
def test_unknown_opcodes(opcode: int) -> None:
    assert fault_of(opcode) is Fault.OPCODE


def wrong_fields() -> list[Any]:
    """(command, field, value that is wrong, the fault)."""
    found: list[tuple[Headed, str, int, Fault]] = []
    for command in GOOD:
        opcode = opcode_of(command)
        stage = opcode.stage
        assert stage is not None
        for name, place in FIELDS[opcode].items():
            kind = field_types(opcode)[name]
            if name in ("slot", "kept_slot", "form_slot", "mask_slot"):
                found.append((command, name, 5, Fault.SLOT))
            elif name in ("operand", "partner"):
                found.append((command, name, 3, Fault.SLOT))
            elif name in ("wait", "signal"):
                tokens = len((WAIT if name == "wait" else SIGNAL)[stage])
                found += [(command, name, 1 << bit, Fault.COUNT) for bit in range(tokens, 4)]
            elif place.count:
                found.append((command, name, 0, Fault.COUNT))
            elif name not in HEADER and kind not in (int, bool) and len(kind) < 1 << place.width:
                found.append((command, name, len(kind), Fault.COUNT))
    return [
        pytest.param(*each, id=f"{type(each[0]).__name__}-{each[1]}-{each[2]}") for each in found
    ]


@pytest.mark.parametrize(("command", "name", "value", "fault"), wrong_fields())
def test_wrong_fields(command: Headed, name: str, value: int, fault: Fault) -> None:
    assert fault_of(with_field(command, name, value)) is fault
    place = FIELDS[opcode_of(command)][name]
    good = 1 if place.count else value - 1 if fault is Fault.SLOT else 0
    assert fault_of(with_field(command, name, good)) in (None, Fault.PRECISION)


def test_residuals_and_counts_at_their_limits() -> None:
    narrow = VectorBench(small(vector=VECTOR | {"side_bits": 9}))
    r = Recall(kind=Recalled.RESIDUAL, address=0)
    for bits, fault in ((7, Fault.COUNT), (8, None), (9, None), (10, Fault.COUNT)):
        assert fault_of(encode(replace(r, bits=bits)), narrow) is fault
        form = Form(shape=0, residual_bits=bits, kept=True)
        assert fault_of(encode(form), narrow) is fault
        form = Form(shape=0, residual_bits=bits, second=Second.RESIDUAL)
        assert fault_of(encode(form), narrow) is fault
    for bits, fault in ((16, None), (17, Fault.COUNT)):
        assert fault_of(encode(Form(shape=0, residual_bits=bits)), narrow) is fault
    for pixels, fault in ((1 << 17, None), ((1 << 17) + 1, Fault.COUNT)):
        assert fault_of(encode(Channel(pixels=pixels, address=0))) is fault
    for words, fault in ((5, None), (6, Fault.COUNT)):
        assert fault_of(encode(Move(words=words))) is fault
    for group, fault in ((8, None), (9, Fault.COUNT), (15, None)):
        assert fault_of(encode(Move(groups=group << 4))) is fault


@pytest.mark.parametrize("over", [0, 1])
def test_bits_that_the_unit_does_not_take(over: int) -> None:
    fault = Fault.PRECISION if over else None
    made = bench()
    made.set_slot(1, (8 + over, 8 + over, 12 + over), (8, 8))
    for command in (
        Form(shape=0, form_slot=1),
        Recompute(shape=0, form_slot=1),
        Apply(**ERROR, slot=1, shape=0),
        Quantize(**WEIGHT, slot=1),
    ):
        assert fault_of(encode(command), made) is fault, command
    # what is skipped reads no bits
    made.set_slot(2, (0, 0, 0), (8, 8))
    assert fault_of(encode(Form(shape=0, slot=2, form_slot=1)), made) is None
    wide = VectorBench(small(precision__max_bits=8))
    wide.set_slot(1, (8, 8 + over, 8), (8, 8))
    assert fault_of(encode(Narrow(slot=1)), wide) is fault


@pytest.mark.parametrize(
    ("kept", "inside", "end"),
    [((3, 8), False, True), ((12, 8), False, True), ((11, 3), True, False), ((4, 9), True, False)],
)
def test_bits_of_x_that_do_not_exist(kept: tuple[int, int], inside: bool, end: bool) -> None:
    made = bench()
    made.set_slot(1, (8, 8, 8), kept)
    of: dict[str, Any] = {"kept_slot": 1}
    for command, good in (
        (Recall(kind=Recalled.INSIDE, address=0, **of), inside),
        (Recall(kind=Recalled.END, address=0, **of), end),
        (Channel(pixels=1, backward=True, address=0, **of), inside),
        (Channel(pixels=1, backward=True, end=True, address=0, **of), end),
        (Channel(pixels=1, address=0, **of), True),
        (Normalize(shape=0, stashed=True, **of), end),
        (Normalize(shape=0, **of), True),
        (Form(shape=0, **of), inside),
        (Form(shape=0, end=True, stash_normalized=True, **of), end),
        (Form(shape=0, end=True, **of), True),
        (Recompute(shape=0, **of), inside),
        (Apply(**ERROR, shape=0, **of), inside),
        (Apply(**ERROR, shape=0, end=True, **of), end),
    ):
        assert fault_of(encode(command), made) is (None if good else Fault.PRECISION), command


def test_x_must_fit_into_the_side_memory() -> None:
    narrow = VectorBench(small(vector=VECTOR | {"side_bits": 9}))
    for bits, fault in ((9, None), (10, Fault.PRECISION)):
        narrow.set_slot(1, (8, 8, 8), (bits, 8))
        recall = Recall(kind=Recalled.INSIDE, address=0, kept_slot=1)
        assert fault_of(encode(recall), narrow) is fault


LINES, SIDE = VECTOR["staging_words"], VECTOR["side_words"]
RECORDS, MOMENTS, PEAKS = (
    VECTOR[name] for name in ("parameter_words", "moment_words", "peak_words")
)


ENDS = ends(P)


@pytest.mark.parametrize(
    ("command", "name", "last"), ENDS, ids=[f"{type(c).__name__}-{n}" for c, n, _ in ENDS]
)
def test_the_ends_of_the_memories(command: Headed, name: str, last: int) -> None:
    """Up to the last line, and not one past."""
    assert fault_of_run(replace(command, **{name: last})) is None
    assert fault_of_run(replace(command, **{name: last + 1})) == (Fault.ADDRESS, 1)


@pytest.mark.parametrize(
    ("command", "name"), EVEN, ids=[f"{type(c).__name__}-{n}" for c, n in EVEN]
)
def test_tensors_begin_with_an_even_line(command: Headed, name: str) -> None:
    assert fault_of_run(replace(command, **{name: 1})) == (Fault.ADDRESS, 1)
    assert fault_of_run(replace(command, **{name: 2})) is None


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"valid_x": 16}, None),
        ({"valid_x": 8}, None),
        ({"valid_x": 4}, None),
        ({"valid_x": 15}, Fault.COUNT),
        ({"valid_x": 2}, Fault.COUNT),
        ({"valid_x": 2, "row_pixels": RowPixels.HALF}, None),
        ({"valid_x": 1, "row_pixels": RowPixels.QUARTER}, None),
        ({"valid_x": 3, "row_pixels": RowPixels.QUARTER}, Fault.COUNT),
        ({"valid_x": 16, "tiles_x": 2}, None),
        ({"valid_x": 8, "tiles_x": 2}, Fault.COUNT),
        ({"valid_x": 8, "row_pixels": RowPixels.HALF, "tiles_x": 2}, Fault.COUNT),
    ],
)
def test_rows_of_which_errors_are_rounded(fields: dict[str, Any], fault: Fault | None) -> None:
    """Filled whole, to a half or to a quarter."""
    found = fault_of_run(Shape(entry=1, **fields), Apply(**ERROR, shape=1))
    assert found == (None if fault is None else (fault, 2))


@pytest.mark.parametrize(
    ("command", "name", "last"),
    [
        (Narrow(), "address", LINES - 8),
        (Narrow(), "scale", RECORDS - 1),
        (Narrow(), "moments", MOMENTS - 8),
        (Narrow(), "peak", PEAKS - 1),
        (Join(**ERROR), "address", LINES - 8),
        (Join(**ERROR, part=True), "address", LINES - 16),
        (Join(**ERROR), "scale", RECORDS - 1),
        (Join(**ERROR, totals=True), "moments", MOMENTS - 8),
        (Join(**ERROR, totals=True), "side_address", SIDE - 8),
        (Join(**ERROR, masked=True), "side_address", SIDE - 8),
        (Join(**ERROR, earlier=1), "earlier_address", LINES - 8),
        (Join(**ERROR, earlier=2), "earlier_address", LINES - 16),
        (Join(**ERROR), "peak", PEAKS - 1),
    ],
)
def test_the_ends_of_the_memories_for_tiles(command: Headed, name: str, last: int) -> None:
    def fault(value: int) -> Fault | None:
        made = bench()
        word = encode(replace(command, **{name: value}))
        task = decode_task(word, 0, P, made.machine.table, made.machine.kept)
        tile = np.ones((P.array.rows, P.array.columns), np.int64)
        try:
            made.machine._staging.store(task, task.command, 0, tile)  # type: ignore[arg-type]
        except StageFault as found:
            return found.fault
        return None

    assert fault(last) is None
    assert fault(last + 1) is Fault.ADDRESS


def test_an_interleaved_tile_ends_where_its_image_does() -> None:
    join = Join(**ERROR, interleaved=True, odd_row=True, image_blocks=4, valid_x=2, valid_y=1)
    for address, fault in ((LINES - 3 * 8, None), (LINES - 3 * 8 + 1, Fault.ADDRESS)):
        made = bench()  # rows of 16 pixels, twice as wide: row 1 is blocks 2 and 3
        task = decode_task(
            encode(replace(join, address=address)), 0, P, made.machine.table, made.machine.kept
        )
        tile = np.ones((P.array.rows, P.array.columns), np.int64)
        try:
            made.machine._staging.store(task, task.command, 0, tile)  # type: ignore[arg-type]
        except StageFault as found:
            assert found.fault is fault
        else:
            assert fault is None


MEMORY: tuple[tuple[Headed, str, int], ...] = (
    (Recall(kind=Recalled.END, address=0), "address", 16),
    (Fill(address=0), "address", 32),
    (Set(address=0), "address", 16),
    (Channel(pixels=1, address=0), "address", 256),
    (Normalize(shape=0, stashed=True), "stash", 16),
    (Form(shape=0, stash_mask=True), "stash", 16),
    (Form(shape=0, pooled=True), "pool", 32),
    (Spill(address=0), "address", 32),
    (Report(address=0), "address", 16),
    (Quantize(**WEIGHT), "source", 512),
    (Quantize(**WEIGHT), "destination", 16),
    (Update(a_enable=True), "a_address", 256),
    (Update(b_enable=True), "b_address", 256),
    (Update(a_enable=True), "velocity", 256),
)


@pytest.mark.parametrize(
    ("command", "name", "size"), MEMORY, ids=[f"{type(c).__name__}-{n}" for c, n, _ in MEMORY]
)
def test_the_window_and_alignment(command: Headed, name: str, size: int) -> None:
    def fault(address: int) -> tuple[Fault, int] | None:
        return fault_of_run(replace(command, **{name: address}))

    assert fault(SIZE - size) is None
    assert fault(SIZE - size + 16) == (Fault.WINDOW, 1)
    assert fault(8) == (Fault.ALIGNMENT, 1)


def test_a_shape_must_be_there() -> None:
    for command in (Normalize(shape=3), Form(shape=3), Carry(**ERROR, shape=3)):
        assert fault_of_run(command) == (Fault.COUNT, 1)


def test_tokens_go_between_all_stages() -> None:
    """Every channel: a token is taken by a command that would wait for ever without it."""

    def first(stage: Stage, **fields: int) -> Headed:
        return {
            Stage.FETCH: Set(address=0, **fields),
            Stage.VECTOR: Spill(address=0, **fields),
        }[stage]

    for source in (Stage.FETCH, Stage.VECTOR):
        for bit, target in enumerate(SIGNAL[source]):
            if target not in (Stage.FETCH, Stage.VECTOR):
                continue
            wait = 1 << WAIT[target].index(source)
            taker = first(target, wait=wait)
            bench().run(first(source, signal=1 << bit), taker, End())
            with pytest.raises(MachineError, match=f"waits for ever: {target.name} at command 0"):
                bench().run(taker, End())


def test_a_token_of_the_host_that_it_does_not_give() -> None:
    with pytest.raises(MachineError, match="waits for ever: FETCH at command 0"):
        bench().run(Set(address=0, wait=1 << 3), End())
