"""The tensors of a step that are in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Values:
    """Values by the name of their tensor, and which tensors share an array.

    One array may be the value of several tensors (a skipped operation passes it on, an operation
    may keep its result for the way back): it must not be overwritten while another one is alive.
    """

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._holders: dict[int, int] = {}
        self._lent: set[int] = set()

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def names(self) -> list[str]:
        """Of all tensors that there are."""
        return list(self._values)

    def put(self, name: str, value: Any, *, lent: bool = False) -> None:
        """Enter a tensor; ``lent``: its memory belongs to another tensor or to the caller."""
        self._values[name] = value
        key = id(value)
        self._holders[key] = self._holders.get(key, 0) + 1
        if lent:
            self._lent.add(key)

    def is_shared(self, name: str) -> bool:
        """Whether overwriting the tensor would change something else."""
        key = id(self._values[name])
        return self._holders[key] > 1 or key in self._lent

    def free(self, names: Iterable[str]) -> None:
        """Forget tensors, if there are any of these names."""
        for name in names:
            if name not in self._values:
                continue
            key = id(self._values.pop(name))
            left = self._holders.pop(key) - 1
            if left:
                self._holders[key] = left
            else:
                self._lent.discard(key)
