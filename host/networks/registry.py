"""All networks, by the names that users give them."""

from __future__ import annotations

from fractrain.host.networks.network import Network, NetworkFamily
from fractrain.host.numerics.random_streams import RandomNumbers
from fractrain.host.plugins.registry import Registry
from fractrain.hw.contract.errors import ParameterError

__all__ = ["NETWORKS", "build_network", "check_model"]

NETWORKS: Registry[NetworkFamily] = Registry(
    "fractrain.host.networks", "NETWORK", "network", order=lambda family: family.name
)


def check_model(model: str) -> NetworkFamily:
    """The family of the network named ``model``; `ParameterError` if there is none."""
    for family in NETWORKS:
        if family.knows(model):
            return family
    raise ParameterError("model", model, " or ".join(family.models for family in NETWORKS))


def build_network(
    model: str,
    *,
    channels: int,
    classes: int,
    rng: RandomNumbers,
    group: int | None = None,
) -> Network:
    """The network named ``model`` for images of ``channels``; batch norm over ``group`` images.

    Raises `ParameterError` for a name that no family knows.
    """
    build = check_model(model).build
    return build(model, channels=channels, classes=classes, rng=rng, group=group)
