"""The ports and the DDR behind them, a burst at a time.

Bursts that move at the same time share the DDR's budget equally; what `sim.memory_model` says
beat by beat is taken here as a flow of beats. Bytes are exact, times within a few cycles.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial

from sim.cycles.kernel import Change, Kernel
from sim.memory_model import BEAT_BYTES, MemoryModel

GRANULE_BYTES = 128
SMALL = 1e-9


@dataclass
class Burst:
    """``beats`` that can begin to move at ``due``; ``moved`` is notified when they have."""

    beats: int
    due: float
    moved: Change
    left: float = field(init=False)
    end: float | None = None

    def __post_init__(self) -> None:
        self.left = float(self.beats)


class Flow:
    """The bursts of one port and direction, which move in their order."""

    def __init__(self, writes: bool) -> None:
        self.writes = writes
        self.bursts: deque[Burst] = deque()


class Ddr:
    """Moves the bursts of all flows, each by a beat per cycle at most."""

    def __init__(self, kernel: Kernel, model: MemoryModel) -> None:
        self._kernel, self._model = kernel, model
        self._flows: list[Flow] = []
        self._since = 0.0
        self._rate = 0.0
        self._moving: list[Flow] = []
        self._wake: float | None = None

    def flow(self, writes: bool) -> Flow:
        self._flows.append(Flow(writes))
        return self._flows[-1]

    def add(self, flow: Flow, beats: int, due: float) -> Burst:
        """A burst for ``flow`` that may begin at ``due``."""
        self._advance()
        burst = Burst(beats, due, Change(self._kernel))
        flow.bursts.append(burst)
        self._plan()
        return burst

    def _active(self) -> list[Flow]:
        now = self._kernel.now + SMALL
        return [flow for flow in self._flows if flow.bursts and flow.bursts[0].due <= now]

    def _advance(self) -> None:
        """Let the active flows move until now, at the rate that was planned."""
        now = self._kernel.now
        moved = (now - self._since) * self._rate
        if moved > 0:
            for flow in self._moving:
                burst = flow.bursts[0]
                burst.left -= moved
                if burst.left <= SMALL:
                    burst.end = now
                    flow.bursts.popleft()
                    burst.moved.notify()
        self._since = now

    def _plan(self) -> None:
        """Rate of the flows from now on, and the time at which that changes."""
        now = self._kernel.now
        self._moving = active = self._active()
        times = [flow.bursts[0].due for flow in self._flows if flow.bursts and flow not in active]
        self._rate = 0.0
        if active:
            self._rate = self._share(active)
            times.append(now + min(flow.bursts[0].left for flow in active) / self._rate)
        self._wake = min(times) if times else None
        if self._wake is not None:
            self._kernel.call(partial(self._step, self._wake), self._wake)

    def _share(self, active: list[Flow]) -> float:
        model = self._model
        if model.earned_credit == 0:
            return 1.0
        kinds = {flow.writes for flow in active}
        cost = (
            model.mixed_cost
            if len(kinds) == 2
            else model.write_cost
            if True in kinds
            else model.read_cost
        )
        return min(1.0, model.earned_credit / cost / len(active))

    def _step(self, planned: float) -> None:
        if planned == self._wake:  # else another plan has replaced this one
            self._advance()
            self._plan()


def granules(address: int, size: int) -> list[int]:
    """Bytes of the pieces of a run that do not cross a multiple of `GRANULE_BYTES`."""
    pieces = []
    while size:
        piece = min(size, GRANULE_BYTES - address % GRANULE_BYTES)
        pieces.append(piece)
        address, size = address + piece, size - piece
    return pieces


def beats_of(size: int) -> int:
    return size // BEAT_BYTES
