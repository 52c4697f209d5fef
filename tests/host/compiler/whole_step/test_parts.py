"""Parts of a chunk: all of it, each once, and none that its memory does not have in one piece."""

from __future__ import annotations

import itertools

import pytest

from fractrain.host.compiler.whole_step.parts import FORMED_PARTS, parts_of


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("images", [1, 2, 3, 8])
@pytest.mark.parametrize("groups", [1, 2, 3, 4])
def test_parts_are_all_of_a_chunk(groups: int, images: int, *, whole: bool) -> None:
    parts = parts_of(groups, images, whole=whole)
    found = [each for part in parts for each in itertools.product(part.groups, part.images)]
    assert sorted(found) == list(itertools.product(range(groups), range(images)))
    assert len(found) == len(set(found)) and len(parts) <= FORMED_PARTS
    assert [each.last for each in parts] == [False] * (len(parts) - 1) + [True]
    for each in parts:
        assert len(each.groups) == groups or len(each.images) == images
        assert len(each.groups) == groups or not whole


def test_the_first_part_is_half() -> None:
    assert [len(each.images) for each in parts_of(1, 8)] == [4, 4]
    assert [len(each.groups) for each in parts_of(4, 8)] == [2, 2]
