"""Meters: they watch a run from outside while it trains, such as a board's power."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Meter", "NoMeter"]


class Meter(Protocol):
    """Is called when steps begin and end, and keeps its measurements in the run's folder.

    Work between the end of a step and the beginning of the next (logs, checkpoints, evaluations)
    belongs to neither. A meter must not change a bit of the training.
    """

    def resume(self, folder: Path, note: Callable[[str], None]) -> None:
        """The run in ``folder`` is resumed; calls ``note`` with unusable files."""

    def start(self) -> None:
        """Training begins, or resumes."""

    def begin_step(self) -> None:
        """A step begins now."""

    def end_step(self, step: int) -> None:
        """Step ``step`` has ended."""

    def write(self, folder: Path) -> None:
        """Write everything known by now to the run's ``folder``."""

    def sync(self) -> None:
        """Make the written files durable."""

    def close(self, folder: Path | None) -> None:
        """Training ends; ``folder`` is None if no run has begun. Closing twice is no error."""

    def summary(self, folder: Path) -> dict[str, Any]:
        """Its part of the run's summary, after `close`."""


class NoMeter(Meter):
    """Measures nothing."""

    def resume(self, folder: Path, note: Callable[[str], None]) -> None: ...

    def start(self) -> None: ...

    def begin_step(self) -> None: ...

    def end_step(self, step: int) -> None: ...

    def write(self, folder: Path) -> None: ...

    def sync(self) -> None: ...

    def close(self, folder: Path | None) -> None: ...

    def summary(self, folder: Path) -> dict[str, Any]:
        return {}
