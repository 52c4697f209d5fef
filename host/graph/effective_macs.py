"""The cost model: multiply-accumulates weighted by the widths of their operands.

A multiply-accumulate of an ``x``-bit and a ``y``-bit operand costs x/32 · y/32 of one at 32 bits
(FracTrain's cost model, and the cost on a bit-serial array). Every pass of every convolution that
is *executed in training* counts, with the first convolution, the shortcuts, and taps on the
padding, as usual in the literature. Not counted: evaluation, and work off the accelerator (batch
norm, classifier).
"""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.graph.choice import Choice
from fractrain.host.graph.operations import width
from fractrain.host.graph.skipping import is_skipped
from fractrain.host.graph.step import StepGraph
from fractrain.hw.contract.precision import Pass, Precision

BASELINE_BITS = 8
"""FW8/BW8: all operands at 8 bits, the baseline of savings."""


class EffectiveMacs:
    """Running totals: executed at the chosen precision, and the same at FW8/BW8.

    The sums are integers in units of 1/1024 MAC, so they are exact at any length. Sums of the
    layers at a chosen precision (the blocks) are also kept apart.
    """

    def __init__(self) -> None:
        self._executed = self._baseline = 0
        self._chosen_executed = self._chosen_baseline = 0

    def add(self, which: Pass, macs: int, precision: Precision, *, chosen: bool = True) -> None:
        """Count ``macs`` multiply-accumulates of one pass at ``precision``.

        ``chosen``: of a layer at a chosen precision.
        """
        self.add_bit_products(
            macs * precision.bits(which.row) * precision.bits(which.column), macs, chosen=chosen
        )

    def add_bit_products(self, executed: int, macs: int, *, chosen: bool = True) -> None:
        """Count ``executed`` bit products, where FW8/BW8 has ``macs`` of 8 x 8 bits."""
        self._executed += executed
        self._baseline += macs * BASELINE_BITS**2
        if chosen:
            self._chosen_executed += executed
            self._chosen_baseline += macs * BASELINE_BITS**2

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
        """Saved fraction of the baseline; 0 before anything was counted."""
        return 1 - self._executed / self._baseline if self._baseline else 0.0

    @property
    def cp(self) -> float:
        """Cost of the residual blocks in percent of theirs at 32 bits (FracTrain's ``cp``).

        FW8/BW8 is 6.25; 0 before anything was counted.
        """
        if not self._chosen_baseline:
            return 0.0
        return 100 * BASELINE_BITS**2 / 1024 * self._chosen_executed / self._chosen_baseline

    def add_step(self, graph: StepGraph, choices: Sequence[Choice]) -> None:
        """Count a training step of ``graph`` after the ``choices`` of its blocks.

        A skipped convolution would be one at FW8/BW8; the second product of odd weights would not.
        Where images take different paths, each path counts for its images.
        """
        table = graph.table(choices)
        for each in graph.convolutions:
            slot = graph.slots[each.slot or 0]
            choice = None if slot.block is None else choices[slot.block]
            macs = each.geometry.macs // graph.batch * slot.images(choice, graph.batch)
            products = 0
            if not is_skipped(each, table):
                products = macs * width(each.bits[0], table) * width(each.bits[1], table)
            self.add_bit_products(products, 0 if each.ones else macs, chosen=slot.chosen)

    def __add__(self, other: EffectiveMacs) -> EffectiveMacs:
        total = EffectiveMacs()
        total.load(
            [mine + theirs for mine, theirs in zip(self.state(), other.state(), strict=True)]
        )
        return total

    def state(self) -> list[int]:
        """All that `load` needs to go on from here."""
        return [self._executed, self._baseline, self._chosen_executed, self._chosen_baseline]

    def load(self, state: list[int]) -> None:
        """Go on from a `state`."""
        self._executed, self._baseline, self._chosen_executed, self._chosen_baseline = state
