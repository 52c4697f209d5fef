"""What a run is made of."""

import numpy as np

from fractrain.host.networks.registry import build_network
from fractrain.host.runs import setup


def test_steps_on_large_images_are_not_modelled() -> None:
    network = build_network("resnet8", channels=3, classes=2, rng=np.random.default_rng(0))
    assert setup._cost_model(network, (65, 8), 4) is None
    assert setup._cost_model(network, (8, 8), 4) is not None
