"""All networks, by the names that users give them. One line for each family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fractrain.host.networks import resnet
from fractrain.host.networks.network import Network
from fractrain.hw.contract.errors import ParameterError


@dataclass(frozen=True)
class Family:
    """Networks of one kind: what their ``names`` are, whether a name is one of them, and the one
    of a name."""

    names: str
    knows: Callable[[str], bool]
    build: Callable[..., Network]


FAMILIES = [
    Family(resnet.NAMES, resnet.knows, resnet.build),
]
"""A network of one's own is appended here."""


def check_model(model: str) -> Family:
    """The family of the network named ``model``; `ParameterError` if there is none."""
    for family in FAMILIES:
        if family.knows(model):
            return family
    raise ParameterError("model", model, " or ".join(family.names for family in FAMILIES))


def build_network(
    model: str,
    *,
    channels: int,
    classes: int,
    rng: np.random.Generator,
    group: int | None = None,
) -> Network:
    """The network named ``model`` for images of ``channels``; batch norm over ``group`` images.

    Raises `ParameterError` for a name that no family knows.
    """
    build = check_model(model).build
    return build(model, channels=channels, classes=classes, rng=rng, group=group)
