"""The end of a network: average pool and linear layer, in float32."""

from __future__ import annotations

import numpy as np

from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.parameter import Parameter
from fractrain.host.numerics.random_streams import RandomNumbers


class Classifier:
    """Global average pool and a linear layer: logits[n,k] = Σ_c mean(x[n,c])·weight[k,c] + bias[k].

    Weights start uniform in ±1/√channels, biases at zero.
    """

    def __init__(self, channels: int, classes: int, rng: RandomNumbers) -> None:
        bound = 1 / np.sqrt(channels)
        weight = rng.uniform(-bound, bound, (classes, channels)).astype(np.float32)
        self.weight = Parameter("classifier.weight", weight)
        self.bias = Parameter("classifier.bias", np.zeros(classes, np.float32))

    def parameters(self) -> list[Parameter]:
        return [self.weight, self.bias]

    def emit(self, builder: Builder, x: Tensor) -> Tensor:
        """Logits ``[N, classes]`` of ``x[N,C,H,W]``."""
        return builder.linear("classifier", builder.pool("pool", x), self.weight, self.bias)
