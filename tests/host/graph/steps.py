"""Steps of a small network, as graphs."""

import numpy as np

from fractrain.host.graph.options import StepOptions
from fractrain.host.graph.step import StepGraph, build_step
from fractrain.host.networks.registry import build_network
from fractrain.hw.contract.precision import Precision

COARSE, SKIP = Precision(3, 3, 6), Precision(0, 0, 0)
IMAGES = (6, 2, 8, 8)


def make_step(
    *precisions: Precision,
    training: bool = True,
    images: tuple[int, int, int, int] = IMAGES,
    **more: object,
) -> StepGraph:
    """Of a ResNet-8, blocks at any of ``precisions`` (3/3/6)."""
    network = build_network("resnet8", channels=2, classes=5, rng=np.random.default_rng(7))
    options = StepOptions(precisions or (COARSE,), **more)  # type: ignore[arg-type]
    return build_step(network, images, options, training=training)
