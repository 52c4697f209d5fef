"""A chunk on its way back, as the chunk before lets it go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Entering(Protocol):
    """``fetched``: E behind its group is on the chip; ``entered``: so are the errors there."""

    fetched: bool
    entered: bool
    recomputes_ahead: bool

    def phases(self) -> Iterator[None]: ...


class ChunkPhases:
    """Of a chunk."""

    def __init__(self, chunk: Entering) -> None:
        self._chunk, self._phases = chunk, chunk.phases()

    def go_on(self) -> None:
        """To the end of the phase."""
        next(self._phases)

    def fetch_part(self) -> None:
        """A part more of E, unless all of it is there."""
        if not self._chunk.fetched:
            self.go_on()

    def enter_part(self) -> None:
        """A part more of the errors behind the group, unless they are there."""
        if not self._chunk.entered:
            self.go_on()

    def recomputes_ahead(self) -> None:
        """There is room for activations of its first block."""
        self._chunk.recomputes_ahead = True

    def enter(self) -> None:
        """All of them."""
        while not self._chunk.entered:
            self.go_on()
