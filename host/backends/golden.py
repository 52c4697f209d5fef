"""The golden model as an accelerator: the reference for all others."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Accelerator, Integers
from fractrain.host.backends.compiled.choosing import host_step_math
from fractrain.host.graph.convolution import Convolution
from fractrain.host.numerics.real_convolutions import RealConvolutions
from fractrain.host.numerics.step_math import StepMath
from fractrain.hw.contract.precision import Pass
from fractrain.sim import golden


class GoldenAccelerator(Accelerator):
    """`sim.golden` behind the accelerator's interface.

    Without a machine the counters stay zero (the trainer counts effective MACs). Of the parameters
    only ``precision.max_bits`` matters.
    """

    def _convolve(
        self, convolution: Convolution, row: Integers, column: Integers
    ) -> NDArray[np.int64]:
        geometry = convolution.geometry
        how: dict[str, Any] = {
            "bits": convolution.bits,
            "signed": convolution.signed,
            "stride": geometry.stride,
            "padding": geometry.padding,
        }
        if convolution.pass_ is Pass.FORWARD:
            return golden.forward(row, column, **how)
        if convolution.pass_ is Pass.ERROR:
            return golden.error(row, column, **how, input_size=geometry.size)
        return golden.gradient(row, column, **how, kernel_size=geometry.kernel)

    @cached_property
    def step_math(self) -> StepMath:
        return host_step_math()

    def real_convolutions(self) -> RealConvolutions:
        return _GoldenReals()


class _GoldenReals(RealConvolutions):
    """`sim.golden.real`: rounding of sums depends on BLAS and its number of threads."""

    def convolve(self, convolution: Convolution, row: NDArray, column: NDArray) -> NDArray:
        geometry = convolution.geometry
        at = geometry.stride, geometry.padding
        if convolution.pass_ is Pass.FORWARD:
            return golden.real.forward(row, column, *at)
        if convolution.pass_ is Pass.ERROR:
            return golden.real.error(row, column, *at, geometry.size)
        return golden.real.gradient(row, column, *at, geometry.kernel)
