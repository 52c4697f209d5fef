"""Random bits of tensors: the layout, one element at a time; that parts are parts of the whole; and
that they are random."""

import hashlib
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.random_bits import XORSHIFT, rounding_key, stream_key
from fractrain.hw.contract.threefry import threefry
from fractrain.sim.golden.random_bits import random_bytes

KEY = rounding_key(706, 12345, 17)


def xorshift(x: int) -> int:
    left, right, again = XORSHIFT
    x ^= x << left & (1 << 64) - 1
    x ^= x >> right
    return x ^ (x << again & (1 << 64) - 1)


def byte_of(key: tuple[int, int], image: int, channel: int, pixel: int) -> int:
    second = channel // 2 << 32 | pixel // 32
    pair = threefry(key, np.array([image], np.uint64), np.array([second], np.uint64))
    word = int(pair[channel % 2][0])
    for _ in range(pixel % 32 // 8):
        word = xorshift(word)
    return word >> 8 * (pixel % 8) & 255


@given(
    st.integers(0, 5), st.integers(1, 2), st.integers(1, 3), st.integers(1, 70), st.integers(0, 99)
)
@settings(max_examples=20, deadline=None)
def test_layout(first: int, images: int, channels: int, pixels: int, step: int) -> None:
    key = rounding_key(3, step, 2)
    found = random_bytes(key, images, channels, pixels, first)
    assert found.shape == (images, channels, pixels)
    assert found.dtype == np.uint8
    for n, c, p in np.ndindex(found.shape):
        assert found[n, c, p] == byte_of(key, first + n, c, p)


@pytest.mark.parametrize("shape", [(16, 5, 100), (300, 16, 64), (3, 600, 1024)])
def test_parts_are_parts_of_the_whole(shape: tuple[int, int, int]) -> None:
    """However the images are cut, and whatever is at hand at once."""
    images, channels, pixels = shape
    whole = random_bytes(KEY, *shape)
    for begin, end in ((0, 1), (1, images), (images // 3, images - 1)):
        part = random_bytes(KEY, end - begin, channels, pixels, begin)
        np.testing.assert_array_equal(part, whole[begin:end])
    smaller = random_bytes(KEY, images, channels - 1, pixels - 7)
    np.testing.assert_array_equal(smaller, whole[:, :-1, :-7])


def test_they_stay_what_they_are() -> None:
    """Results of runs depend on every bit: who changes this changes all hashes of weights."""
    found = hashlib.sha256(random_bytes(KEY, 20, 7, 500, 3).tobytes()).hexdigest()
    assert found == "05fd9f98586a4428df970c9b03850c634f9578b693711d2fec762d88c120c76b"


def test_no_elements() -> None:
    for shape in ((0, 3, 4), (3, 0, 4), (3, 4, 0)):
        assert random_bytes(KEY, *shape).shape == shape


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("images", (1, 1, 1, 2**32)),
        ("channels", (1, 2**33 + 1, 1, 0)),
        ("pixels", (1, 1, 2**37 + 1, 0)),
    ],
)
def test_too_large(name: str, shape: tuple[int, int, int, int]) -> None:
    with pytest.raises(ParameterError, match=f"^{name}: got "):
        random_bytes(KEY, *shape)


# -- are they random? ------------------------------------------------------------------------


def rank(rows: list[int]) -> int:
    """Of a matrix over GF(2)."""
    basis: dict[int, int] = {}
    for row in rows:
        while row and row.bit_length() in basis:
            row ^= basis[row.bit_length()]
        if row:
            basis[row.bit_length()] = row
    return len(basis)


def expansion() -> list[list[int]]:
    """Each of the 32 bytes as 8 sums (modulo 2) of the 64 bits of the word."""
    columns = []
    for bit in range(64):
        word, grown = 1 << bit, 0
        for index in range(4):
            grown |= word << 64 * index
            word = xorshift(word)
        columns.append(grown)
    rows = [
        sum((column >> bit & 1) << place for place, column in enumerate(columns))
        for bit in range(256)
    ]
    return [rows[8 * index : 8 * index + 8] for index in range(32)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_three_bytes_of_a_word_are_independent(count: int) -> None:
    for chosen in combinations(expansion(), count):
        assert rank([row for rows in chosen for row in rows]) == 8 * count


def chi_squared(counts: np.ndarray) -> float:
    """Distance from equal counts in standard deviations: about normal for many cells."""
    expected = counts.sum() / counts.size
    value = float(((counts - expected) ** 2 / expected).sum())
    freedom = counts.size - 1
    return (value - freedom) / (2 * freedom) ** 0.5


def test_bytes_are_uniform_in_every_place() -> None:
    numbers = random_bytes(KEY, 512, 4, 1024)
    assert abs(chi_squared(np.bincount(numbers.ravel(), minlength=256))) < 4
    for place in range(32):
        for parity in range(2):
            some = numbers[:, parity::2, place::32]
            assert abs(chi_squared(np.bincount(some.ravel(), minlength=256))) < 4.5


def pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Numbers that could depend on each other, if the generator were bad."""
    x = random_bytes(KEY, 64, 32, 512)
    step, tensor, seed = (
        random_bytes(key, 64, 32, 512)
        for key in (
            rounding_key(706, 12346, 17),
            rounding_key(706, 12345, 18),
            rounding_key(707, 12345, 17),
        )
    )
    return {
        "pixels": (x[..., 1:], x[..., :-1]),
        "words": (x[..., 8:], x[..., :-8]),
        "groups": (x[..., 32:], x[..., :-32]),
        "channels": (x[:, 1::2], x[:, ::2]),
        "pairs of channels": (x[:, 2:], x[:, :-2]),
        "images": (x[1:], x[:-1]),
        "steps": (x, step),
        "tensors": (x, tensor),
        "seeds": (x, seed),
        "stream of the host": (x, random_bytes(stream_key(706, 0, 12345), 64, 32, 512)),
    }


@pytest.mark.parametrize("name", pairs())
def test_neighbours_are_independent(name: str) -> None:
    """All 65,536 pairs of bytes are equally frequent, and so are their 16 bits in pairs."""
    first, second = pairs()[name]
    joint = np.bincount(first.ravel().astype(np.intp) * 256 + second.ravel(), minlength=65536)
    assert abs(chi_squared(joint)) < 4
    difference = np.unpackbits((first ^ second).reshape(-1, 1), axis=1).mean(axis=0, dtype=float)
    assert np.abs(difference - 0.5).max() < 5 * 0.5 / first.size**0.5
