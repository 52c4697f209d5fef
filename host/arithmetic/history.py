"""The greatest magnitudes of tensors in the last step: what this step's scales are made from."""

from __future__ import annotations

from collections.abc import Mapping


class History:
    """Real numbers by name, of every tensor that a step had; 0 of one that was zero in all of them.
    Those of a step are observed while it is carried out, and hold from the next one on; zeros
    change nothing that is known.
    """

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self._observed: dict[str, float] = {}

    def knows(self, name: str) -> bool:
        """Whether a step had the tensor."""
        return name in self.values

    def extent(self, name: str) -> float | None:
        """Of the last step that had the tensor, and not all zeros; None if none had."""
        return self.values.get(name) or None

    def observe(self, name: str, magnitude: float) -> None:
        """Note the greatest magnitude of a tensor of this step."""
        self._observed[name] = magnitude

    def observe_all(self, magnitudes: Mapping[str, float]) -> None:
        """Of several tensors."""
        self._observed.update(magnitudes)

    def commit(self) -> None:
        """The step is over."""
        for name, magnitude in self._observed.items():
            if magnitude > 0 or not self.knows(name):
                self.values[name] = magnitude
        self._observed = {}

    def commit_new(self) -> None:
        """The step only measured: ranges that were known stay."""
        for name, magnitude in self._observed.items():
            if self.extent(name) is None:
                self.values[name] = magnitude
        self._observed = {}
