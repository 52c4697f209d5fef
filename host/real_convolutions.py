"""Convolutions of real tensors, where a backend has them: for comparison, not for the machine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from fractrain.host.graph.convolution import Convolution

Array = Any


class RealConvolutions(ABC):
    """The three passes in float32, rounded as the library beneath rounds."""

    @abstractmethod
    def convolve(self, convolution: Convolution, row: Array, column: Array) -> Array:
        """What `Convolution` says, of real numbers: its bits are those that they stand for."""
