"""Convolutions of real tensors, where a backend has them: for comparison, not for the machine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

Array = Any


class RealConvolutions(ABC):
    """The three passes in float32, rounded as the library beneath rounds.

    Shapes and formulas are those of `host.accelerator.Accelerator`.
    """

    @abstractmethod
    def forward(self, a: Array, w: Array, stride: int, padding: int) -> Array:
        """y[N,K,P,Q] of a[N,C,H,W] and w[K,C,R,S]."""

    @abstractmethod
    def error(
        self, e: Array, w: Array, stride: int, padding: int, input_size: tuple[int, int]
    ) -> Array:
        """dx[N,C,H,W] of e[N,K,P,Q] and w[K,C,R,S]."""

    @abstractmethod
    def gradient(
        self, a: Array, e: Array, stride: int, padding: int, kernel_size: tuple[int, int]
    ) -> Array:
        """dw[K,C,R,S] of a[N,C,H,W] and e[N,K,P,Q]."""
