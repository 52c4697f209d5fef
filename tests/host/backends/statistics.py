"""Tests of random numbers that several test files share."""

import numpy as np
from scipy import stats


def assert_uniform(integers: np.ndarray) -> None:
    """16-bit ``integers``, many: high and low bytes equally often, and in pairs of neighbours the
    high nibbles too; the mean in the middle. Each fails by chance once in a million times."""
    pairs = (integers[:-1:2] >> 12 << 4) | (integers[1::2] >> 12)
    for digits in (integers >> 8, integers & 255, pairs):
        counts = np.bincount(digits, minlength=256)
        assert len(counts) == 256
        assert stats.chisquare(counts).pvalue > 1e-6
    deviation = 65536 / np.sqrt(12 * len(integers))
    assert abs(integers.mean() - 32767.5) < 5 * deviation
