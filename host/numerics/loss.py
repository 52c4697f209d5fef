"""The loss of a batch, in float32."""

from __future__ import annotations

from typing import Any

from fractrain.host.numerics.quantization import Array


def softmax_cross_entropy(xp: Any, logits: Array, labels: Array) -> tuple[Array, Array]:
    """Mean loss over the batch, and the error at the logits: (softmax − onehot) / N."""
    shifted = logits - xp.max(logits, axis=1, keepdims=True)
    exponentials = xp.exp(shifted)
    totals = xp.sum(exponentials, axis=1, keepdims=True)
    onehot = xp.asarray(labels.reshape(-1, 1) == xp.arange(logits.shape[1]), dtype=xp.float32)
    error = (exponentials / totals - onehot) / len(labels)
    # NumPy 1.24 makes float64 of a float32 scalar and a Python number: this one is an array.
    count = xp.asarray(len(labels), dtype=xp.float32)
    loss = -xp.sum(onehot * (shifted - xp.log(totals))) / count
    return loss, error
