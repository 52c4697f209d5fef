"""Checks that the caches are maintained over a whole range, by reading memory past them.

A driver that maintains too few lines leaves wrong results without a sign. So each synchronized
range is followed by a guard line with a counter, and words of the range are compared with memory,
past the caches, through a second mapping of the buffer. Where the caches hold nothing, both
mappings agree.

The check takes 35 words at any length. It always finds a range with its end missed. It finds a
range missed from the middle on, or in every other line, as soon as one of the checked words has
changed there; it checks other words each time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.errors import MismatchError

__all__ = ["GUARD_BYTES", "CacheGuard", "StaleCaches"]

GUARD_BYTES = 64
"""A line of the caches, or two."""

SAMPLES = 32
STRIDE = 0.618034
"""Part of a turn: offset of the samples of one check from the check before."""


WRITTEN = "sync_for_device did not write all of them back: memory has", "was written"
READ = "sync_for_cpu did not make the caches forget all of them: memory has", "is read"
"""What is wrong with the words that differ, and what the processor has there."""


class StaleCaches(MismatchError):
    """The caches show other data than memory."""


class CacheGuard:
    """The guard of the buffer ``cached``; ``memory`` shows the buffer past the caches."""

    def __init__(self, cached: NDArray[np.uint8], memory: NDArray[np.uint8]) -> None:
        self._cached, self._memory = cached.view("<u4"), memory.view("<u4")
        self._looks = 0

    def reach(self, size: int) -> int:
        """Bytes to synchronize for the first ``size`` to be guarded; ``size`` if there is no room
        for the guard."""
        behind = -(-size // GUARD_BYTES) * GUARD_BYTES + GUARD_BYTES
        return behind if behind <= 4 * len(self._cached) else size

    def write(self, size: int) -> None:
        """Before the caches are written back: the processor changes the guard."""
        self._change(self._cached, size)

    def check_written(self, size: int) -> None:
        """After it: raise `StaleCaches` unless memory has what the processor wrote."""
        self._compare(size, *WRITTEN)

    def arrive(self, size: int) -> None:
        """Before the caches are invalidated: the guard changes in memory, as by the machine."""
        self._change(self._memory, size)

    def check_read(self, size: int) -> None:
        """After it: raise `StaleCaches` unless the processor reads what memory has."""
        self._compare(size, *READ)

    def check_shared(self, first: int, size: int) -> None:
        """After bytes in the middle of the buffer, whole words, were written back: as
        `check_written`, without a guard. Other words each time."""
        self._looks += 1
        places = first // 4 + self._spread(size)
        self._compare_at(places, _range(first, size), *WRITTEN)

    def check_refreshed(self, first: int, size: int) -> None:
        """After such bytes were invalidated: as `check_read`, without a guard."""
        self._looks += 1
        places = first // 4 + self._spread(size)
        self._compare_at(places, _range(first, size), *READ)

    def _change(self, words: NDArray[np.uint32], size: int) -> None:
        self._looks += 1
        if self.reach(size) > size:
            words[self.reach(size) // 4 - 1] = self._looks & 0xFFFF_FFFF

    def _compare(self, size: int, trouble: str, how: str) -> None:
        guard = self.reach(size) // 4 - 1
        places = np.concatenate([self._spread(size), [guard]])
        self._compare_at(places, f"the first {self.reach(size):,} bytes", trouble, how)

    def _compare_at(self, places: NDArray[np.int64], of: str, trouble: str, how: str) -> None:
        cached, memory = self._cached[places], self._memory[places]
        wrong = np.flatnonzero(cached != memory)
        if len(wrong):
            first = wrong[0]
            raise StaleCaches(
                f"of {of} of the buffer {trouble} "
                f"0x{memory[first]:08X} at byte {4 * places[first]:,}, where "
                f"0x{cached[first]:08X} {how}"
            )

    def _spread(self, size: int) -> NDArray[np.int64]:
        """Of ``size`` bytes the first word and the last, and words in between, others each time."""
        count = max(1, size // 4)
        phase = self._looks * STRIDE % 1
        spread = ((np.arange(SAMPLES) + phase) * (count / SAMPLES)).astype(np.int64)
        return np.concatenate([[0, count - 1], np.minimum(spread, count - 1)])


def _range(first: int, size: int) -> str:
    return f"bytes {first:,} to {first + size - 1:,}"
