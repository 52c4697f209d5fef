"""Batches as one stream of commands: nothing is overwritten before it was read, nothing read before
it is there, however fast the stages are."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.host.compiler.schedule import CommandBuilder, signal_to, wait_for
from fractrain.hw.contract.commands import (
    ENGINE_SIGNAL,
    ENGINE_WAIT,
    Command,
    Convolve,
    End,
    Format,
    Load,
    Memory,
    Pattern,
    Stage,
    Store,
)
from fractrain.hw.contract.precision import Operand
from tests.hw.machines import machine

P = machine()
SIZES = {Memory.PLANES: P.buffers.plane_words, Memory.COLUMNS: P.buffers.column_words}
HEADER = {"slot": 0, "operand": Operand.ACTIVATION, "partner": Operand.WEIGHT}
STAGES = {
    Load: Stage.FETCH,
    Convolve: Stage.EXECUTE,
    Pattern: Stage.EXECUTE,
    Store: Stage.RESULT,
}


@dataclass(frozen=True)
class Wanted:
    """A batch that uses things of these numbers; how long it multiplies, whose results it reads."""

    plane: int
    column: int
    slices: int
    reads_batch: int | None


def words_of(memory: Memory, number: int) -> int:
    """Of a thing: some are large, some small; two always fit beside each other."""
    return SIZES[memory] // 16 * (1 + 5 * number % 8)


def loads(memory: Memory, address: int, number: int, read: int) -> list[Load]:
    """Two, from word ``read`` of memory."""
    words = words_of(memory, number)
    half = words // 2
    return [
        Load(
            **HEADER,
            memory=memory,
            address=P.word_bytes * read,
            runs=1,
            words=count,
            destination=address + first,
        )
        for first, count in ((0, half), (half, words - half))
    ]


def build(batches: list[Wanted]) -> tuple[list[Command], list[tuple[int, int]]]:
    """The stream, and where each batch's two things are."""
    builder = CommandBuilder(P)
    places = []
    for number, each in enumerate(batches):
        builder.begin()
        written = -1 if each.reads_batch is None else min(each.reads_batch, number - 1)
        plane = builder.planes(
            (each.plane, written),  # results are loaded anew
            words_of(Memory.PLANES, each.plane),
            lambda at, each=each, read=written + 1: loads(Memory.PLANES, at, each.plane, read),
            1,
            written,
        )
        column = builder.columns(
            each.column,
            words_of(Memory.COLUMNS, each.column),
            lambda at, each=each: loads(Memory.COLUMNS, at, each.column, 0),
            1,
        )
        places.append((plane, column))
        builder.store(Store(**HEADER, format=Format.NONE))
        command = Convolve(
            **HEADER,
            row_signed=False,
            column_signed=True,
            pattern=0,
            pairs=0,
            address=plane,
            column_address=column,
            groups=1,
            slices=each.slices,
            # which batch it is, for the test
            image_stride=number,
        )
        builder.convolve(command, (Pattern(0, a_enable=True, a_offset=each.column),), 1)
    return builder.commands(), places


WANTED = st.lists(
    st.builds(
        Wanted,
        st.integers(0, 6),
        st.integers(0, 4),
        st.sampled_from([1, 20, 200]),
        st.none() | st.integers(0, 8),
    ),
    min_size=1,
    max_size=12,
)


def order_of(commands: list[Command]) -> list[set[int]]:
    """For each command, all those that must have ended before it begins: earlier ones of its stage,
    and by tokens. Fails if a command would wait for ever where the stream is run one by one."""
    given: dict[tuple[Stage, Stage], list[int]] = {}
    before: list[set[int]] = []
    last: dict[Stage, int] = {}
    for position, command in enumerate(commands[:-1]):
        stage = STAGES[type(command)]
        known: set[int] = set()
        earlier = [last[stage]] if stage in last else []
        for source in ENGINE_WAIT[stage]:
            if command.wait & wait_for(stage, source):
                tokens = given.get((source, stage), [])
                assert tokens, f"command {position} waits for a token that nobody has given"
                earlier.append(tokens.pop(0))
        for each in earlier:
            known |= {each} | before[each]
        before.append(known)
        last[stage] = position
        for target in ENGINE_SIGNAL[stage]:
            if command.signal & signal_to(stage, target):
                given.setdefault((stage, target), []).append(position)
    return before


@given(WANTED)
@settings(max_examples=200, deadline=None)
def test_every_order_that_tokens_allow_is_right(batches: list[Wanted]) -> None:
    commands, places = build(batches)
    assert isinstance(commands[-1], End)
    before = order_of(commands)
    convolutions = {
        command.image_stride: position
        for position, command in enumerate(commands)
        if isinstance(command, Convolve)
    }
    assert sorted(convolutions) == list(range(len(batches)))
    stores = [position for position, each in enumerate(commands) if isinstance(each, Store)]
    for number, position in convolutions.items():
        for memory, thing, address in (
            (Memory.PLANES, batches[number].plane, places[number][0]),
            (Memory.COLUMNS, batches[number].column, places[number][1]),
        ):
            words = set(range(address, address + words_of(memory, thing)))
            found: set[int] = set()
            for other, load in enumerate(commands):
                if not isinstance(load, Load) or load.memory is not memory:
                    continue
                touched = words & set(range(load.destination, load.destination + load.words))
                if not touched:
                    continue
                # either there before the convolution begins, or not begun before it has ended
                assert other in before[position] or position in before[other]
                if other in before[position]:
                    found |= touched
            assert found == words
    for position, load in enumerate(commands):
        if isinstance(load, Load) and load.address:  # reads what a batch has stored
            assert stores[load.address // P.word_bytes - 1] in before[position]


@given(WANTED)
@settings(max_examples=50, deadline=None)
def test_tokens_are_few(batches: list[Wanted]) -> None:
    """A batch waits for its loads once, and a load for a batch once; none is left over."""
    commands, _ = build(batches)
    waits = [each for each in commands if each.wait]
    signals = sum(each.signal.bit_count() for each in commands)
    assert signals == sum(each.wait.bit_count() for each in waits)
    assert sum(isinstance(each, Convolve) for each in waits) <= len(batches)
    for stage, source in ((Stage.FETCH, Stage.EXECUTE), (Stage.FETCH, Stage.RESULT)):
        taken = sum(
            bool(each.wait & wait_for(stage, source)) for each in commands if isinstance(each, Load)
        )
        assert taken < max(2, len(batches))


def kinds(commands: list[Command]) -> str:
    """L, C, S, P and E."""
    return "".join(type(each).__name__[0] for each in commands)


def test_loads_run_ahead_of_their_use() -> None:
    """What the second batch needs is loaded behind the first one's convolution, what the third
    needs not before the first has read what lies there."""
    commands, _ = build([Wanted(0, 0, 200, None), Wanted(1, 1, 200, None), Wanted(2, 2, 200, None)])
    assert kinds(commands).startswith("LLLLSPCLLLL")
    assert kinds(commands).endswith("E")


def test_what_stays_is_not_loaded_again() -> None:
    commands, _ = build([Wanted(0, 0, 1, None)] * 5)
    assert kinds(commands) == "LLLLSPC" + "SC" * 4 + "E"


def test_a_result_is_loaded_once_it_is_in_memory() -> None:
    commands, _ = build([Wanted(0, 0, 1, None), Wanted(1, 0, 1, 0)])
    load = next(each for each in commands if isinstance(each, Load) and each.address)
    assert load.wait == wait_for(Stage.FETCH, Stage.RESULT)
    store = next(each for each in commands if isinstance(each, Store))
    assert store.signal == signal_to(Stage.RESULT, Stage.FETCH)


def test_a_long_convolution_hides_the_loads_of_several_batches() -> None:
    """As far as memory has room."""
    commands, _ = build([Wanted(number, 0, 4000, None) for number in range(3)])
    assert kinds(commands) == "LLLLSP" + "C" + "LLLL" + "SC" * 2 + "E"
