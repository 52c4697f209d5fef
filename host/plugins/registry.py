"""Registries: values in the modules of a package, or registered by hand, by their names.

Adding a module to the package adds to the registry: there is no list.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from fractrain.hw.contract.errors import ParameterError, did_you_mean

__all__ = ["Named", "Registry"]


class Named(Protocol):
    """What can be registered."""

    @property
    def name(self) -> str: ...


Kind = TypeVar("Kind", bound=Named)


class Registry(Generic[Kind]):
    """All ``attribute`` of the modules of ``package``, by their names, ordered by ``order``.

    ``what`` they are called in errors. Modules are imported when the registry is first asked.
    """

    def __init__(
        self, package: str, attribute: str, what: str, order: Callable[[Kind], Any]
    ) -> None:
        self._package, self._attribute = package, attribute
        self._what, self._order = what, order
        self._known: dict[str, Kind] | None = None

    def register(self, kind: Kind) -> None:
        """Add ``kind``, which stands in no module of the package.

        Raises `ParameterError` if its name is taken.
        """
        self._add(self._all(), kind)

    def unregister(self, name: str) -> None:
        """Take ``name`` out again."""
        del self._all()[name]

    def find(self, name: str) -> Kind:
        """What is called ``name``; `ParameterError` if nothing is."""
        if name not in self._all():
            hint = did_you_mean(name, self.names)
            raise ParameterError(self._what, name, ", ".join(self.names), hint=hint)
        return self._all()[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Of all, in order."""
        return tuple(each.name for each in self)

    def __iter__(self) -> Iterator[Kind]:
        return iter(sorted(self._all().values(), key=self._order))

    def _all(self) -> dict[str, Kind]:
        if self._known is None:
            known: dict[str, Kind] = {}
            package = importlib.import_module(self._package)
            for found in pkgutil.iter_modules(package.__path__):
                module = importlib.import_module(f"{self._package}.{found.name}")
                if (kind := getattr(module, self._attribute, None)) is not None:
                    self._add(known, kind)
            self._known = known
        return self._known

    def _add(self, known: dict[str, Kind], kind: Kind) -> None:
        if kind.name in known:
            raise ParameterError(self._what, kind.name, "a name that is not taken")
        known[kind.name] = kind
