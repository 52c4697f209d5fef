"""The golden model as an accelerator: the definition of what the others must compute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Accelerator, Integers
from fractrain.host.real_convolutions import RealConvolutions
from fractrain.sim import golden


class GoldenAccelerator(Accelerator):
    """`sim.golden` behind the accelerator's interface.

    No machine runs, so the counters stay zero: effective MACs are the trainer's business. Of the
    parameters only ``precision.max_bits`` matters.
    """

    def _forward(
        self, a: Integers, w: Integers, bits: tuple[int, int], stride: int, padding: int
    ) -> NDArray[np.int64]:
        return golden.forward(a, w, bits=bits, stride=stride, padding=padding)

    def _error(
        self,
        e: Integers,
        w: Integers,
        bits: tuple[int, int],
        stride: int,
        padding: int,
        input_size: tuple[int, int],
    ) -> NDArray[np.int64]:
        return golden.error(e, w, bits=bits, stride=stride, padding=padding, input_size=input_size)

    def _gradient(
        self,
        a: Integers,
        e: Integers,
        bits: tuple[int, int],
        stride: int,
        padding: int,
        kernel_size: tuple[int, int],
    ) -> NDArray[np.int64]:
        return golden.gradient(
            a, e, bits=bits, stride=stride, padding=padding, kernel_size=kernel_size
        )

    def real_convolutions(self) -> RealConvolutions:
        return _GoldenReals()


class _GoldenReals(RealConvolutions):
    """`sim.golden.real`: how a sum is rounded depends on BLAS and its number of threads."""

    def forward(self, a: NDArray, w: NDArray, stride: int, padding: int) -> NDArray:
        return golden.real.forward(a, w, stride, padding)

    def error(
        self, e: NDArray, w: NDArray, stride: int, padding: int, input_size: tuple[int, int]
    ) -> NDArray:
        return golden.real.error(e, w, stride, padding, input_size)

    def gradient(
        self, a: NDArray, e: NDArray, stride: int, padding: int, kernel_size: tuple[int, int]
    ) -> NDArray:
        return golden.real.gradient(a, e, stride, padding, kernel_size)
