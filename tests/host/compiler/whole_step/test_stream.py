"""Tokens follow from what commands read and write: every conflict is ordered, and no token is given
that nobody takes."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from fractrain.host.compiler.whole_step.stream import CommandStream, Span
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
    st.sampled_from(["one", "other"]), st.integers(0, PLACES), st.integers(1, PLACES)
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


@given(st.lists(ENTRIES, max_size=25))
def test_every_conflict_is_ordered(entries: list[Entry]) -> None:
    kept: list[Entry] = []
    for each in entries:  # stages that no token leads between touch nothing in common
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
