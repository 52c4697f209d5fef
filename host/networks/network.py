"""What a network is to everybody else: parameters, statistics, and operations that it emits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fractrain.host.graph.builder import Builder
from fractrain.host.graph.tensor import Tensor
from fractrain.host.networks.parameter import Parameter, Statistic
from fractrain.host.numerics.elementwise import Elementwise


class Network(Protocol):
    """A network; `host.graph.step.build_step` makes its steps.

    The order of `parameters` is part of what it is: `weights_sha256` depends on it.
    """

    name: str

    def parameters(self) -> list[Parameter]:
        """What training changes."""
        ...

    def statistics(self) -> list[Statistic]:
        """Running statistics of batch norms and activation ranges."""
        ...

    def emit(self, builder: Builder) -> Tensor:
        """Emit all operations from ``builder.images`` to the logits [N, classes]."""
        ...


@dataclass(frozen=True)
class NetworkFamily:
    """Networks of one kind. ``models``: what they are called, for errors; ``knows``: whether one is
    called so; ``build``: the one of a name, with the arguments of `registry.build_network`."""

    name: str
    models: str
    knows: Callable[[str], bool]
    build: Callable[..., Network]


def place(network: Network, elementwise: Elementwise) -> None:
    """Move parameters and statistics of ``network`` to where ``elementwise`` works."""
    held: list[Parameter | Statistic] = [*network.parameters(), *network.statistics()]
    for each in held:
        if each.value is not None:
            each.value = elementwise.from_host(each.value)
