"""The u-dma-buf of a simulated board: its memory, mappings of it, and the caches over it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from fractrain.sim.board.caches import TO_DEVICE, CachedView
from fractrain.sim.board.tree import UDMABUF

__all__ = ["MappedBuffer", "SharedBuffer"]


class SharedBuffer:
    """The bytes ``memory``; ``injected`` is read at each use."""

    def __init__(self, memory: NDArray[np.uint8], injected: Collection[str]) -> None:
        self.memory = memory
        self._injected = injected
        self._caches: CachedView | None = None

    def map(self, path: str, size: int, *, cached: bool) -> MappedBuffer:
        """Map the device ``path``, through the caches or past them."""
        if path != f"/dev/{UDMABUF.rpartition('/')[2]}" or size > len(self.memory):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        if not cached:
            return MappedBuffer(self.memory[:size])
        self._caches = CachedView(self.memory[:size])
        return MappedBuffer(self._caches.data, self._forget_caches)

    def _forget_caches(self) -> None:
        """Close the mappings."""
        self._caches = None

    def sync_for_device(self, text: str) -> None:
        """What is written to the attribute of that name."""
        if self._caches is not None and "unwritten-caches" not in self._injected:
            self._caches.for_device(*self._command(text))

    def sync_for_processor(self, text: str) -> None:
        """What is written to ``sync_for_cpu``."""
        if self._caches is not None and "stale-caches" not in self._injected:
            self._caches.for_processor(*self._command(text))

    def evict(self) -> None:
        """Let the caches write lines back while the processor waits for the machine."""
        if self._caches is not None:
            self._caches.evict()

    def _command(self, text: str) -> tuple[int, int, int]:
        """First byte, size and direction of a command to u-dma-buf."""
        word = int(text, 0)
        first, size, direction = word >> 32, word & 0xFFFF_FFF0, word >> 2 & 3
        if not word & 1 or first + size > len(self.memory):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), UDMABUF)
        half = f"half-{'written' if direction == TO_DEVICE else 'stale'}-caches"
        return first, size // 2 if half in self._injected else size, direction


class MappedBuffer:
    """A mapping of the u-dma-buf; calls ``closed`` when it is closed."""

    def __init__(self, data: NDArray[np.uint8], closed: Callable[[], None] = lambda: None) -> None:
        self.data, self._closed = data, closed

    def close(self) -> None:
        self.data = self.data[:0]
        closed, self._closed = self._closed, lambda: None
        closed()
