"""The generator against its authors' vectors and against itself, one number at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fractrain.hw.contract.threefry import PARITY, ROTATIONS, threefry

ONES = (1 << 64) - 1
WORD = st.integers(0, ONES)

# tests/kat_vectors of the authors' library Random123: counter, key, rounds → words. The third
# counter and key are digits of pi.
PI = (0x243F6A8885A308D3, 0x13198A2E03707344)
MORE_PI = (0xA4093822299F31D0, 0x082EFA98EC4E6C89)
VECTORS = [
    ((0, 0), (0, 0), 13, (0xF167B032C3B480BD, 0xE91F9FEE4B7A6FB5)),
    ((ONES, ONES), (ONES, ONES), 13, (0xCCDEC5C917A874B1, 0x4DF53ABCA26CEB01)),
    (PI, MORE_PI, 13, (0xC3AAC71561042993, 0x3FE7AE8801AFF316)),
    ((0, 0), (0, 0), 20, (0xC2B6E3A8C2C69865, 0x6F81ED42F350084D)),
    ((ONES, ONES), (ONES, ONES), 20, (0xE02CB7C4D95D277A, 0xD06633D0893B8B68)),
    (PI, MORE_PI, 20, (0x263C7D30BB0F0AF1, 0x56BE8361D3311526)),
]


def words(key: tuple[int, int], counter: tuple[int, int], rounds: int = 13) -> tuple[int, int]:
    first, second = (np.array([each], np.uint64) for each in counter)
    x0, x1 = threefry(key, first, second, rounds=rounds)
    return int(x0[0]), int(x1[0])


def by_formula(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """13 rounds in Python's integers, rotating a string of bits."""
    keys = [*key, PARITY ^ key[0] ^ key[1]]
    x, y = (counter[0] + keys[0]) % 2**64, (counter[1] + keys[1]) % 2**64
    for number in range(13):
        x = (x + y) % 2**64
        bits = f"{y:064b}"
        turn = ROTATIONS[number % 8]
        y = int(bits[turn:] + bits[:turn], 2) ^ x
        if number % 4 == 3:
            i = number // 4 + 1
            x, y = (x + keys[i % 3]) % 2**64, (y + keys[(i + 1) % 3] + i) % 2**64
    return x, y


@pytest.mark.parametrize(("counter", "key", "rounds", "expected"), VECTORS)
def test_published_vectors(
    counter: tuple[int, int], key: tuple[int, int], rounds: int, expected: tuple[int, int]
) -> None:
    assert words(key, counter, rounds) == expected


@given(st.tuples(WORD, WORD), st.tuples(WORD, WORD))
def test_formula(key: tuple[int, int], counter: tuple[int, int]) -> None:
    assert words(key, counter) == by_formula(key, counter)


def test_counters_broadcast_and_stay(rng: np.random.Generator) -> None:
    first = rng.integers(0, 1 << 63, (3, 1), np.uint64)
    second = rng.integers(0, 1 << 63, 5, np.uint64)
    kept = first.copy(), second.copy()
    x0, x1 = threefry((1, 2), first, second)
    assert x0.shape == x1.shape == (3, 5)
    for i, j in np.ndindex(3, 5):
        counter = int(first[i, 0]), int(second[j])
        assert (int(x0[i, j]), int(x1[i, j])) == by_formula((1, 2), counter)
    np.testing.assert_array_equal(first, kept[0])
    np.testing.assert_array_equal(second, kept[1])
