"""exp, log, tanh, the logistic function, cosine and sine, the same bits on every machine.

NumPy computes these by whatever its build and the processor offer, with other last digits on each.
Here they are sequences of +, −, ×, ÷ in float64, each rounded on its own as IEEE 754 says
(elementwise operations of NumPy are never fused), and of integers. Arrays of any shape,
elementwise; the result is float64.

Errors, measured against 50 digits at random places: exp and log within 1 unit in the last place,
expm1 1.5, cosine, sine and logistic 2, tanh 3. NaN gives NaN.

Sources of the methods: Cody and Waite, "Software Manual for the Elementary Functions", 1980 (an
argument less its multiple of ln 2 in two parts); Muller, "Elementary Functions", 3rd edition, 2016
(series after reduction, sums arranged by size).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reals = NDArray[np.float64]

_LOG2_E = 1.4426950408889634
_LN2_HIGH = float.fromhex("0x1.62e42fefap-1")
"""ln 2 cut to 33 bits: its product with any exponent is exact."""
_LN2_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")
"""What is missing."""
_TURN = float.fromhex("0x1.921fb54442d18p+2")
"""2π."""

_SIGNIFICAND_BITS = 52
_SIGNIFICAND = (1 << _SIGNIFICAND_BITS) - 1
_BIAS = 1023

_EXP = [1 / math.factorial(n) for n in range(2, 14)]
"""exp r = 1 + r + r²·(1/2! + r/3! + …); what is left out is below 2^−57 for |r| ≤ ln 2 / 2."""
_LOG = [2 / n for n in range(3, 25, 2)]
"""2·artanh s = 2s + s³·(2/3 + 2s²/5 + …), below 2^−58 for |s| ≤ 3 − 2√2."""
_COS = [(-1) ** n / math.factorial(2 * n) for n in range(2, 9)]
"""cos y = 1 − y²/2 + y⁴·(1/4! − y²/6! + …), below 2^−58 for |y| ≤ π/4."""
_SIN = [(-1) ** n / math.factorial(2 * n + 1) for n in range(1, 9)]
"""sin y = y + y³·(−1/3! + y²/5! − …), likewise."""

_LARGEST_EXPONENT = 710.0
_LEAST_EXPONENT = -746.0
"""exp is infinite above and 0 below."""


def exp(x: ArrayLike) -> Reals:
    """e^x; infinite above 709.78, subnormal below −708.40, 0 below −745.13."""
    given = np.asarray(x, np.float64)
    n, r = _reduce(np.minimum(np.maximum(_known(given), _LEAST_EXPONENT), _LARGEST_EXPONENT))
    y = 1 + (r + r * r * _polynomial(_EXP, r))
    # in two steps, as 2^n itself may be out of range; only the second can round
    half = n >> 1
    with np.errstate(over="ignore", under="ignore"):
        y = y * _power_of_two(half) * _power_of_two(n - half)
    return np.where(np.isnan(given), given, y)


def expm1(x: ArrayLike) -> Reals:
    """e^x − 1, to the last place around 0 as well, for x ≤ 0. Below −40 it is −1."""
    given = np.asarray(x, np.float64)
    n, r = _reduce(np.maximum(_known(given), -40.0))
    scale = _power_of_two(n)
    # for n = 0 and |r| tiny the sum is r itself
    y = scale * (r + r * r * _polynomial(_EXP, r)) + (scale - 1)
    return np.where(np.isnan(given), given, y)


def log(x: ArrayLike) -> Reals:
    """ln x; −∞ of 0, NaN of what is negative.

    With x = 2^e·(1 + f), √½ ≤ 1 + f < √2, and s = f / (2 + f):
    ln x = e·ln 2 + f − s·(f − s²·(2/3 + 2s²/5 + …)), as 2·artanh s = ln(1 + f) and 2s = f − s·f.
    """
    given = np.asarray(x, np.float64)
    usual = (given > 0) & (given < np.inf)
    subnormal = usual & (given < 2.0**-1022)
    bits = _bits(np.where(usual, given, 1.0) * np.where(subnormal, 2.0**54, 1.0))
    scaled = _real(bits & _SIGNIFICAND | _BIAS << _SIGNIFICAND_BITS)  # 1 ≤ scaled < 2
    large = scaled > math.sqrt(2)
    f = np.where(large, 0.5 * scaled, scaled) - 1
    exponent = (bits >> _SIGNIFICAND_BITS) - _BIAS + large - np.where(subnormal, 54, 0)
    e = exponent.astype(np.float64)
    s = f / (2 + f)
    square = s * s
    y = e * _LN2_HIGH + (f - (s * (f - square * _polynomial(_LOG, square)) - e * _LN2_LOW))
    special = np.where(given == 0, -np.inf, np.where(given > 0, np.inf, np.nan))
    return np.where(usual, y, special)


def tanh(x: ArrayLike) -> Reals:
    """(e^x − e^−x) / (e^x + e^−x), as −t / (2 + t) with t = e^(−2|x|) − 1, and the sign of x; ±1
    from 20 on."""
    given = np.asarray(x, np.float64)
    t = expm1(-2 * np.minimum(np.abs(given), 20.0))
    return np.copysign(-t / (2 + t), given)


def logistic(x: ArrayLike) -> Reals:
    """1 / (1 + e^−x), as e^x / (1 + e^x) for negative x: all digits of small results."""
    given = np.asarray(x, np.float64)
    e = exp(-np.abs(given))
    return np.where(given < 0, e, 1) / (1 + e)


def cosine_of_turns(t: ArrayLike) -> Reals:
    """cos 2πt, exact where it is 0, 1 or −1; NaN of what is infinite.

    In turns, the reduction to an eighth is exact, however large ``t`` is.
    """
    return _wave(t, 0)


def sine_of_turns(t: ArrayLike) -> Reals:
    """sin 2πt, likewise."""
    return _wave(t, -1)


def _wave(t: ArrayLike, ahead: int) -> Reals:
    """cos 2π(t + ahead/4)."""
    given = np.asarray(t, np.float64)
    finite = np.isfinite(given)
    turns = np.where(finite, given, 0.0)
    turns = turns - np.rint(turns)  # exact, −½ .. ½
    quarters = np.rint(4 * turns)
    y = _TURN * (turns - 0.25 * quarters)
    square = y * y
    cosine = 1 - (0.5 * square - square * square * _polynomial(_COS, square))
    sine = y + y * square * _polynomial(_SIN, square)
    quadrant = (quarters.astype(np.int64) + ahead) & 3
    wave = np.where(quadrant & 1, sine, cosine)
    wave = np.where((quadrant == 1) | (quadrant == 2), -wave, wave)
    return np.where(finite, wave, np.nan)


def _known(x: Reals) -> Reals:
    """``x`` with 0 for NaN, which no integer stands for."""
    return np.where(np.isnan(x), 0.0, x)


def _reduce(x: Reals) -> tuple[NDArray[np.int64], Reals]:
    """n and r with x = n·ln 2 + r and |r| about ln 2 / 2 at most."""
    n = np.rint(x * _LOG2_E)
    return n.astype(np.int64), (x - n * _LN2_HIGH) - n * _LN2_LOW


def _power_of_two(n: NDArray[np.int64]) -> Reals:
    """2^n, −1022 ≤ n ≤ 1023."""
    return _real((n + _BIAS) << _SIGNIFICAND_BITS)


def _bits(x: Reals) -> NDArray[np.int64]:
    """The bits of float64."""
    return np.atleast_1d(x).view(np.int64).reshape(x.shape)


def _real(bits: NDArray[np.int64]) -> Reals:
    """The float64 of ``bits``."""
    return np.atleast_1d(bits).view(np.float64).reshape(np.shape(bits))


def _polynomial(coefficients: list[float], x: Reals) -> Reals:
    """Σ coefficients[i]·x^i by Horner's rule, from the highest power."""
    y = coefficients[-1] * x + coefficients[-2]
    for coefficient in coefficients[-3::-1]:
        y = y * x + coefficient
    return y
