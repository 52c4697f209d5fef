"""SIGINT and SIGTERM: a run stops between two steps, not in the middle of one."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal ended the command; the text says how."""

    def __init__(self, signum: int, text: str = "interrupted") -> None:
        super().__init__(text)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """128 + the signal, as shells report it."""
        return 128 + self.signum


class StopSignals(contextlib.AbstractContextManager["StopSignals"]):
    """Context manager in which these signals raise `Stopped` where the program is.

    Inside `held` the first one only sets ``requested``; a second raises there too, and a third
    ends the process by the system's default. Does nothing outside the main thread, where Python
    has no signals. ``further`` signals do likewise, unless they are ignored, as SIGHUP is under
    nohup.
    """

    def __init__(self, *further: signal.Signals) -> None:
        self._signals = (*SIGNALS, *further)
        self.requested: int | None = None
        self._held = False
        self._previous: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._previous = {
                each: signal.signal(each, self._handle)
                for each in self._signals
                if each in SIGNALS or signal.getsignal(each) is not signal.SIG_IGN
            }
        return self

    def __exit__(self, *exception: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    @contextlib.contextmanager
    def held(self, hold: bool = True) -> Iterator[None]:
        """In the block signals are held; without ``hold`` they are not, nor the one requested."""
        before, self._held = self._held, hold
        try:
            if self.requested and not hold:
                raise Stopped(self.requested)
            yield
        finally:
            self._held = before

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        second = self.requested is not None
        if second:
            for each in self._previous:
                signal.signal(each, signal.SIG_DFL)
        self.requested = signum
        if second or not self._held:
            raise Stopped(signum)
