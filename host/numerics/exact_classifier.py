"""The end of the network and its loss in float64: the same bits on every machine.

Sums are `fixed_order`'s, exp and log `exact_math`'s. Arrays are float64, N images, C channels, K
classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fractrain.host.numerics.exact_math import exp, log
from fractrain.host.numerics.fixed_order import matmul, mean, total

Reals = NDArray[np.float64]


def linear(x: Reals, weight: Reals, bias: Reals) -> Reals:
    """y[n,k] = Σ_c x[n,c]·weight[k,c] + bias[k] of ``x[N,C]``, ``weight[K,C]``, ``bias[K]``."""
    return matmul(x, weight.T) + bias


def linear_gradients(e: Reals, x: Reals) -> tuple[Reals, Reals]:
    """Of weight ``[K,C]``, Σ_n e[n,k]·x[n,c], and of bias ``[K]``, Σ_n e[n,k]; ``e[N,K]`` is the
    error at y."""
    return matmul(e.T, x), total(e)


def linear_error(e: Reals, weight: Reals) -> Reals:
    """The error at x, ``[N,C]``: Σ_k e[n,k]·weight[k,c]."""
    return matmul(e, weight)


def softmax(x: Reals) -> Reals:
    """e^(x − max) / Σ e^(x − max) of each row of ``x[N,K]``."""
    exponentials = exp(x - x.max(axis=1, keepdims=True))
    return exponentials / total(exponentials, axis=1)[:, np.newaxis]


def softmax_cross_entropy(logits: Reals, labels: NDArray[np.integer]) -> tuple[float, Reals]:
    """Mean loss of ``logits[N,K]`` for ``labels[N]``, and the error at the logits, ``[N,K]``.

    With d[n,k] = logits[n,k] − max_k and t[n] = Σ_k e^d: loss = S over n of (ln t − d[label]) / N,
    error = (e^d / t − onehot) / N.
    """
    losses, error = cross_entropies(logits, labels, len(labels))
    return float(mean(losses)), error


def cross_entropies(logits: Reals, labels: NDArray[np.integer], batch: int) -> tuple[Reals, Reals]:
    """Loss of each image, ``[N]``, and the error at the logits, of some of ``batch`` images: no
    image's numbers depend on another."""
    images = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = exp(shifted)
    totals = total(exponentials, axis=1)
    error = exponentials / totals[:, np.newaxis]
    error[images, labels] -= 1
    return log(totals) - shifted[images, labels], error / batch
