"""Convolutions with a window that slides over an image: forward, and error at both strides.

A `Sliding` assigns taps of channel groups to slots, and weights to the lane groups of the same
numbers. The error of stride 2 takes four of them, one for each parity of the input pixel, so that
no zeros are multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fractrain.host.compiler.canonical import Canonical
from fractrain.host.compiler.tensors import MOST_GROUPS, TAPS, KernelLayout, slices_of
from fractrain.host.compiler.windows import Tap
from fractrain.hw.contract.commands import NO_GROUP, Load, Memory
from fractrain.hw.contract.precision import Pass

Parity = tuple[int, int]

# per parity of an input pixel: (tap of the kernel, rows or columns further on in the error)
PARITY_TAPS = {
    TAPS: {0: [(1, 0)], 1: [(0, 1), (2, 0)]},
    1: {0: [(0, 0)], 1: []},
}
SIDE = {TAPS: 3, 1: 1}
SLOT_ORDER = {0: (0, 3, 6, 2, 5, 8, 1, 4, 7), 1: (1, 4, 7, 2, 5, 8, 0, 3, 6)}
"""Slots for taps by their dx: the slots of a column share a variant."""


@dataclass(frozen=True)
class KernelTap:
    """Tap ``tap`` of the kernel, of group ``group`` of a slice, is at ``window``."""

    tap: int
    window: Tap


@dataclass(frozen=True)
class Sliding:
    """One run over the images: ``slices`` of ``groups_per_slice`` groups of channels each.

    ``parity``: which input pixels of a stride-2 error it computes.
    """

    taps: tuple[KernelTap, ...]
    slices: int
    groups_per_slice: int
    transposed: bool
    parity: Parity | None = None

    @property
    def lane_groups(self) -> int:
        """Mask of the lane groups in use."""
        return sum(1 << each.window.slot for each in self.taps)

    def loads(
        self, kernels: KernelLayout, base: Load, group: int, first: int, count: int
    ) -> Iterator[Load]:
        """Weights of output group ``group`` for ``count`` slices from ``first`` on.

        ``base`` has the addresses of the tensor and of the column memory, and the precision.
        """
        if not self.transposed:
            halves = {half: half for half in range(kernels.halves)}
            start = kernels.word(group, first)
            yield _load(kernels, base, start, kernels.slice_words, count, halves)
            return
        for index in range(self.groups_per_slice):
            taps = [each for each in self.taps if each.window.group == index]
            part, half = (
                (group, 0) if kernels.taps == TAPS else divmod(group, kernels.groups_per_slice)
            )
            halves = {half + each.tap: each.window.slot for each in taps}
            start = kernels.word(first * self.groups_per_slice + index, part)
            stride = self.groups_per_slice * kernels.slices * kernels.slice_words
            yield _load(kernels, base, start, stride, count, halves)


def _load(
    kernels: KernelLayout, base: Load, start: int, stride: int, runs: int, halves: dict[int, int]
) -> Load:
    """``halves``: the lane group of each half-block of a slice."""
    first, last = min(halves) // 2, max(halves) // 2
    groups = sum(
        halves.get(half, NO_GROUP) << (4 * (half - 2 * first))
        for half in range(2 * first, 2 * last + 2)
    )
    return Load(
        slot=base.slot,
        operand=base.operand,
        partner=base.partner,
        tag=base.tag,
        memory=Memory.COLUMNS,
        transposed=base.transposed,
        address=base.address + kernels.parameters.word_bytes * (start + first),
        digit_stride=kernels.digit_stride,
        run_stride=stride,
        runs=runs,
        words=last - first + 1,
        destination=base.destination,
        destination_digit_stride=1,
        destination_run_stride=kernels.digits,
        groups=groups,
    )


def slidings(step: Canonical, channels: int) -> list[Sliding]:
    """The slidings that compute ``step``, with blocks of ``channels`` channels."""
    groups = -(-step.row.channels // channels)
    if step.pass_ is Pass.ERROR:
        parities = [(y, x) for y in (0, 1) for x in (0, 1)]
        found = [_parity(step.taps, groups, parity) for parity in parities]
        return [each for each in found if each.taps]
    if step.taps == TAPS:
        taps = tuple(
            KernelTap(
                TAPS - 1 - slot if step.transposed else slot, Tap(slot // 3 - 1, slot % 3 - 1, slot)
            )
            for slot in range(TAPS)
        )
        return [Sliding(taps, groups, 1, step.transposed)]
    slices, each = slices_of(groups, MOST_GROUPS)
    taps = tuple(KernelTap(0, Tap(0, 0, group, group)) for group in range(each))
    return [Sliding(taps, slices, each, step.transposed)]


def _parity(taps: int, groups: int, parity: Parity) -> Sliding:
    rows, columns = (PARITY_TAPS[taps][each] for each in parity)
    count = len(rows) * len(columns)
    if not count:
        return Sliding((), 1, 1, True, parity)
    slices, each = slices_of(groups, MOST_GROUPS // count)
    free = set(range(MOST_GROUPS))
    found = []
    for group in range(each):
        for row, dy in rows:
            for column, dx in columns:
                slot = next(slot for slot in SLOT_ORDER[dx] if slot in free)
                free.remove(slot)
                found.append(KernelTap(row * SIDE[taps] + column, Tap(dy, dx, slot, group)))
    return Sliding(tuple(found), slices, each, True, parity)


def filter_groups(step: Canonical, channels: int) -> int:
    """Groups of filters that must be stored, so that every slice finds its groups."""
    if not step.transposed:
        return -(-step.filters // channels)
    return max(each.slices * each.groups_per_slice for each in slidings(step, channels))
