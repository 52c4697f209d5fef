"""A buffer that a processor sees through caches which nobody keeps coherent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["TO_DEVICE", "CachedView"]

LINE_BYTES = 32
"""Of the Cortex-A9's caches."""

BIDIRECTIONAL, TO_DEVICE, FROM_DEVICE = range(3)


class CachedView:
    """The buffer ``memory`` as the processor sees it, in ``data``.

    The worst that caches may do, always: they hold the whole buffer, so the processor never sees
    what a device has written until `invalidate`, and a device never sees what the processor has
    written until `clean`; and lines that were written and not cleaned go back to memory while the
    device works (`evict`), over what it writes there.
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
        """Forget the lines of these bytes, what was written into them included."""
        part = slice(first, first + size)
        self.data[part] = self._clean[part] = self._memory[part]

    def evict(self) -> None:
        """Write back every line that was written and not cleaned."""
        differs = self.data.view(np.uint64) != self._clean.view(np.uint64)
        if not differs.any():
            return
        for line in np.unique(np.nonzero(differs)[0] // (LINE_BYTES // 8)):
            self.clean(int(line) * LINE_BYTES, LINE_BYTES)

    def for_device(self, first: int, size: int, direction: int) -> None:
        """What Linux does before a transfer, ``dma_sync_single_for_device``."""
        if direction == FROM_DEVICE:
            self.invalidate(first, size)
        else:
            self.clean(first, size)

    def for_processor(self, first: int, size: int, direction: int) -> None:
        """What Linux does after it, ``dma_sync_single_for_cpu``."""
        if direction != TO_DEVICE:
            self.invalidate(first, size)
