"""A wide memory in several arrays: none too large, and the word is whole."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.hw.memory.block_memory import LARGEST_ARRAY_BITS, RAM_BITS, BlockMemory, array_widths
from tests.hw.refusals import assert_refused
from tests.hw.verilator import Player


@given(st.integers(1, 8192), st.integers(1, 70_000))
def test_arrays(width: int, depth: int) -> None:
    widths = array_widths(width, depth)
    assert sum(widths) == width
    assert all(0 < each and each * depth <= LARGEST_ARRAY_BITS for each in widths)
    assert len(widths) <= -(-width * depth // LARGEST_ARRAY_BITS) * 2
    if LARGEST_ARRAY_BITS // depth > RAM_BITS:
        assert all(each % RAM_BITS == 0 for each in widths[:-1])


@pytest.mark.parametrize(
    ("width", "depth", "widths"),
    [
        (384, 1024, [384]),
        (1536, 1024, [936, 600]),  # the gradient memory of zc706 in one piece
        (512, 1024, [512]),
        (4096, 1024, [936] * 4 + [352]),
        (100, 65536, [15] * 6 + [10]),
    ],
)
def test_some(width: int, depth: int, widths: list[int]) -> None:
    assert array_widths(width, depth) == widths


def test_too_deep() -> None:
    assert_refused(
        lambda: BlockMemory(1, LARGEST_ARRAY_BITS + 1), match="words of a memory: got 1000001"
    )


def test_words_come_back_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old where they are read as they are written, and held while nothing is read."""
    monkeypatch.setattr("fractrain.hw.memory.block_memory.LARGEST_ARRAY_BITS", 100)
    width, depth = 40, 8
    assert array_widths(width, depth) == [12, 12, 12, 4]
    player = Player(BlockMemory(width, depth), "block_memory")
    draw = random.Random(3)
    cycles = 400
    write = [draw.random() < 0.6 for _ in range(cycles)]
    read = [cycle > 60 and draw.random() < 0.6 for cycle in range(cycles)]
    places = [(draw.randrange(depth), draw.randrange(depth)) for _ in range(cycles)]
    words = [draw.getrandbits(width) for _ in range(cycles)]
    shown = player.play(
        write_enable=np.array(write, np.uint8),
        write_address=np.array([to for to, _ in places], np.uint8),
        write_data=np.array(words, np.uint64),
        read_enable=np.array(read, np.uint8),
        read_address=np.array([place for _, place in places], np.uint8),
    )["read_data"]
    held: dict[int, int] = {}
    expected = None
    for cycle in range(cycles):
        if expected is not None:
            assert int(shown[cycle]) == expected
        if read[cycle]:
            expected = held[places[cycle][1]]
        if write[cycle]:
            held[places[cycle][0]] = words[cycle]
