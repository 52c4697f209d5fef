"""The end of the network, chunk by chunk, is that of the whole mini-batch, in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.host.arithmetic import chunk_sums
from fractrain.host.machine_step.exchange import Exchange
from fractrain.host.machine_step.machine import PooledSums
from fractrain.host.numerics import exact_classifier
from fractrain.hw.contract.errors import MachineError
from fractrain.sim.golden.step.scales import exponent

CHANNELS, CLASSES, PIXELS, SCALE = 5, 4, 64, 0.0123


def drawn(images: int, seed: int) -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(seed)
    sums = rng.integers(0, 255 * PIXELS, (images, CHANNELS))
    weight, bias = rng.normal(size=(CLASSES, CHANNELS)), rng.normal(size=CLASSES)
    return sums, rng.integers(0, CLASSES, images), weight, bias


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 1000), st.randoms())
def test_as_the_whole_batch(images: int, chunk: int, seed: int, random: Any) -> None:
    sums, labels, weight, bias = drawn(images, seed)
    exchange = Exchange(labels, weight, bias, SCALE, PIXELS)
    starts = list(range(0, images, chunk))
    random.shuffle(starts)
    for first in starts:
        exchange.take(PooledSums(first, sums[first : first + chunk].astype(np.uint32)))
    x = chunk_sums.pooled(sums, SCALE, PIXELS)
    logits = exact_classifier.linear(x, weight, bias)
    loss, error = exact_classifier.softmax_cross_entropy(logits, labels)
    assert exchange.loss() == loss
    assert exchange.logits.tobytes() == logits.tobytes()
    for found, expected in zip(
        exchange.gradients(), exact_classifier.linear_gradients(error, x), strict=True
    ):
        assert found.tobytes() == expected.tobytes()
    e, k = exchange.pooled_errors()
    back = exact_classifier.linear_error(error, weight) / PIXELS
    assert k == exponent(float(np.abs(back).max()))
    assert e.dtype == np.int16
    np.testing.assert_array_equal(e, np.floor(back / 2.0**k + 0.5))
    np.testing.assert_array_equal(exchange.sums, sums)


@pytest.mark.parametrize(("first", "count"), [(0, 2), (3, 1), (5, 2), (6, 1), (-1, 1)])
def test_images_that_are_not_owed(first: int, count: int) -> None:
    """Those that came before, and those that there are not."""
    sums, labels, weight, bias = drawn(6, 0)
    exchange = Exchange(labels, weight, bias, SCALE, PIXELS)
    exchange.take(PooledSums(1, sums[1:4]))
    with pytest.raises(MachineError, match="does not owe"):
        exchange.take(PooledSums(first, np.zeros((count, CHANNELS), np.int64)))


def test_images_that_are_missing() -> None:
    sums, labels, weight, bias = drawn(6, 0)
    exchange = Exchange(labels, weight, bias, SCALE, PIXELS)
    exchange.take(PooledSums(1, sums[1:4]))
    with pytest.raises(MachineError, match="no pooled sums of 3 of 6 images"):
        exchange.loss()
