"""What training changes: float32 tensors with their gradients, and their fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from host.numerics.quantization import Array


class Parameter:
    """A float32 tensor ``value`` and the ``gradient`` that the last backward pass left."""

    def __init__(self, name: str, value: Array) -> None:
        self.name = name
        self.value = value
        self.gradient: Any = None


def weights_sha256(parameters: Iterable[Parameter]) -> str:
    """SHA-256 of the values, in the order given, each as little-endian float32 in C order."""
    digest = hashlib.sha256()
    for parameter in parameters:
        digest.update(np.ascontiguousarray(parameter.value, "<f4").tobytes())
    return digest.hexdigest()
