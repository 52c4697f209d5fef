"""Numerical derivatives, to hold backward passes against."""

from collections.abc import Callable

import numpy as np


def numerical_gradient(
    function: Callable[[], float], x: np.ndarray, step: float = 1e-5
) -> np.ndarray:
    """d function / d x by central differences, changing ``x`` in place one element at a time."""
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + step
        above = function()
        x[index] = kept - step
        below = function()
        x[index] = kept
        gradient[index] = (above - below) / (2 * step)
    return gradient
