"""The order of a program: every conflict stays as it was recorded, the array keeps its order, and
what the array does not wait for gives way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.host.compiler.whole_step.durations import Durations
from fractrain.host.compiler.whole_step.ordering import Program, in_order
from fractrain.host.compiler.whole_step.recording import Recording, dependencies
from fractrain.host.compiler.whole_step.stream import Span
from fractrain.hw.contract.commands import Command, Fill, Recompute, Set, Shape, Spill, Stage
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.precision import Precision
from tests.host.compiler.whole_step.running import small
from tests.host.compiler.whole_step.test_stream import (
    CAN_FOLLOW,
    ENTRIES,
    OF_STAGE,
    Entry,
    conflicts,
    ordered,
    overlap,
)
from tests.host.compiler.whole_step.walking import check_tokens

DURATIONS = Durations(small(), [Precision(4, 4, 6)], [KeptBits(7, 5)])
ARRAY = Stage.EXECUTE, Stage.RESULT
ORDER_OF_TILES = Stage.RESULT, Stage.EXECUTE


def recorded(entries: Sequence[Entry]) -> Recording:
    """Each of the array is a whole: RESULT in front of EXECUTE."""
    found = Recording()
    for stage, reads, writes in entries:
        found.add(OF_STAGE[stage], reads, writes)
    return found


def kept(entries: Sequence[Entry]) -> list[Entry]:
    """Those between which tokens can be given; EXECUTE behind a RESULT."""
    found: list[Entry] = []
    for each in entries:
        if all((early[0], each[0]) in CAN_FOLLOW or not conflicts(early, each) for early in found):
            found.append(each)
            if each[0] is Stage.RESULT:
                found.append((Stage.EXECUTE, [], []))
    return found


@given(st.lists(ENTRIES, max_size=25))
def test_every_conflict_is_ordered(entries: list[Entry]) -> None:
    """By the stages' own order or by tokens, in the order in which they were recorded."""
    given = kept(entries)
    program = in_order(recorded(given).entries, DURATIONS)
    assert sorted(program.numbers) == list(range(len(given)))
    assert check_tokens(program.commands) == (0, 0)
    before = ordered(program.commands[:-1])
    place = {number: at for at, number in enumerate(program.numbers)}
    for late, entry in enumerate(given):
        for early in range(late):
            other = given[early]
            if conflicts(other, entry) or (other[0] is entry[0] and _touch(other, entry)):
                assert place[early] in before[place[late]]


def _touch(early: Entry, late: Entry) -> bool:
    return overlap(late[2], early[1] + early[2]) or overlap(late[1], early[2])


@given(st.lists(ENTRIES, max_size=25))
def test_the_array_keeps_its_order(entries: list[Entry]) -> None:
    """Nothing comes between what takes tiles and what makes them: it might wait for either."""
    given = kept(entries)
    program = in_order(recorded(given).entries, DURATIONS)
    array = [number for number in program.numbers if given[number][0] in ARRAY]
    assert array == sorted(array)
    stages = [given[number][0] for number in program.numbers]
    for at, stage in enumerate(stages):
        if stage is Stage.RESULT:
            assert stages[at + 1] in ORDER_OF_TILES


def ordered_as(*given: tuple[Command, list[Span], list[Span]], **host: int) -> Program:
    """``host``: numbers of the command that takes a token of the host, and of one that gives it."""
    found = Recording()
    for number, (command, reads, writes) in enumerate(given):
        flags = {f"{name}_host": host.get(name) == number for name in ("wait", "signal")}
        found.add(command, reads, writes, **flags)
    return in_order(found.entries, DURATIONS)


def test_what_the_array_waits_for_goes_first() -> None:
    """Of two SPILLs, the one whose lines a later NARROW writes; of a FILL, the one it reads."""
    far, near = ("staging", 0, 64), ("staging", 64, 128)
    program = ordered_as(
        (Spill(address=0, lines=64, source=0), [far], []),
        (Spill(address=0, lines=64, source=64), [near], []),
        (OF_STAGE[Stage.RESULT], [], [near]),
        (OF_STAGE[Stage.EXECUTE], [], []),
    )
    assert program.numbers.index(1) < program.numbers.index(0)


def test_what_the_host_writes_is_read_behind_its_token() -> None:
    """And its token is taken behind all that it was given."""
    program = ordered_as(
        (OF_STAGE[Stage.VECTOR], [], [("pooled", 0, 1)]),
        (Set(address=0, words=1), [], [("records", 0, 1)]),
        (Fill(address=0), [("host", 0, 1)], [("staging", 0, 1)]),
        wait=1,
        signal=0,
    )
    assert program.numbers == [0, 1, 2]
    assert check_tokens(program.commands) == (1, 1)


@pytest.mark.parametrize("entry", [0, 3])
def test_a_shape_is_written_before_it_is_used(entry: int) -> None:
    found = Recording()
    found.add(Shape(entry=entry))
    found.add(Shape(entry=1))
    found.add(Recompute(shape=entry))
    before = dependencies(found.entries)
    assert before == [set(), set(), {0}]
