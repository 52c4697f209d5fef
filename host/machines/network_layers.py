"""The convolutions of a network by name, as the machine models are asked for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from fractrain.host.graph.geometry import Geometry
from fractrain.host.graph.operations import Convolve
from fractrain.host.graph.step import build_outline
from fractrain.host.machines.layers import layer_of
from fractrain.host.networks.registry import build_network
from fractrain.hw.contract.precision import Pass
from fractrain.sim.machines import Layer

CLASSES = 10
"""Of networks that are only looked at. The classifier runs on the host and is in no model, so a
network for 100 classes has the same convolutions."""


@dataclass(frozen=True)
class NetworkLayer:
    """One convolution of a network.

    block : number of the block it is in; None in front of all blocks
    chosen : at the precision of its block; else a shortcut, or a layer outside
    geometry : for one image
    passes : those of training
    """

    name: str
    block: int | None
    chosen: bool
    geometry: Geometry
    passes: tuple[Pass, ...]

    def of(self, batch: int) -> Layer:
        """As the machine models have it."""
        return layer_of(replace(self.geometry, images=batch))


@lru_cache(maxsize=256)
def layers_of(model: str, images: tuple[int, int, int]) -> tuple[NetworkLayer, ...]:
    """Of the network ``model`` on images of channels, rows, columns, in forward order.

    The first has no error pass, as nothing in front of it learns. Raises `ParameterError` for a
    name that no family of networks knows, and for images that it cannot take.
    """
    rng = np.random.default_rng(0)
    network = build_network(model, channels=images[0], classes=CLASSES, rng=rng)
    outline = build_outline(network, images)
    found: list[NetworkLayer] = []
    for each in outline.convolutions:
        assert isinstance(each, Convolve) and each.slot is not None
        passes = tuple(pass_ for pass_ in Pass if found or pass_ is not Pass.ERROR)
        chosen = outline.slots[each.slot].chosen
        block = outline.members.get(each)
        found.append(NetworkLayer(each.layer, block, chosen, each.geometry, passes))
    return tuple(found)


def blocks_of(model: str, images: tuple[int, int, int]) -> int:
    """How many blocks the network has."""
    numbers = (each.block for each in layers_of(model, images) if each.block is not None)
    return 1 + max(numbers, default=-1)
