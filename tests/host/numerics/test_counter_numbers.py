"""Numbers by counter: their formulas, their distributions, and their hash."""

import hashlib
import math
from collections.abc import Callable

import numpy as np
import pytest

from fractrain.host.numerics import counter_numbers as module
from fractrain.host.numerics.counter_numbers import CounterNumbers, counter_numbers
from fractrain.host.numerics.random_streams import RandomNumbers, Stream, generator
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.random_bits import stream_key
from fractrain.hw.contract.threefry import threefry

SEED, INDEX = 706, 31


def numbers() -> CounterNumbers:
    return counter_numbers(SEED, Stream.DATA, INDEX)


def words(count: int) -> list[int]:
    """The first words of `numbers`."""
    key = stream_key(SEED, Stream.DATA, INDEX)
    found: list[int] = []
    for counter in range(-(-count // 2)):
        pair = threefry(key, np.array([counter], np.uint64), np.array([0], np.uint64))
        found += [int(word[0]) for word in pair]
    return found[:count]


def test_formulas() -> None:
    first = words(7)
    fractions = [(word >> 11) / 2**53 for word in first]
    assert numbers().random(7).tolist() == fractions
    assert numbers().uniform(-1.5, 2.5, (7, 1)).ravel().tolist() == [
        -1.5 + 4 * each for each in fractions
    ]
    assert numbers().integers(-3, 9, (7,)).tolist() == [word % 12 - 3 for word in first]
    assert numbers().integers(-3, 9, (7,), endpoint=True).tolist() == [
        word % 13 - 3 for word in first
    ]
    assert numbers().permutation(7).tolist() == sorted(range(7), key=first.__getitem__)
    z = numbers().normal(1, 2, (3,))
    for index in range(0, 3, 2):
        radius = math.sqrt(-2 * math.log(fractions[index] + 2**-53))
        angle = 2 * math.pi * fractions[index + 1]
        assert z[index] == pytest.approx(1 + 2 * radius * math.cos(angle), rel=1e-13)
    radius = math.sqrt(-2 * math.log(fractions[0] + 2**-53))
    assert z[1] == pytest.approx(1 + 2 * radius * math.sin(2 * math.pi * fractions[1]), rel=1e-13)


def test_every_call_goes_on_at_a_new_counter() -> None:
    """However many words it takes."""
    drawn = numbers()
    first = drawn.random(3)
    second = drawn.random(2)
    both = numbers().random(6)
    np.testing.assert_array_equal(first, both[:3])
    np.testing.assert_array_equal(second, both[4:])


def test_equal_words_of_a_permutation_stay_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def few(key: object, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return first % np.uint64(2), first % np.uint64(3)

    monkeypatch.setattr(module, "threefry", few)
    drawn = np.stack([np.arange(50) % 2, np.arange(50) % 3], axis=1).ravel().tolist()
    assert numbers().permutation(100).tolist() == sorted(range(100), key=drawn.__getitem__)


def test_no_integer_is_more_probable() -> None:
    """Of 2^63 + 1 numbers every second word is replaced, by those of later counters."""
    choices = 2**63 + 1
    drawn = words(400)
    expected = drawn[:100]
    taken = 100
    while replaced := [i for i, word in enumerate(expected) if word >= choices]:
        for i, word in zip(replaced, drawn[taken : taken + len(replaced)], strict=True):
            expected[i] = word
        taken += len(replaced) + len(replaced) % 2
    assert taken > 150
    low = -(2**63)
    found = numbers().integers(low, low + choices, (100,))
    assert found.tolist() == [low + word for word in expected]


def test_whole_ranges() -> None:
    everything = numbers().integers(-(2**63), 2**63 - 1, (4,), endpoint=True)
    assert everything.tolist() == [word - 2**63 for word in words(4)]
    assert numbers().integers(5, 5, (3,), endpoint=True).tolist() == [5, 5, 5]
    for low, high in ((5, 5), (6, 5), (-(2**63) - 1, 0), (0, 2**63 + 1)):
        with pytest.raises(ParameterError, match=f"range: got '{low}..{high - 1}'"):
            numbers().integers(low, high, (1,))


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 5), (2, 0, 4)])
def test_shapes(shape: tuple[int, ...]) -> None:
    drawn = numbers()
    assert drawn.uniform(0, 1, shape).shape == shape
    assert drawn.normal(0, 1, shape).shape == shape
    assert drawn.integers(0, 9, shape).shape == shape
    assert drawn.permutation(0).tolist() == []


def test_distributions() -> None:
    drawn = numbers()
    uniform, normal = drawn.random(100_000), drawn.normal(0, 1, (100_000,))
    assert 0 <= uniform.min() < uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.004
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
        spread = math.sqrt(math.prod(range(1, 2 * power, 2)) / len(normal))
        assert abs((normal**power).mean() - moment) < 4 * spread
    inside = np.array([(abs(normal) < each).mean() for each in (0.5, 1, 2, 3)])
    np.testing.assert_allclose(inside, [0.38292, 0.68269, 0.95450, 0.99730], atol=0.006)
    assert abs((normal[1::2] * normal[::2]).mean()) < 0.02
    counts = np.bincount(drawn.integers(0, 7, (70_000,)).astype(np.intp), minlength=7)
    assert counts.size == 7 and abs(counts - 10_000).max() < 400
    first = [counter_numbers(seed, Stream.DATA).permutation(5)[0] for seed in range(1000)]
    assert abs(np.bincount(np.array(first, np.intp), minlength=5) - 200).max() < 60


def test_neither_seed_nor_stream_nor_index_share_numbers() -> None:
    keys = [(0, Stream.DATA, 0), (1, Stream.DATA, 0), (0, Stream.GATES, 0), (0, Stream.DATA, 1)]
    assert len({counter_numbers(*key).random(1)[0] for key in keys}) == 4


@pytest.mark.parametrize("make", [generator, counter_numbers])
def test_both_kinds_are_random_numbers(
    make: Callable[[int, Stream, int], RandomNumbers],
) -> None:
    drawn = make(1, Stream.WEIGHTS, 2)
    assert drawn.random(3).shape == (3,)
    assert abs(drawn.uniform(-2, -1, (4, 5)) + 1.5).max() <= 0.5
    assert drawn.normal(100, 0.1, (2, 3)).shape == (2, 3)
    assert set(drawn.integers(0, 2, (2, 100), endpoint=True).ravel()) == {0, 1, 2}
    assert set(drawn.integers(0, 2, (2, 100)).ravel()) == {0, 1}
    assert sorted(drawn.permutation(6)) == list(range(6))


def test_the_same_bits_everywhere() -> None:
    drawn = numbers()
    found = [
        *(drawn.random(101), drawn.uniform(-0.3, 0.7, (3, 50)), drawn.normal(0, 0.1, (1001,))),
        *(drawn.integers(0, 9, (2, 77)), drawn.permutation(1000)),
    ]
    digest = hashlib.sha256()
    for each in found:
        digest.update(each.astype("<i8" if each.dtype.kind == "i" else "<f8").tobytes())
    assert digest.hexdigest() == "8f5b50c1a1cda6dd0898cc94558839a6675fdb4cc03d4f2771354a7441fc52a8"
