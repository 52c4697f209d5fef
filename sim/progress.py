"""Progress of slow work, on stderr.

On a terminal it is one line, rewritten every half second; elsewhere a plain line now and then. Work
that ends within `GRACE_SECONDS` shows nothing. Output never decides whether work succeeds: a stderr
that is closed, full or gone is ignored.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Protocol

__all__ = [
    "GRACE_SECONDS",
    "PLAIN_SECONDS",
    "abandon",
    "activity",
    "can_overwrite",
    "duration",
    "redirect",
    "work",
]

TICK_SECONDS = 0.5
GRACE_SECONDS = 2.0
PLAIN_SECONDS = 30.0
USUAL_WIDTH = 80
ERASE = "\r\x1b[K"


@contextmanager
def activity(text: str) -> Iterator[Callable[[str], None]]:
    """Reports slow work: what it is; how far it is, whenever the function it gives is called; and
    at the end how long it took, or after how long it failed."""
    task = _Task(text)
    end = "stopped after"
    _line.begin(task)
    try:
        yield task.tell
        end = "done in"
    finally:
        _line.end(task, f"{text}: {end} {duration(monotonic() - task.started)}")


def work() -> Callable[[str], None]:
    """A function to call with what is being done now; with "" nothing is."""
    task: _Task | None = None

    def say(text: str) -> None:
        nonlocal task
        if task is not None and text:
            task.text = text
        elif task is not None:
            _line.end(task)
            task = None
        elif text:
            task = _Task(text)
            _line.begin(task)

    return say


def abandon() -> None:
    """Clear the line: an error message follows."""
    _line.abandon()


class Output(Protocol):
    """What can be written to, such as stderr."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


def can_overwrite(stream: Output | None = None) -> bool:
    """Whether ``stream`` (default: stderr) is a terminal in which a line can be written over."""
    shown = sys.stderr if stream is None else stream
    try:
        return shown.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
    except ValueError:  # closed
        return False


def redirect(stream: Output | None) -> None:
    """Write everything to ``stream`` from now on, whatever stderr is; None: to stderr again."""
    _line.stream = stream


def duration(seconds: float) -> str:
    """For people: ``45 s``, ``3 min 20 s``."""
    whole = round(seconds)
    return f"{whole} s" if whole < 100 else f"{whole // 60} min {whole % 60} s"


class _Task:
    def __init__(self, text: str) -> None:
        self.text, self.how_far = text, ""
        self.started = monotonic()
        self.said: float | None = None

    def tell(self, how_far: str) -> None:
        self.how_far = how_far

    def line(self, now: float) -> str:
        what = f"{self.text}: {self.how_far}" if self.how_far else self.text
        return f"{what}, {duration(now - self.started)}"


class _Line:
    """The line of this process: of the tasks that have begun, the last is shown."""

    def __init__(self) -> None:
        self.stream: Output | None = None
        self._tasks: list[_Task] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, task: _Task) -> None:
        with self._lock:
            self._tasks.append(task)
            if self._thread is None:
                self._thread = threading.Thread(target=self._tick_on, daemon=True)
                self._thread.start()

    def end(self, task: _Task, last: str = "") -> None:
        """Show ``last`` for good, if the task was ever shown."""
        with self._lock:
            if task in self._tasks:
                self._tasks.remove(task)
            if task.said is None:
                return
            if self._on_terminal():
                self._write(ERASE)
            if last:
                self._write(f"{last}\n")

    def abandon(self) -> None:
        with self._lock:
            shown = any(task.said is not None for task in self._tasks)
            self._tasks.clear()
            if shown and self._on_terminal():
                self._write(ERASE)

    def tick(self, now: float) -> bool:
        """Show what is being done at ``now``; whether anything is."""
        with self._lock:
            if not self._tasks:
                self._thread = None
                return False
            task = self._tasks[-1]
            if now - task.started < GRACE_SECONDS:
                return True
            if self._on_terminal():
                self._write(f"{ERASE}{task.line(now)[: self._width() - 1]}")
                task.said = now
            elif task.said is None or now - task.said >= PLAIN_SECONDS:
                self._write(f"{task.line(now)}\n")
                task.said = now
            return True

    def _tick_on(self) -> None:
        while self.tick(monotonic()):
            sleep(TICK_SECONDS)

    def _width(self) -> int:
        """Of the line's terminal; standard output may be elsewhere."""
        if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns):
            return int(columns)
        try:
            return os.get_terminal_size(self._stream().fileno()).columns or USUAL_WIDTH  # type: ignore[union-attr]
        except (AttributeError, OSError, ValueError):
            return USUAL_WIDTH

    def _on_terminal(self) -> bool:
        stream = self._stream()
        return stream is not None and can_overwrite(stream)

    def _write(self, text: str) -> None:
        stream = self._stream()
        try:
            if stream is not None:
                stream.write(text)
                stream.flush()
        except (OSError, ValueError):
            pass

    def _stream(self) -> Output | None:
        return self.stream if self.stream is not None else sys.stderr


_line = _Line()
