"""Files that are there whole or not at all, whatever ends the program while it writes them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from hw.contract.errors import DataError

TEMPORARY = ".tmp"
"""How the names of files end that are still being written; they begin with a dot."""


def write_whole(path: Path, content: bytes | str) -> None:
    """Write ``content`` beside ``path``, make it durable, rename it to ``path``.

    After a crash, of the machine too, ``path`` holds its old content or the new one. Raises
    `DataError` naming ``path`` if it cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new name beside ``path`` to write under; renamed to ``path`` if all went well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    with failures_named(path):
        try:
            yield temporary
            os.replace(temporary, path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make the names in the folder ``path`` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> bool:
    """Make the folder ``path``, durably, and those above it; False if it is there already."""
    with failures_named(path):
        missing = [each for each in path.parents if not each.exists()]
        for each in (*reversed(missing), path):
            try:
                each.mkdir()
            except FileExistsError:
                if each != path and not each.is_dir():
                    raise
                if each == path:
                    return False
            else:
                sync_folder(each.parent)
        return True


def remove_temporaries(folder: Path) -> None:
    """Remove what a program that was killed while it wrote has left in ``folder``."""
    with failures_named(folder):
        for path in folder.glob(f".*{TEMPORARY}"):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def failures_named(path: Path) -> Iterator[None]:
    """Turn a failure of the file system into a `DataError` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from error
