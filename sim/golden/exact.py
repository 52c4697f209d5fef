"""Integer sums of products by floating-point matrix products, without ever rounding.

NumPy multiplies int64 matrices without BLAS, two orders of magnitude slower than floats. A
float product of integer matrices is exact, whatever the order of summation, with or without
fused multiply-add, when no partial sum can be rounded. Every partial sum is an integer of
magnitude at most

    bound = terms · max|x| · max|y|

(terms: products in one sum), and a float with a p-bit significand represents every integer up
to 2^p. So float32 is exact when bound ≤ 2^24, float64 when bound ≤ 2^53; beyond that the
sums are done in int64. The maxima follow from the operands' widths, never from the data: the
arithmetic that is used depends on shapes and precisions only.
"""

from __future__ import annotations

import numpy as np

from fractrain.hw.contract.precision import value_range

FLOAT32_BOUND = 1 << 24
FLOAT64_BOUND = 1 << 53

Arithmetic = type[np.float32] | type[np.float64] | type[np.int64]


def product_bound(x_bits: int, y_bits: int, *, x_signed: bool, y_signed: bool) -> int:
    """Greatest magnitude of a product of an ``x_bits`` and a ``y_bits`` integer."""
    return _magnitude(x_bits, x_signed) * _magnitude(y_bits, y_signed)


def exact_arithmetic(bound: int) -> Arithmetic:
    """The fastest type in which sums of magnitude up to ``bound`` are exact."""
    if bound <= FLOAT32_BOUND:
        return np.float32
    if bound <= FLOAT64_BOUND:
        return np.float64
    return np.int64


def _magnitude(bits: int, signed: bool) -> int:
    low, high = value_range(bits, signed)
    return max(-low, high)
