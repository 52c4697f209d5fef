"""Random bytes of beats as the definition lays them out, to the cycle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.random_bits import WORD_PIXELS, rounding_key
from fractrain.hw.contract.threefry import PARITY, Key
from fractrain.hw.vector.key_schedule import KeySchedule
from fractrain.hw.vector.random_bytes import RandomBytes
from fractrain.sim.golden.random_bits import random_bytes
from tests.hw.verilator import Player

MASK = (1 << 64) - 1
Counter = tuple[int, int, int]
"""Image, channel div 2, pixel div 32."""


@pytest.fixture(scope="module")
def player() -> Player:
    return Player(RandomBytes(), "vector_random_bytes")


def octets(numbers: list[int], size: int) -> np.ndarray:
    return np.array([list(each.to_bytes(size, "little")) for each in numbers], np.uint8)


def play(player: Player, key: Key, counters: list[Counter], pauses: list[int]) -> list[np.ndarray]:
    """The bytes of both channels of each counter, [2, 32], after so many cycles without one."""
    unit = player.design
    assert isinstance(unit, RandomBytes)
    start = KeySchedule.latency_cycles + 1
    cycles = start + sum(pauses) + 2 * len(counters) + unit.latency_cycles + 4
    valid, words = np.zeros(cycles, np.int64), [0] * cycles
    at = start
    for (image, pair, group), pause in zip(counters, pauses, strict=True):
        at += pause
        for offered in (at, at + 1):  # ready in one of two cycles
            valid[offered], words[offered] = 1, image | group << 32 | pair << 64
        at += 2
    load = np.zeros(cycles, np.int64)
    load[0] = 1
    found = player.play(
        key=octets([key[0] | key[1] << 64] * cycles, 16),
        load=load,
        counters__valid=valid,
        counters__payload=octets(words, 12),
    )
    assert found["ready"].argmax() == KeySchedule.latency_cycles
    ready = found["counters__ready"].astype(bool)
    assert (ready[start:-1] != ready[start + 1 :]).all()
    taken = np.flatnonzero(ready & (valid == 1))
    assert len(taken) == len(counters)
    assert np.array_equal(np.flatnonzero(found["valid"]), taken + unit.latency_cycles)
    return [found["random"][each + unit.latency_cycles :][:2] for each in taken]


def wanted(key: Key, counter: Counter) -> np.ndarray:
    image, pair, group = counter
    first = random_bytes(key, 1, 2 * pair + 2, WORD_PIXELS * (group + 1), image)
    return first[0, 2 * pair :, WORD_PIXELS * group :]


@settings(deadline=None, max_examples=30)
@given(
    st.tuples(st.integers(0, MASK), st.integers(0, MASK)),
    st.lists(
        st.tuples(st.integers(0, (1 << 32) - 1), st.integers(0, 5), st.integers(0, 9)),
        min_size=1,
        max_size=30,
    ),
    st.data(),
)
def test_the_definition(
    player: Player, key: Key, counters: list[Counter], data: st.DataObject
) -> None:
    """Counters at once and apart, so that the ring holds any number of them."""
    pauses = data.draw(st.lists(st.integers(0, 20), min_size=len(counters), max_size=len(counters)))
    if data.draw(st.booleans()):
        pauses = [0] * len(counters)
    for found, counter in zip(play(player, key, counters, pauses), counters, strict=True):
        assert np.array_equal(found, wanted(key, counter)), counter


@pytest.mark.parametrize("key", [(0, 0), (MASK, MASK), (1, MASK), (MASK, PARITY), (MASK - 2, 0)])
def test_keys_whose_words_carry(player: Player, key: Key) -> None:
    counters = [(MASK >> 32, 0, 0), (0, 0, 0)]
    for found, counter in zip(play(player, key, counters, [0, 3]), counters, strict=True):
        assert np.array_equal(found, wanted(key, counter))


def test_the_tensor_of_a_step(player: Player) -> None:
    """All of a small tensor, in the order of a pass over it, at full rate."""
    key = rounding_key(7, 123_456, 9)
    images, channels, pixels = 3, 6, 64
    counters = [(i, c, p) for i in range(images) for c in range(channels // 2) for p in range(2)]
    found = play(player, key, counters, [0] * len(counters))
    tensor = random_bytes(key, images, channels, pixels)
    for (i, c, p), each in zip(counters, found, strict=True):
        assert np.array_equal(each, tensor[i, 2 * c : 2 * c + 2, 32 * p : 32 * p + 32])
