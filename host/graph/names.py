"""The names of a step, each of one thing only."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

from fractrain.host.graph.tensor import Kind, Tensor
from fractrain.hw.contract.errors import ParameterError


class Named(Protocol):
    """A parameter or running statistic of a network."""

    name: str
    value: Any


class Names:
    """Names that are taken; `ParameterError` for one that is to be another thing's, too."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._tensors: dict[str, tuple[Named, Tensor]] = {}

    def take(self, what: str, name: str) -> None:
        """``name`` is that of a ``what`` from now on."""
        if name in self._taken:
            _refuse(what, name)
        self._taken.add(name)

    def tensor_of(self, named: Named, kind: Kind) -> Tensor:
        """``named`` as a tensor, the same one every time.

        A statistic may be called as a tensor is: it is kept apart from them.
        """
        if named.name not in self._tensors:
            shape = () if named.value is None else tuple(named.value.shape)
            if kind is Kind.PARAMETER:
                self.take("parameter", named.name)
            self._tensors[named.name] = named, Tensor(named.name, shape, kind)
        known, tensor = self._tensors[named.name]
        if known is not named or tensor.kind is not kind:
            _refuse(kind.name.lower(), named.name)
        return tensor


def _refuse(what: str, name: str) -> NoReturn:
    raise ParameterError(what, name, "a name that is not taken in this network")
