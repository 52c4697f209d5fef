"""Reads regular files, whole or to a given length.

Reading a FIFO would wait for a writer for ever, and reading ``/dev/zero`` would never end: neither
is opened here.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fractrain.hw.contract.errors import DataError

__all__ = ["open_regular", "read_object", "read_regular"]


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """The plain file ``path``, open to be read; `OSError` for anything else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
    except OSError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        yield file


def read_regular(path: Path) -> bytes:
    """The content of the plain file ``path``; `OSError` for anything else."""
    with open_regular(path) as file:
        return file.read()


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; `DataError` if it cannot be read or is none."""
    try:
        value = json.loads(read_regular(path))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} is damaged: it holds no JSON object")
    return value
