"""What may watch a run from outside while it trains: the power of a board, for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Meter", "NoMeter"]


class Meter(Protocol):
    """Is told when steps begin and end, and keeps what it measures in the run's folder.

    What is between a step's end and the next one's beginning (logs, checkpoints, evaluations) is
    no part of either. Nothing that a meter does may change a bit of the training.
    """

    def resume(self, folder: Path, note: Callable[[str], None]) -> None:
        """The run in ``folder`` goes on; ``note`` is told what of it cannot be used."""

    def start(self) -> None:
        """Training begins, or goes on."""

    def begin_step(self) -> None:
        """A step begins now."""

    def end_step(self, step: int) -> None:
        """Step ``step`` has ended."""

    def write(self, folder: Path) -> None:
        """Keep in ``folder``, the run's, what is known by now."""

    def sync(self) -> None:
        """Make durable what was written."""

    def close(self, folder: Path | None) -> None:
        """Training ends; ``folder`` is None if no run has begun. Closing twice is no error."""

    def summary(self, folder: Path) -> dict[str, Any]:
        """What the run's summary says of it, after `close`."""


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
