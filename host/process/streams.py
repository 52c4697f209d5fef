"""Standard output and error that never cost work.

Inside `steady_streams`, a closed stream swallows its output, characters missing in the encoding
become question marks (bytes of file names stay), and text that cannot be written (a full disk, a
closed terminal) is dropped and remembered. Only a broken pipe at standard output ends a command, as
usual.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import TextIO

__all__ = ["Stream", "steady_streams"]

LOSSY = "fractrain-lossy"


class Stream(io.RawIOBase):
    """The descriptor of standard output or error, which stays open.

    ``failure``: why something was dropped, if anything was. ``spare``: a descriptor for dropped
    text. ``ends_with_reader``: a broken pipe raises `BrokenPipeError`.
    """

    def __init__(self, descriptor: int, *, ends_with_reader: bool = False, spare: int = -1) -> None:
        self._descriptor = descriptor
        self._ends_with_reader, self._spare = ends_with_reader, spare
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Write as much as possible; return as if it were all."""
        view = memoryview(data)
        try:
            self._write_all(view)
        except BrokenPipeError:
            if self._ends_with_reader and self.failure is None:
                # once: what is still buffered goes nowhere
                self.failure = BrokenPipeError()
                raise
        except OSError as error:
            self.failure = error
            if self._spare >= 0:
                with contextlib.suppress(OSError):
                    os.write(self._spare, view)
        return len(view)

    def _write_all(self, view: memoryview) -> None:
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:  # another process made it non-blocking
                select.select([], [self._descriptor], [])


@contextlib.contextmanager
def steady_streams(*, spare: int = -1) -> Iterator[Stream]:
    """Within it `sys.stdout` and `sys.stderr` are steady; gives the one behind standard output.

    Replaced streams (in a test, a notebook) are left alone. ``spare`` gets text that standard error
    does not take.
    """
    codecs.register_error(LOSSY, _replace)
    _open_closed()
    output = Stream(1, ends_with_reader=True)
    error = Stream(2, spare=spare)
    before = sys.stdout, sys.stderr
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = _text(output, sys.stdout)
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        sys.stderr = _text(error, sys.stderr)
    try:
        yield output
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BrokenPipeError, ValueError):
                stream.flush()
        sys.stdout, sys.stderr = before


def _open_closed() -> None:
    """Open descriptors 0 to 2 if they are closed: the next opened file would become one of them and
    get the output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free


def _text(raw: io.RawIOBase, like: TextIO | None) -> io.TextIOWrapper:
    """``raw`` as text, in the encoding of ``like``."""
    with contextlib.suppress(AttributeError, OSError):
        like.flush()  # type: ignore[union-attr]
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(like, "encoding", None) or "utf-8",
        errors=LOSSY,
        line_buffering=raw.fileno() == 2 or raw.isatty(),
    )


def _replace(error: UnicodeError) -> tuple[bytes | str, int]:
    """Error handler of codecs: undecodable bytes of file names stay, other characters become
    ``?``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    kept = bytes(ord(each) - 0xDC00 if "\udc80" <= each <= "\udcff" else ord("?") for each in lost)
    return kept, error.end
