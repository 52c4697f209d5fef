"""The loss indicator of progressive fractional quantization: it finds when training has settled.

Source: Fu et al., FracTrain, NeurIPS 2020, section 3.1, with the details of the authors' code.
"""

from __future__ import annotations

from collections import deque
from typing import Any

WINDOW = 5
"""Epochs compared at a time; turning points are at least this many epochs apart."""

PUBLISHED_DECAYS = 2
"""Turning points at which the authors' code lowers ε."""

SCALE_EPOCHS = 10
"""The mean loss of these epochs is the unit of differences; frozen afterwards."""


class TurningPointIndicator:
    """Watches the mean training loss of each epoch for the points where it stops falling.

    With L_1 … L_5 the last five and ``scale`` the mean of the first ten epoch losses (of all so
    far, while there are fewer), a turning point is where

        |L_i − L_5| / scale ≤ ε      for i = 1 … 4

    Then the window starts empty again and ε ← ε·α, at the first ``decays`` of them (None: at all).
    There are at most ``limit`` turning points.
    """

    def __init__(
        self, *, epsilon: float, alpha: float, limit: int, decays: int | None = None
    ) -> None:
        self.epsilon, self._alpha, self._limit = epsilon, alpha, limit
        self._decays = limit if decays is None else decays
        self.turning_points = 0
        self._window: deque[float] = deque(maxlen=WINDOW)
        self._scale_losses: list[float] = []

    def observe(self, loss: float) -> bool:
        """Take the mean loss of an epoch; return whether the epoch ends in a turning point."""
        if len(self._scale_losses) < SCALE_EPOCHS:
            self._scale_losses.append(loss)
        self._window.append(loss)
        if self.turning_points == self._limit or not self._settled():
            return False
        self.turning_points += 1
        if self.turning_points <= self._decays:
            self.epsilon *= self._alpha
        self._window.clear()
        return True

    def _settled(self) -> bool:
        if len(self._window) < WINDOW:
            return False
        scale = sum(self._scale_losses) / len(self._scale_losses)
        *earlier, last = self._window
        return all(abs(loss - last) <= self.epsilon * scale for loss in earlier)

    def state(self) -> dict[str, Any]:
        """All that `load` needs to go on from here."""
        return {
            "epsilon": self.epsilon,
            "turning_points": self.turning_points,
            "window": list(self._window),
            "scale_losses": self._scale_losses,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.epsilon, self.turning_points = state["epsilon"], state["turning_points"]
        self._window = deque(state["window"], maxlen=WINDOW)
        self._scale_losses = list(state["scale_losses"])
