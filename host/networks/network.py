"""The protocol of a network: parameters, statistics, and the operations that it emits."""

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

    The order of `parameters` is part of the network: `weights_sha256` depends on it.
    """

    name: str

    def parameters(self) -> list[Parameter]:
        """The parameters that training changes."""
        ...

    def statistics(self) -> list[Statistic]:
        """Running statistics of batch norms and activation ranges."""
        ...

    def emit(self, builder: Builder) -> Tensor:
        """Emit all operations from ``builder.images`` to the logits [N, classes]."""
        ...


@dataclass(frozen=True)
class NetworkFamily:
    """Networks of one kind. ``models``: their names, for errors; ``knows``: whether a name is one
    of them; ``build``: makes the network of a name, with the arguments of
    `registry.build_network`."""

    name: str
    models: str
    knows: Callable[[str], bool]
    build: Callable[..., Network]


def place(network: Network, elementwise: Elementwise) -> None:
    """Move parameters and statistics of ``network`` to the device of ``elementwise``."""
    held: list[Parameter | Statistic] = [*network.parameters(), *network.statistics()]
    for each in held:
        if each.value is not None:
            each.value = elementwise.from_host(each.value)
