"""The end of the network during a step: loss and error of each chunk, while others are at work.

Every image has its row: logits, loss and error are those of its own pooled sums (`host.numerics.
exact_classifier` adds up in an order that no other image changes), so chunks may come in any order,
and only three things are made of the whole mini-batch, when the last chunk is there: the loss, the
classifier's gradients, and the exponent of E.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.arithmetic import chunk_sums, step_scales
from fractrain.host.machine_step.machine import PooledSums
from fractrain.host.numerics import exact_classifier
from fractrain.host.numerics.fixed_order import mean
from fractrain.hw.contract.errors import MachineError

Reals = NDArray[np.float64]


class Exchange:
    """Of a mini-batch with these ``labels[N]``, a classifier of ``weight[K,C]`` and ``bias[K]``,
    and sums over ``pixels`` worth ``scale`` each."""

    def __init__(
        self, labels: NDArray[Any], weight: Reals, bias: Reals, scale: float, pixels: int
    ) -> None:
        self._labels, self._weight, self._bias = labels, weight, bias
        self._scale, self._pixels = scale, pixels
        images, (classes, channels) = len(labels), weight.shape
        self.sums = np.empty((images, channels), np.int64)
        self.logits = np.empty((images, classes))
        self._features, self._back = np.empty((2, images, channels))
        self._errors, self._losses = np.empty((images, classes)), np.empty(images)
        self._there = np.zeros(images, np.bool_)

    def take(self, chunk: PooledSums) -> None:
        """Loss and error of a chunk's images.

        Raises `MachineError` for images that the mini-batch does not have, or that came before.
        """
        part = slice(chunk.first, chunk.first + len(chunk.sums))
        there = self._there[part]
        if chunk.first < 0 or len(there) < len(chunk.sums) or there.any():
            images = f"images {part.start} to {part.stop - 1} of {len(self._there)}"
            raise MachineError(f"the machine gave pooled sums of {images}, which it does not owe")
        features = chunk_sums.pooled(np.asarray(chunk.sums), self._scale, self._pixels)
        logits = exact_classifier.linear(features, self._weight, self._bias)
        labels = self._labels[part]
        losses, errors = exact_classifier.cross_entropies(logits, labels, len(self._labels))
        there[:] = True
        self.sums[part], self._features[part] = chunk.sums, features
        self.logits[part], self._losses[part], self._errors[part] = logits, losses, errors
        self._back[part] = exact_classifier.linear_error(errors, self._weight)

    def loss(self) -> float:
        """Of the mini-batch; `MachineError` if images are missing."""
        if not self._there.all():
            missing = int((~self._there).sum())
            raise MachineError(
                f"the machine gave no pooled sums of {missing} of {len(self._there)} images"
            )
        return float(mean(self._losses))

    def pooled_errors(self) -> tuple[NDArray[np.int16], int]:
        """E at the pooling, [N,C], and its exponent."""
        e, exponent = step_scales.spread_errors(self._back, self._pixels)
        return e.astype(np.int16), exponent

    def gradients(self) -> tuple[Reals, Reals]:
        """Of weight and bias."""
        return exact_classifier.linear_gradients(self._errors, self._features)
