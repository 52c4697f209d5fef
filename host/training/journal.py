"""A file of one JSON document a line that grows while a run goes on."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

from host.atomic_files import failures_named
from hw.contract.errors import DataError


class Journal:
    """Lines that are there as soon as they are appended, and durable once `sync` returns.

    A process that is killed while it appends leaves a torn last line; it does not count. The file
    is made when the first line is appended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: io.FileIO | None = None

    def append(self, entry: dict[str, Any]) -> None:
        """Write one line."""
        with failures_named(self.path):
            if self._file is None:
                self._file = io.FileIO(self.path, "a")
            line = memoryview(json.dumps(entry, allow_nan=False).encode("utf-8") + b"\n")
            while line:
                line = line[self._file.write(line) :]

    def sync(self) -> None:
        """Make all lines durable."""
        if self._file is not None:
            with failures_named(self.path):
                os.fsync(self._file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """All lines; `DataError` for one that is not JSON."""
        entries = []
        for number, line in enumerate(_lines(self.path), 1):
            try:
                entries.append(json.loads(line))
            except ValueError as error:
                raise DataError(f"{self.path}, line {number} is damaged: {error}") from error
        return entries

    def truncate(self, lines: int) -> None:
        """Keep only the first ``lines``."""
        kept = _lines(self.path)[:lines]
        if self.path.exists():
            with failures_named(self.path):
                os.truncate(self.path, sum(len(line) + 1 for line in kept))

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __len__(self) -> int:
        return len(_lines(self.path))


def _lines(path: Path) -> list[bytes]:
    """Those that are whole, without their ends."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    return content.split(b"\n")[:-1]
