"""Parameters and statistics of a network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from fractrain.host.numerics.elementwise import Elementwise
from fractrain.host.numerics.quantization import Array


class Parameter:
    """A float32 tensor ``value``, and its ``gradient``, the sum over backward passes.

    ``multiplied``: weights of a convolution, which in hardware mode are integers.
    """

    def __init__(self, name: str, value: Array, *, multiplied: bool = False) -> None:
        self.name, self.multiplied = name, multiplied
        self.value = value
        self.gradient: Any = None

    def add_gradient(self, gradient: Array) -> None:
        """Add the gradient of one backward pass (a layer may run several times in a step)."""
        self.gradient = gradient if self.gradient is None else self.gradient + gradient


class Statistic:
    """A running quantity ``value`` that evaluation uses; None before it is first known."""

    def __init__(self, name: str, value: Array = None) -> None:
        self.name = name
        self.value = value


def weights_sha256(parameters: Iterable[Parameter], elementwise: Elementwise | None = None) -> str:
    """SHA-256 of the values, in the order given, each as little-endian float32 in C order."""
    to_host = (elementwise or Elementwise()).to_host
    digest = hashlib.sha256()
    for parameter in parameters:
        digest.update(np.ascontiguousarray(to_host(parameter.value), "<f4").tobytes())
    return digest.hexdigest()
