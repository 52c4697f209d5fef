"""Convolutions by SciPy's correlation of integers: written here, from no code of the project.

A forward pass is a correlation of three axes (channels, rows, columns), of which every
``stride``-th result is kept. With the errors spread by zeros to the places that were kept, the
error is the full correlation with the kernels turned around, and the gradient the one of inputs and
errors over (images, rows, columns). SciPy's direct method stays in int64, so all of it is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from fractrain.host.compiler import Planes, Step
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.precision import Pass, Precision

Values = NDArray[np.int64]


def forward(a: Values, w: Values, g: Geometry) -> Values:
    return np.array(
        [
            [_correlate(image, kernel)[0, :: g.stride, :: g.stride] for kernel in w]
            for image in _pad(a, g.padding, g.padding)
        ]
    )


def error(e: Values, w: Values, g: Geometry) -> Values:
    turned = w[:, :, ::-1, ::-1]
    spread = _pad(_spread(e, g), g.kernel[0] - 1, g.kernel[1] - 1)
    # what no window reached, at the bottom and at the right, stays zero
    padded = np.zeros((*g.activations[:2], *(each + 2 * g.padding for each in g.size)), np.int64)
    for image, errors in enumerate(spread):
        for channel in range(g.channels):
            part = _correlate(errors, turned[:, channel])[0]
            padded[image, channel, : part.shape[0], : part.shape[1]] = part
    rows, columns = (slice(g.padding, g.padding + each) for each in g.size)
    return padded[:, :, rows, columns]


def gradient(a: Values, e: Values, g: Geometry) -> Values:
    padded, spread = _pad(a, g.padding, g.padding), _spread(e, g)
    rows, columns = (slice(each) for each in g.kernel)
    return np.array(
        [
            [
                _correlate(padded[:, channel], spread[:, filter_])[0, rows, columns]
                for channel in range(g.channels)
            ]
            for filter_ in range(g.filters)
        ]
    )


def results(
    steps: Sequence[Step], operands: Mapping[str, Values], table: Mapping[int, Precision]
) -> dict[str, Values | None]:
    """What all steps make at the precisions of ``table``; None for those that are skipped."""
    known = dict(operands)
    found: dict[str, Values | None] = {}
    for step in steps:
        bits = [table[step.slot].bits(each) for each in (step.pass_.row, step.pass_.column)]
        if 0 in bits:
            found[step.result], known[step.result] = None, np.zeros(step.result_shape, np.int64)
            continue
        row, column = (
            known[name] >> (stored - width)
            for name, stored, width in zip(
                (step.row, step.column), step.stored_bits, bits, strict=True
            )
        )
        made = {Pass.FORWARD: forward, Pass.ERROR: error, Pass.GRADIENT: gradient}[step.pass_]
        sums = made(row, column, step.geometry)
        if isinstance(step.destination, Planes):
            sums = narrow(sums, step.destination)
        found[step.result] = known[step.result] = sums
    return found


def narrow(sums: Values, planes: Planes) -> Values:
    """``floor(sum / 2**shift + 1/2)``, saturated."""
    if planes.shift:
        sums = (sums + (1 << (planes.shift - 1))) // (1 << planes.shift)
    span = 1 << planes.bits
    low = -span // 2 if planes.signed else 0
    return np.minimum(np.maximum(sums, low), low + span - 1)


def _correlate(values: Values, kernel: Values) -> Values:
    return correlate(values, kernel, "valid", "direct")


def _pad(values: Values, rows: int, columns: int) -> Values:
    return np.pad(values, ((0, 0), (0, 0), (rows, rows), (columns, columns)))


def _spread(e: Values, g: Geometry) -> Values:
    """The errors at the places of their windows, zeros between."""
    height, width = (g.stride * (each - 1) + 1 for each in g.output)
    spread = np.zeros((*e.shape[:2], height, width), np.int64)
    spread[:, :, :: g.stride, :: g.stride] = e
    return spread
