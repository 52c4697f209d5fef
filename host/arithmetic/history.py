"""The greatest magnitudes of tensors in the last step: what this step's scales are made from."""

from __future__ import annotations


class History:
    """Real numbers by name. Those of a step are observed while it is carried out, and hold from the
    next one on; zeros change nothing.
    """

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self._observed: dict[str, float] = {}

    def extent(self, name: str) -> float | None:
        """Of the last step that had the tensor; None if none had."""
        return self.values.get(name)

    def observe(self, name: str, magnitude: float) -> None:
        """Note the greatest magnitude of a tensor of this step."""
        if magnitude > 0:
            self._observed[name] = magnitude

    def commit(self) -> None:
        """The step is over."""
        self.values |= self._observed
        self._observed = {}

    def commit_new(self) -> None:
        """The step only measured: what was known stays."""
        self.values = self._observed | self.values
        self._observed = {}
