"""Convolutions of real tensors, for comparison, on backends that have them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from fractrain.host.graph.convolution import Convolution

Array = Any


class RealConvolutions(ABC):
    """The three passes in float32, rounded by the library beneath."""

    @abstractmethod
    def convolve(self, convolution: Convolution, row: Array, column: Array) -> Array:
        """What `Convolution` says, of real numbers: its bits are those that they stand for."""
