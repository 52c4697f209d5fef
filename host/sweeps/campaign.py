"""All points of a sweep, through an engine, until none is left or a signal says stop."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from fractrain.host.files.atomic import failures_named
from fractrain.host.process.stopping import Stopped, StopSignals
from fractrain.host.sweeps.job import Job, Outcome
from fractrain.host.sweeps.points import Point
from fractrain.host.training.run_lock import RunLock
from fractrain.hw.contract.errors import DataError, FractrainError

POLL_SECONDS = 0.25


class Engine(Protocol):
    """Where jobs run. `stop` asks those that run to save their state and end; `close` leaves
    nothing behind. ``slots``: how many it takes at a time, None for any number."""

    slots: int | None

    def start(self, job: Job) -> None: ...

    def ended(self) -> list[tuple[Job, Outcome]]: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Display(Protocol):
    """Who shows how it goes."""

    def started(self, point: Point, steps: int) -> None:
        """It was given to the engine, with ``steps`` done before."""

    def progress(self, point: Point, steps: int) -> None:
        """So many of its steps are done."""

    def ended(self, point: Point, job: Job, outcome: Outcome) -> None: ...

    def stopping(self) -> None:
        """Runs save their state now."""


class Campaign:
    """``points`` in the folder ``out``.

    Runs that are finished are left alone, unfinished ones go on where they were, and what fails
    does not keep the others from running.
    """

    def __init__(self, points: Sequence[Point], out: Path) -> None:
        folder = out.absolute()
        self.points = points
        self.jobs = {point: Job(point.folder(folder), point.resolved.arguments) for point in points}
        self.failures: dict[Point, Outcome] = {}

    @property
    def unfinished(self) -> list[Point]:
        """Points without results, in the order of the file."""
        return [point for point in self.points if not self.jobs[point].finished]

    def execute(self, engine: Engine, display: Display, stop: StopSignals) -> None:
        """Run what is unfinished; `failures` has what failed.

        Raises `Stopped` after a signal, with all runs ended and their states saved; a second
        signal does not wait for that.
        """
        waiting = deque(self.unfinished)
        running: dict[Job, Point] = {}
        stopping = False
        with stop.held():
            while running or (waiting and not stopping):
                while waiting and not stopping and _has_room(engine, running):
                    point = waiting.popleft()
                    running[self.jobs[point]] = point
                    display.started(point, self.jobs[point].steps_done)
                    engine.start(self.jobs[point])
                for job, outcome in engine.ended():
                    point = running.pop(job)
                    if outcome.code and not stopping:
                        self.failures[point] = outcome
                    display.ended(point, job, outcome)
                for job, point in running.items():
                    display.progress(point, job.steps_done)
                if stop.requested and not stopping:
                    stopping = True
                    display.stopping()
                    engine.stop()
                time.sleep(POLL_SECONDS if running else 0)
        if stop.requested:
            raise Stopped(stop.requested)


def _has_room(engine: Engine, running: dict[Job, Point]) -> bool:
    return engine.slots is None or len(running) < engine.slots


@contextlib.contextmanager
def only_one(out: Path) -> Iterator[None]:
    """Within it no other sweep works in the folder ``out``, which is made.

    Raises `FractrainError` if one does, `DataError` if the folder cannot be made.
    """
    with failures_named(out):
        out.mkdir(parents=True, exist_ok=True)
    try:
        lock = RunLock(out)
    except DataError:
        raise  # the file system's failure
    except FractrainError:
        raise FractrainError(f"{out} is in use: another sweep runs there") from None
    try:
        yield
    finally:
        lock.release()
