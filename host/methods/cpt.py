"""Cyclic precision training (CPT): the bits of a cycle rise from the lowest to the highest.

In step t of a run, with cycles of T steps and x = (t mod T)/T,

    forward bits = round(lo + ½·(hi − lo)·(1 + cos(π·x + π))),   ties up

of activations and weights; errors have the same bits throughout. As cos(π·x + π) = −cos(π·x), a
cycle begins with lo and ends near hi.

T = steps/cycles is a rational number where the cycles do not divide the run. Nothing is rounded:
x = ((t·cycles) mod steps)/steps, so every run has ``cycles`` whole cycles, and its last steps have
the highest bits. (The authors' code rounds T down, and what remains begins one more cycle.)

**No floating-point number decides.** The bits become b + 1 where cos(π·x) falls to

    c = 1 − (2·(b − lo) + 1)/(hi − lo),

a rational number. When the run begins, a table of thresholds is made: for each c the first of the
positions n = 0 … steps − 1 of a cycle with cos(π·n/steps) ≤ c (`first_position`). A step compares
integers with it. A position where both are equal is a tie. By Niven's theorem, a rational x has a
rational cosine only if that is 0, ±½ or ±1: ties are at x = ⅓, ½ and ⅔, which are in a table, and
for any other c the crossing arccos(c)/π is irrational. Its binary digits come from the doubled
angle, in integers of fixed point, rounded outward. Digits are added until no position is left
between the two bounds; as none lies on an irrational number, that ends.

Source: Fu et al., CPT: Efficient Deep Neural Network Training via Cyclic Precision, ICLR 2021,
equation 1; the paper's brackets around it leave ties open, and its code rounds them to even.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from fractrain.host.methods.method import Method, MethodKind, Task
from fractrain.host.methods.rules import STEPS
from fractrain.host.networks.selection import FixedSelector
from fractrain.host.plugins.option import Checked, option
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import MAX_BITS, Precision
from fractrain.hw.contract.values import Several, Whole

__all__ = ["CyclicBits", "first_position"]

RATIONAL_CROSSINGS = {
    Fraction(1, 2): Fraction(1, 3),
    Fraction(0): Fraction(1, 2),
    Fraction(-1, 2): Fraction(2, 3),
}
"""arccos(c)/π of every rational c inside (−1, 1) where it is rational (Niven, 1956)."""

DIGITS = 64
"""Binary digits of a crossing at first: 2⁻⁶⁴ against positions that are 10⁻⁸ apart in the longest
runs. More follow where they are not enough."""


@dataclass(frozen=True)
class Options(Checked):
    """The range of the bits, and how often a run goes through it."""

    forward_bits: tuple[int, int] = option(
        Several(Whole(1, MAX_BITS), 2, 2, f"two numbers lowest,highest, each 1..{MAX_BITS}", "3,8"),
        (3, 8),
        "lowest and highest bits of activations and weights",
        metavar="LO,HI",
        in_name=lambda bits: "" if bits == (3, 8) else f"{bits[0]}to{bits[1]}",
    )
    backward_bits: int = option(
        Whole(1, MAX_BITS),
        8,
        "bits of errors, in all steps",
        metavar="B",
        in_name=lambda bits: "" if bits == 8 else f"bw{bits}",
    )
    cycles: int = option(STEPS, 32, "cycles of a run, from the lowest to the highest", metavar="N")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.forward_bits[0] > self.forward_bits[1]:
            allowed = "the lower one first, for example 3,8"
            raise ParameterError("forward_bits", self.forward_bits, allowed)


class CyclicBits:
    """Forward bits of each step: ``lowest``..``highest``, ``cycles`` times in ``steps`` steps.

    Raises `ParameterError` for more cycles than steps.
    """

    def __init__(self, lowest: int, highest: int, cycles: int, steps: int) -> None:
        if cycles > steps:
            allowed = f"at most {steps}, the steps of the run: a cycle takes one at least"
            raise ParameterError("cycles", cycles, allowed)
        self._lowest, self._cycles, self._steps = lowest, cycles, steps
        count = highest - lowest
        self._thresholds = [
            first_position(1 - Fraction(2 * number + 1, count), steps) for number in range(count)
        ]

    def __call__(self, step: int) -> int:
        position = step * self._cycles % self._steps
        return self._lowest + bisect_right(self._thresholds, position)


def first_position(cosine: Fraction, positions: int) -> int:
    """The least n with cos(π·n/positions) ≤ ``cosine``, which is inside (−1, 1); exact."""
    if cosine in RATIONAL_CROSSINGS:
        return ceil(RATIONAL_CROSSINGS[cosine] * positions)
    digits = DIGITS
    while True:
        crossing = _crossing_digits(cosine, digits)
        if crossing is not None:
            # crossing/2^digits < arccos(cosine)/π < (crossing + 1)/2^digits, and no position
            # may lie between them.
            first = (crossing * positions >> digits) + 1
            if first == -(-(crossing + 1) * positions >> digits):
                return first
        digits *= 2


def _crossing_digits(cosine: Fraction, count: int) -> int | None:
    """The first ``count`` binary digits of x = arccos(cosine)/π, which is irrational, as an
    integer; None if ``count`` of them need more precision than they were given.

    A digit of x is 1 if cos(π·x) < 0. Without it and doubled, x becomes 2·x mod 1, and its cosine
    2·c² − 1, or 1 − 2·c² where the digit was 1. Each doubling makes the distance between the
    bounds of c up to four times as long: of 4 bits a digit, it eats 2.
    """
    one = 1 << 4 * count
    low = cosine.numerator * one // cosine.denominator
    high = low + 1
    digits = 0
    for _ in range(count):
        if low <= 0 <= high:
            return None
        smaller, larger = sorted((low * low, high * high))
        least, most = 2 * smaller // one - one, -(-2 * larger // one) - one
        negative = high < 0
        low, high = (-most, -least) if negative else (least, most)
        digits = 2 * digits + negative
    return digits


class CyclicMethod(Method):
    """All blocks at the bits of the cycle; an evaluation at those of the step before it."""

    selector: FixedSelector

    def __init__(self, options: Options, steps: int) -> None:
        self._options = options
        lowest, highest = options.forward_bits
        self._bits = CyclicBits(lowest, highest, options.cycles, steps)
        precisions = (self._precision(bits) for bits in range(lowest, highest + 1))
        super().__init__("cpt", FixedSelector(*precisions))

    def before_step(self, step: int) -> None:
        self.selector.precision = self._precision(self._bits(step))

    def before_evaluation(self, steps: int) -> None:
        self.before_step(max(steps - 1, 0))

    def describe(self, value: Any) -> dict[str, Any]:
        return {
            "forward_bits": list(self._options.forward_bits),
            "backward_bits": self._options.backward_bits,
            "cycles": self._options.cycles,
        }

    def _precision(self, forward: int) -> Precision:
        return Precision(forward, forward, self._options.backward_bits)


def build(options: Options, task: Task) -> Method:
    """The method."""
    return CyclicMethod(options, task.steps)


METHOD = MethodKind("cpt", "cyclic, from low to high bits again and again", Options, build)
