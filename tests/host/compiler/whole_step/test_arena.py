"""A memory on the chip while a program is written: nothing that is held is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.host.compiler.whole_step.arena import Arena, Policy
from fractrain.host.compiler.whole_step.refusal import DoesNotFit

SIZE = 100
STEPS = st.lists(st.tuples(st.integers(1, 40), st.booleans(), st.integers(0, 5)), max_size=120)


@given(STEPS, st.sampled_from(Policy))
def test_nothing_held_or_kept_is_overwritten(
    steps: list[tuple[int, bool, int]], policy: Policy
) -> None:
    """Words as they would be in the memory: what is found by a key is what was left there."""
    arena = Arena("memory", SIZE)
    arena.policy = policy
    words, held, sizes = [-1] * SIZE, {}, {}
    for number, (count, keeps, key) in enumerate(steps):
        address = arena.find(key)
        if address is not None:
            assert set(words[address : address + sizes[key][1]]) == {sizes[key][0]}
        if held and keeps:
            first = min(held)
            owner, taken = held.pop(first)
            assert set(words[first : first + taken]) == {owner}
            if arena.find(key) is None:
                arena.give(first, key)
                sizes[key] = owner, taken
            else:
                arena.give(first)
        room = arena.room
        try:
            first = arena.take(count)
        except DoesNotFit:
            assert room < count
            continue
        assert room >= count and first + count <= SIZE
        for start, (_, taken) in held.items():
            assert first + count <= start or start + taken <= first
        words[first : first + count] = [number] * count
        held[first] = number, count
    assert sum(count for _, count in held.values()) <= arena.most <= SIZE


def test_what_was_free_for_longest_is_taken_first() -> None:
    arena = Arena("memory", 30)
    places = [arena.take(10) for _ in range(3)]
    for each in (places[1], places[0], places[2]):
        arena.give(each)
    assert [arena.take(10) for _ in range(3)] == [places[1], places[0], places[2]]


def test_the_lowest_leaves_long_pieces() -> None:
    arena = Arena("memory", 30)
    arena.policy = Policy.LOWEST
    places = [arena.take(10) for _ in range(2)]
    for each in reversed(places):
        arena.give(each)
    assert arena.take(10) == 0 and arena.room == 20


def test_a_refusal_says_what_is_needed_and_what_there_is() -> None:
    arena = Arena("side memory", 30, "lines")
    arena.take(20)
    with pytest.raises(DoesNotFit, match="side memory.*35 lines.*at most 30 lines"):
        arena.take(15)


def test_long_pieces_on_a_step_and_small_ones_as_high_as_possible() -> None:
    arena = Arena("memory", 35)
    arena.step = 10
    small = arena.take(3, small=True)
    assert small == 32
    first, second = arena.take(8), arena.take(9)
    assert (first, second) == (0, 10)
    assert arena.take(4, small=True) == 28, "below the other one"
    with pytest.raises(DoesNotFit):
        arena.take(10)  # at 20, where the last one is
    arena.give(second)
    arena.give(first)
    assert arena.take(9) == 10, "free for longer"
    assert arena.take(10) == 0
