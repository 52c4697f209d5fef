"""Where things go in the on-chip memories."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.host.compiler.residency import NEVER, Residency


def test_what_is_there_is_not_loaded_again() -> None:
    memory = Residency(8)
    first = memory.need("a", 4, 0)
    assert first.fresh and first.after == NEVER
    again = memory.need("a", 4, 1)
    assert not again.fresh and again.address == first.address


@pytest.mark.parametrize("place", range(11))
def test_something_in_the_way_is_so_only_once(place: int) -> None:
    """Wherever something of 10 words of 20 lies: from the second that follows on, one can be
    loaded while the one before it is in use."""
    memory = Residency(20)
    if place:
        memory.need("before", place, 0)
    assert memory.need("something", 10, 1).address == place
    places = [memory.need(number, 10, batch) for batch, number in enumerate(range(6), 2)]
    # after the batch before the last one
    assert all(each.after <= batch - 2 for batch, each in enumerate(places[1:], 3))


def test_no_room_beside_what_the_batch_uses() -> None:
    memory = Residency(8)
    memory.need("a", 5, 0)
    with pytest.raises(AssertionError, match="4 words do not fit"):
        memory.need("b", 4, 0)


@given(
    st.integers(8, 40),
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_what_was_used_longest_ago_makes_room(size: int, needs: list[tuple[int, bool]]) -> None:
    """Word by word: things do not overlap, and nothing waits longer than it must."""
    memory = Residency(size)
    used = [NEVER] * size
    held: dict[int, range] = {}
    batch = 0
    for key, ends in needs:
        batch += ends
        words = key % 7 + 1
        least = min(max(used[i : i + words]) for i in range(size - words + 1))
        if key not in held and least == batch:
            with pytest.raises(AssertionError, match="do not fit"):
                memory.need(key, words, batch)
            return
        place = memory.need(key, words, batch)
        where = range(place.address, place.address + words)
        assert place.fresh == (key not in held)
        if place.fresh:
            assert place.after == max(used[i] for i in where) == least
            held = {k: r for k, r in held.items() if r.stop <= where.start or where.stop <= r.start}
            held[key] = where
        assert held[key] == where
        for word in where:
            used[word] = batch
