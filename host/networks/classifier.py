"""The end of a network, in float32 on the host: average pool, linear layer, loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.execution import Execution
from fractrain.host.networks.parameter import Parameter
from fractrain.host.numerics.quantization import Array


class Classifier:
    """Global average pool and a linear layer: logits[n,k] = Σ_c mean(x[n,c])·weight[k,c] + bias[k].

    Weights start uniform in ±1/√channels, biases at zero.
    """

    def __init__(self, channels: int, classes: int, rng: np.random.Generator) -> None:
        bound = 1 / np.sqrt(channels)
        weight = rng.uniform(-bound, bound, (classes, channels)).astype(np.float32)
        self.weight = Parameter("classifier.weight", weight)
        self.bias = Parameter("classifier.bias", np.zeros(classes, np.float32))
        self._saved: tuple[Array, tuple[int, ...]] | None = None

    def parameters(self) -> list[Parameter]:
        return [self.weight, self.bias]

    def emit(self, builder: Builder, x: Tensor) -> Tensor:
        """Logits ``[N, classes]`` of ``x[N,C,H,W]``."""
        return builder.linear("classifier", builder.pool("pool", x), self.weight, self.bias)

    def forward(self, x: Array, execution: Execution) -> Array:
        """Logits ``[N, classes]`` of ``x[N,C,H,W]``."""
        xp = execution.xp
        pooled = xp.mean(x, axis=(2, 3))
        if execution.training is not None:
            self._saved = (pooled, tuple(x.shape))
        # NumPy's einsum sums in an order of its own; BLAS would choose one by its thread count.
        return xp.einsum("nc,kc->nk", pooled, self.weight.value) + self.bias.value

    def backward(self, e: Array, execution: Execution) -> Array:
        """Add to the gradients, return the error at ``x``, the same for all pixels of a channel."""
        if self._saved is None:
            raise RuntimeError("classifier: no forward pass in training to go back through")
        xp, (pooled, shape) = execution.xp, self._saved
        self._saved = None
        self.weight.add_gradient(xp.einsum("nk,nc->kc", e, pooled))
        self.bias.add_gradient(xp.sum(e, axis=0))
        pixels = math.prod(shape[2:])
        spread = xp.einsum("nk,kc->nc", e, self.weight.value) / pixels
        return xp.broadcast_to(spread.reshape(*spread.shape, 1, 1), shape)


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
