"""When the commands of a program were carried out, and what each of them waited for."""

from __future__ import annotations

from dataclasses import dataclass, field

NEVER = -1.0


@dataclass(slots=True)
class Times:
    """Of a command, in cycles; `NEVER` for what has not happened.

    ``queued``: it is in its stage's queue, and ``full`` if that had to become free for it first.
    ``ready``: its stage is, ``begun``: it has its tokens as well. ``started``: the first pass of
    the execute stage. ``fed``: the last time a command of the result stage had waited for a tile.
    ``worked``: nothing of it is left to do but what memory does. ``ended``: so is that; whoever
    waits for it may go on. ``waits``: cycles by counter of what it did and waited for in between.
    ``bytes_moved``: to memory and from it.
    """

    queued: float = NEVER
    full: bool = False
    ready: float = NEVER
    begun: float = NEVER
    started: float = NEVER
    fed: float = NEVER
    worked: float = NEVER
    ended: float = NEVER
    waits: dict[str, float] = field(default_factory=dict)
    bytes_moved: int = 0

    def wait(self, counter: str, cycles: float) -> None:
        if cycles > 0:
            self.waits[counter] = self.waits.get(counter, 0.0) + cycles
