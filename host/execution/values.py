"""The tensors of a step that are in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any


class Values:
    """Values by the name of their tensor, and which tensors share an array.

    One array may be the value of several tensors (what is skipped passes it on, an operation may
    keep its result for the way back): it must not be overwritten while another one is alive.
    """

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._holders: Counter[int] = Counter()
        self._lent: set[int] = set()

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def names(self) -> list[str]:
        """Of all tensors that there are."""
        return list(self._values)

    def put(self, name: str, value: Any, *, lent: bool = False) -> None:
        """Enter a tensor; ``lent``: its memory is somebody else's, or no memory of its own."""
        self._values[name] = value
        self._holders[id(value)] += 1
        if lent:
            self._lent.add(id(value))

    def is_shared(self, name: str) -> bool:
        """Whether overwriting the tensor would change something else."""
        key = id(self._values[name])
        return self._holders[key] > 1 or key in self._lent

    def free(self, names: Iterable[str]) -> None:
        """Forget tensors, if there are any of these names."""
        for name in names:
            if name in self._values:
                key = id(self._values.pop(name))
                self._holders[key] -= 1
                if not self._holders[key]:
                    del self._holders[key]
                    self._lent.discard(key)
