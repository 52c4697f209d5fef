"""A program carried out step by step, by whatever computes a convolution: what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.program import Program, Results, narrowed, skipped
from fractrain.host.graph.convolution import Convolution
from fractrain.hw.contract.precision import Precision

Integers = NDArray[np.integer]


def run_stepwise(
    program: Program,
    operands: Mapping[str, Integers],
    precisions: Mapping[int, Precision],
    convolve: Callable[[Convolution, Any, Any], NDArray[np.int64]],
) -> Results:
    """Results, by name, of all steps of ``program``, as `Accelerator.run` says; ``convolve`` gives
    the sums of each."""
    results: Results = {}
    values: dict[str, Integers] = dict(operands)
    for step in program.steps:
        result = None
        if not skipped(step, precisions):
            precision, pass_ = precisions[step.slot], step.pass_
            bits = precision.bits(pass_.row), precision.bits(pass_.column)
            row, column = (
                values[name] >> (stored - width)
                for name, stored, width in zip(
                    (step.row, step.column), step.stored_bits, bits, strict=True
                )
            )
            sums = convolve(Convolution(pass_, step.geometry, bits, bits, step.signed), row, column)
            result = narrowed(step, sums)
        results[step.result] = result
        nothing: Integers = np.zeros(step.result_shape, np.int64)
        values[step.result] = nothing if result is None else result
    return results
