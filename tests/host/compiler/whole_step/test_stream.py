"""Tokens follow from what commands read and write: every conflict is ordered, and no token is given
that nobody takes."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from fractrain.host.compiler.whole_step.stream import ON_CHIP, CommandStream, Span
from fractrain.hw.contract.commands import (
    SIGNAL,
    STAGES,
    WAIT,
    Command,
    Convolve,
    End,
    Fill,
    Narrow,
    Report,
    Stage,
    Update,
    awaits_memory,
    opcode_of,
)
from fractrain.hw.contract.precision import Operand
from tests.host.compiler.whole_step.walking import check_tokens

OPERANDS = Operand.ACTIVATION, Operand.WEIGHT
OF_STAGE: dict[Stage, Command] = {
    Stage.FETCH: Fill(address=0),
    Stage.EXECUTE: Convolve(0, *OPERANDS, False, True, 0, 1, 0, 0),
    Stage.RESULT: Narrow(),
    Stage.VECTOR: Report(address=0),
}
CAN_FOLLOW = {(source, stage) for stage in STAGES for source in WAIT[stage]}
PLACES = 6
SPANS = st.tuples(
    st.sampled_from(["one", "other", "staging", "side"]),
    st.integers(0, PLACES),
    st.integers(1, PLACES),
).map(lambda span: (span[0], span[1], span[1] + span[2]))
ENTRIES = st.tuples(
    st.sampled_from(STAGES), st.lists(SPANS, max_size=2), st.lists(SPANS, max_size=2)
)
Entry = tuple[Stage, list[Span], list[Span]]


def overlap(one: list[Span], other: list[Span]) -> bool:
    return any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for a in one for b in other)


def conflicts(early: Entry, late: Entry) -> bool:
    """Of commands of different stages."""
    writes = overlap(late[2], early[1] + early[2]) or overlap(late[1], early[2])
    return writes and early[0] is not late[0]


def ordered(commands: list[Command]) -> list[set[int]]:
    """Of each command, those that have ended when it begins: by tokens, each the next of its kind,
    and by the stages' own order."""
    given: dict[tuple[Stage, Stage], deque[int]] = {}
    found: list[set[int]] = []
    last: dict[Stage, int] = {}
    for number, command in enumerate(commands):
        stage = opcode_of(command).stage
        assert stage is not None
        before = [last[stage]] if stage in last else []
        for bit, source in enumerate(WAIT[stage]):
            if command.wait >> bit & 1:
                before.append(given[source, stage].popleft())
        found.append({each for early in before for each in (early, *found[early])})
        for bit, target in enumerate(SIGNAL[stage]):
            if command.signal >> bit & 1:
                given.setdefault((stage, target), deque()).append(number)
        last[stage] = number
    return found


def in_memory(spans: list[Span]) -> list[Span]:
    return [span for span in spans if span[0] not in ON_CHIP]


def check_written(entries: list[Entry], commands: list[Command], before: list[set[int]]) -> None:
    """What the fetch stage reads in memory has been acknowledged: of the vector stage, whose writes
    may be on their way, some command from the writer on has ended that waits for that."""
    for late, (stage, reads, _) in enumerate(entries):
        for early in range(late if stage is Stage.FETCH else 0):
            written = in_memory(entries[early][2])
            if entries[early][0] is Stage.VECTOR and overlap(in_memory(reads), written):
                assert any(
                    each >= early and entries[each][0] is Stage.VECTOR and awaits(commands[each])
                    for each in before[late]
                )


def awaits(command: Command) -> bool:
    """To whom tokens go, from the contract's words."""
    fetch, host = (1 << SIGNAL[Stage.VECTOR].index(each) for each in (Stage.FETCH, Stage.HOST))
    return bool(command.signal & (fetch | host)) or isinstance(command, Update)


@given(st.lists(ENTRIES, max_size=25))
def test_every_conflict_is_ordered(entries: list[Entry]) -> None:
    kept: list[Entry] = []
    for stage, reads, writes in entries:
        on_chip = [span for span in writes if span[0] in ON_CHIP]  # memory is the vector stage's
        each = stage, reads, writes if stage is Stage.VECTOR else on_chip
        # stages that no token leads between touch nothing in common
        if all((early[0], each[0]) in CAN_FOLLOW or not conflicts(early, each) for early in kept):
            kept.append(each)
    stream = CommandStream()
    for stage, reads, writes in kept:
        stream.add(OF_STAGE[stage], reads, writes)
    commands = stream.commands()
    assert isinstance(commands[-1], End)
    assert check_tokens(commands) == (0, 0)
    before = ordered(commands[:-1])
    for late, entry in enumerate(kept):
        for early in range(late):
            assert not conflicts(kept[early], entry) or early in before[late]
    check_written(kept, commands[:-1], before)


def test_other_tokens_do_not_say_what_is_in_memory() -> None:
    """EXECUTE knows that the writer has ended, and FETCH by EXECUTE; not that its words are in
    memory, which a later one of the vector stage may as well say."""
    stream, chip, memory = CommandStream(), [("staging", 0, 4)], [("one", 0, 4)]
    stream.add(OF_STAGE[Stage.VECTOR], (), [*chip, *memory])
    stream.add(OF_STAGE[Stage.EXECUTE], chip, [("side", 0, 4)])
    stream.add(OF_STAGE[Stage.FETCH], [("side", 0, 4)])
    stream.add(OF_STAGE[Stage.FETCH], memory)
    stream.add(OF_STAGE[Stage.FETCH], memory)
    vector = 1 << WAIT[Stage.FETCH].index(Stage.VECTOR)
    commands = stream.commands()
    assert [bool(each.wait & vector) for each in commands[2:5]] == [False, True, False]
    assert awaits_memory(commands[0])


def test_what_is_known_takes_no_token() -> None:
    """The second reader is ordered by the first one's token, the third by a token between."""
    stream = CommandStream()
    where = [("one", 0, 4)]
    stream.add(OF_STAGE[Stage.FETCH], (), where)
    for stage in (Stage.EXECUTE, Stage.EXECUTE):
        stream.add(OF_STAGE[stage], where)
    stream.add(OF_STAGE[Stage.VECTOR], where, where)
    waits = [command.wait for command in stream.commands()]
    fetch, execute = (WAIT[Stage.VECTOR].index(each) for each in (Stage.FETCH, Stage.EXECUTE))
    assert waits == [0, 1 << WAIT[Stage.EXECUTE].index(Stage.FETCH), 0, 1 << execute, 0]
    assert fetch != execute


def test_the_host_gives_and_takes_where_it_is_said() -> None:
    stream = CommandStream()
    stream.add(OF_STAGE[Stage.VECTOR], signal_host=True)
    stream.add(OF_STAGE[Stage.FETCH], wait_host=True)
    assert check_tokens(stream.commands()) == (1, 1)
