"""Where things go in the on-chip memories."""

from __future__ import annotations

import pytest

from host.compiler.residency import NEVER, Residency


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
