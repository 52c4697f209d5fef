"""A file of one JSON document a line that grows while a run goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fractrain.host.files.atomic import failures_named, sync_folder
from fractrain.host.files.regular import open_regular, read_regular
from fractrain.hw.contract.errors import DataError

__all__ = ["EMPTY", "Journal", "Mark", "put_aside"]


@dataclass(frozen=True)
class Mark:
    """A journal's content at some moment: lines, bytes, SHA-256."""

    lines: int
    size: int
    sha256: str

    def document(self) -> dict[str, Any]:
        """As JSON; ``Mark(**document)`` is the mark again."""
        return dataclasses.asdict(self)


EMPTY = Mark(0, 0, hashlib.sha256().hexdigest())


class Journal:
    """Lines that are there as soon as they are appended, and durable once `sync` returns.

    A process that is killed while it appends leaves a torn last line; it does not count, and the
    next append removes it. The first append makes the file. Only one process may write at a time:
    `read` notices others.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: io.FileIO | None = None
        self._held: tuple[int, int, Any] | None = None  # lines, bytes, hash object
        self._name_is_durable = False

    def append(self, entry: dict[str, Any]) -> None:
        """Write one line."""
        lines, size, digest = self._state()
        line = json.dumps(entry, allow_nan=False).encode("utf-8") + b"\n"
        with failures_named(self.path):
            if self._file is None:
                self._file = io.FileIO(self.path, "a")
                self._file.truncate(size)
            rest = memoryview(line)
            while rest:
                rest = rest[self._file.write(rest) :]
        digest.update(line)
        self._held = lines + 1, size + len(line), digest

    def sync(self) -> None:
        """Make all lines durable, and the file's name."""
        if self._file is None:
            return
        with failures_named(self.path):
            os.fsync(self._file.fileno())
            if not self._name_is_durable:
                sync_folder(self.path.parent)
                self._name_is_durable = True

    # -- what it holds -------------------------------------------------------------------------

    def mark(self) -> Mark:
        """Its current content."""
        lines, size, digest = self._state()
        return Mark(lines, size, digest.hexdigest())

    def damage(self, mark: Mark) -> str:
        """How its beginning differs from the content at ``mark``, as a phrase; '' if it does
        not."""
        try:
            with open_regular(self.path) as file:
                content = file.read(mark.size)
        except FileNotFoundError:
            return f"is missing, with its {mark.lines} lines" if mark.lines else ""
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        if hashlib.sha256(content).hexdigest() == mark.sha256:
            return ""
        whole = content.split(b"\n")[:-1]
        for number, line in enumerate(whole, 1):
            if _object(line) is None:
                return f"is damaged in line {number}"
        if len(whole) < mark.lines:
            return f"has {len(whole)} of {mark.lines} lines"
        return f"has other first {mark.lines} lines than were written"

    def read(self) -> list[dict[str, Any]]:
        """All lines; `DataError` unless they are whole JSON objects, as appended."""
        if self._held is not None and (damage := self.damage(self.mark())):
            raise DataError(f"{self.path} {damage}: something else has changed it")
        entries = []
        for number, line in enumerate(_lines(self.path), 1):
            if (entry := _object(line)) is None:
                raise DataError(f"{self.path} is damaged in line {number}")
            entries.append(entry)
        return entries

    def read_behind(self, mark: Mark) -> list[dict[str, Any]]:
        """The lines behind ``mark`` that are undamaged."""
        lines = _lines(self.path)[mark.lines :]
        return [entry for line in lines if (entry := _object(line)) is not None]

    def cut(self, mark: Mark) -> None:
        """Remove everything after ``mark``; the part before must be undamaged."""
        if self.path.exists():
            with failures_named(self.path):
                os.truncate(self.path, mark.size)
        self._held = None

    def put_aside(self) -> str:
        """Rename the unusable file, so that the journal begins anew; returns the new name."""
        self.close()
        aside = self.path.with_name(f"{self.path.name}.damaged")
        with failures_named(self.path):
            self.path.replace(aside)
        self._held = None
        return aside.name

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __len__(self) -> int:
        return self._state()[0]

    def _state(self) -> tuple[int, int, Any]:
        if self._held is None:
            lines = _lines(self.path)
            content = b"".join(line + b"\n" for line in lines)
            self._held = len(lines), len(content), hashlib.sha256(content)
        return self._held


def _lines(path: Path) -> list[bytes]:
    """Those that are whole, without their ends."""
    try:
        content = read_regular(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    return content.split(b"\n")[:-1]


def _object(line: bytes) -> dict[str, Any] | None:
    """The document in ``line``; None if it is damaged."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def put_aside(journal: Journal, damage: str, note: Callable[[str], None]) -> None:
    """Put the content of ``journal`` aside, with a note."""
    if not journal.path.exists():
        note(f"{journal.path} {damage}: what was measured so far is lost")
        return
    note(
        f"{journal.path} {damage}: what was measured so far is left out; it is now "
        f"{journal.put_aside()}"
    )
