"""Known facts about tensors: that they hold integers, and their range."""

from __future__ import annotations

import weakref
from typing import Any

Tensor = Any


class KnownRanges:
    """Ranges of integer-valued tensors, so that each is searched once, or never.

    A range is forgotten with its tensor, and when an operation has changed the tensor in place:
    PyTorch counts those (``Tensor._version``). It does not see writes into the memory by others,
    for example through a NumPy array that shares it.
    """

    def __init__(self) -> None:
        self._ranges: dict[int, tuple[weakref.ref[Any], int, int, int]] = {}

    def note(self, tensor: Tensor, low: int, high: int) -> None:
        """Values of ``tensor`` are integers of low..high, or NaN (`host.backends.torch.exact`)."""
        if tensor.is_inference():
            return  # its changes are not counted
        key = id(tensor)
        forget = weakref.ref(tensor, lambda _: self._ranges.pop(key, None))
        self._ranges[key] = (forget, tensor._version, low, high)

    def of(self, tensor: Tensor) -> tuple[int, int] | None:
        """(low, high), or None if nothing is known."""
        found: Any = self._ranges.get(id(tensor))
        if found is None:
            return None
        reference, version, low, high = found
        if reference() is not tensor or version != tensor._version:
            return None
        return low, high
