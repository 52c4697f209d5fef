"""The cost model: multiply-accumulates weighted by the widths of their operands.

A multiply-accumulate of an ``x``-bit and a ``y``-bit operand costs x/32 · y/32 of one at 32 bits
(FracTrain's cost model, and what a bit-serial array spends). Every pass of every convolution that
is *executed in training* counts, the first convolution and the shortcuts included, and so do
taps on the padding, as is usual in the literature. Not counted: evaluation, and what does not run
on the accelerator (batch norm, classifier).
"""

from __future__ import annotations

from hw.contract.precision import Pass, Precision

BASELINE_BITS = 8
"""FW8/BW8: all operands at 8 bits, what savings are measured against."""


class EffectiveMacs:
    """Running totals: executed at the precision that was chosen, and the same at FW8/BW8.

    The sums are kept as integers in units of 1/1024 MAC, so they are exact at any length.
    """

    def __init__(self) -> None:
        self._executed = 0
        self._baseline = 0

    def add(self, which: Pass, macs: int, precision: Precision) -> None:
        """Count ``macs`` multiply-accumulates of one pass at ``precision``."""
        self._executed += macs * precision.bits(which.row) * precision.bits(which.column)
        self._baseline += macs * BASELINE_BITS**2

    @property
    def executed(self) -> float:
        """Effective MACs so far."""
        return self._executed / 1024

    @property
    def baseline(self) -> float:
        """Effective MACs of the same passes at 8/8/8."""
        return self._baseline / 1024

    @property
    def saving(self) -> float:
        """Fraction of the baseline that was saved; 0 before anything was counted."""
        return 1 - self._executed / self._baseline if self._baseline else 0.0
