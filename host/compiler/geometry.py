"""The engine's own form of convolutions, and how others are placed into it.

The engine computes, along each axis, with ``centre`` = 1 for three taps and 0 for one,

    y'[i] = Σ_r a'[stride·i + r − centre] · w[r]

where a' is zero outside. A convolution with another padding is the same with its tensors
placed elsewhere: ``a'[offset + u] = a[u]`` with zeros around, and ``y[p] = y'[crop + p]``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution in the engine's form.

    The input is stored at ``offset`` among ``stored`` pixels, outputs begin at ``crop``.
    """

    offset: int
    crop: int
    stored: int


def forward_axis(length: int, outputs: int, taps: int, stride: int, padding: int) -> Axis:
    """Of ``y[p] = Σ a[stride·p + r − padding] · w[r]``; ``padding`` may be negative."""
    centre = taps // 2
    crop = max(0, -((padding - centre) // stride))
    offset = stride * crop - centre + padding
    return Axis(offset, crop, max(offset + length, stride * (crop + outputs - 1) + 1))


def parity_axis(length: int, outputs: int, taps: int, padding: int) -> Axis:
    """Of the error of a convolution with stride 2: ``outputs`` pixels at the input.

    In the engine's form ``dx'[2p + r − centre] += e'[p] · w[r]``, with ``e'[offset + p] = e[p]``
    and ``dx[h] = dx'[crop + h]``.
    """
    centre = taps // 2
    offset = 1 if padding < centre else 0
    crop = padding + 2 * offset - centre
    return Axis(offset, crop, max(offset + length, -(-(crop + outputs) // 2)))
