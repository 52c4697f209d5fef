"""A buffer behind the caches of a processor, without coherence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["TO_DEVICE", "CachedView"]

LINE_BYTES = 32
"""Bytes of a line of the Cortex-A9's caches."""

BIDIRECTIONAL, TO_DEVICE, FROM_DEVICE = range(3)


class CachedView:
    """The buffer ``memory`` as the processor sees it, in ``data``.

    It always behaves in the worst way that caches may: they hold the whole buffer, so the processor
    sees writes of a device only after `invalidate`, and a device sees writes of the processor only
    after `clean`; and dirty lines go back to memory while the device works (`evict`), over its
    results.
    """

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        self._memory = memory
        self.data = memory.copy()
        self._clean = memory.copy()

    def clean(self, first: int, size: int) -> None:
        """Write the lines of these bytes back."""
        part = slice(first, first + size)
        self._memory[part] = self._clean[part] = self.data[part]

    def invalidate(self, first: int, size: int) -> None:
        """Drop the lines of these bytes, dirty ones included."""
        part = slice(first, first + size)
        self.data[part] = self._clean[part] = self._memory[part]

    def evict(self) -> None:
        """Write back every dirty line."""
        differs = self.data.view(np.uint64) != self._clean.view(np.uint64)
        if not differs.any():
            return
        for line in np.unique(np.nonzero(differs)[0] // (LINE_BYTES // 8)):
            self.clean(int(line) * LINE_BYTES, LINE_BYTES)

    def for_device(self, first: int, size: int, direction: int) -> None:
        """``dma_sync_single_for_device``: Linux calls it before a transfer."""
        if direction == FROM_DEVICE:
            self.invalidate(first, size)
        else:
            self.clean(first, size)

    def for_processor(self, first: int, size: int, direction: int) -> None:
        """``dma_sync_single_for_cpu``: Linux calls it after a transfer."""
        if direction != TO_DEVICE:
            self.invalidate(first, size)
