"""One process at a time on one run folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from fractrain.host.files.atomic import failures_named
from fractrain.hw.contract.errors import FractrainError

LOCK = ".lock"


class RunLock:
    """An exclusive lock on the file `LOCK` in ``folder``; it is released however the process ends.
    The file stays as long as its folder: if it were removed alone, two processes could lock two
    files of that name.

    Raises `FractrainError` if another process has it, `DataError` if it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        with failures_named(folder):
            self._descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self._descriptor), os.stat(folder / LOCK)):
                raise FileNotFoundError  # removed in between, with its folder
        except (BlockingIOError, FileNotFoundError):
            os.close(self._descriptor)
            raise FractrainError(f"{folder} is in use: another process trains that run") from None

    def release(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)


def is_locked(folder: Path) -> bool:
    """Whether a process has the lock right now."""
    try:
        RunLock(folder).release()
    except FractrainError:
        return True
    return False
