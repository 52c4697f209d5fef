"""Files that are there whole or not at all, however the program ends while it writes them.

Only regular files are written and replaced: a device, FIFO or socket would be lost, or would wait
for a reader. A link to a file stays, and its target is replaced; of a file with several names (hard
links) only the given one gets the new content. A replaced file keeps its permissions.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fractrain.hw.contract.errors import DataError

__all__ = [
    "TEMPORARY",
    "check_writable",
    "failures_named",
    "make_folder",
    "remove_temporaries",
    "replacing",
    "sync_folder",
    "write_whole",
    "writing",
]

TEMPORARY = ".tmp"
"""Suffix of unfinished files; their names begin with a dot."""

NAME_CHARACTERS = 40
"""Characters of a file's name in the name of its temporary file, as the length of names is
limited."""

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write ``content`` beside ``path``, make it durable, rename it to ``path``.

    After a crash, of the machine too, ``path`` holds its old content or the new one. Raises
    `DataError` naming ``path`` if it is no regular file, or cannot be written.
    """
    # a text may contain a name that is no UTF-8: it is written with escapes
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with writing(path) as file:
        file.write(data)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which replaces ``path`` if all went well; as `write_whole`."""
    with replacing(check_writable(path)) as temporary:
        with open(_create(temporary), "wb") as file:
            yield file
            file.flush()
            _take_rights(file.fileno(), path)
            os.fsync(file.fileno())


def check_writable(path: Path) -> Path:
    """The target of `write_whole`: ``path``, or the file that this link leads to.

    Raises `DataError` naming ``path`` if its folder is missing or read-only, or if it exists and is
    no regular file.
    """
    with failures_named(path):
        try:
            if text := _irregular(os.stat(path)):
                raise _refusal(path, text)
            target = Path(os.path.realpath(path))
        except (FileNotFoundError, NotADirectoryError):
            if path.is_symlink():
                raise _refusal(path, "it is a link that leads nowhere") from None
            target = path
    folder = target.parent
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist; make it first"
        raise _refusal(path, f"the folder {folder} {what}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _refusal(path, f"the folder {folder} must not be written")
    return target


def _refusal(path: Path, text: str) -> DataError:
    return DataError(f"cannot write {path}: {text}")


def _irregular(found: os.stat_result) -> str | None:
    """Why ``found`` must not be replaced; empty if it may."""
    for is_kind, name in KINDS:
        if is_kind(found.st_mode):
            return f"it is {name}; give the name of a file"
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), found):
                return "what is printed goes there; give the name of another file"
    return None


def _create(path: Path) -> int:
    """A new file, with the usual permissions."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileExistsError:  # a process of the same number was killed
        path.unlink()
        return os.open(path, flags, 0o666)


def _take_rights(descriptor: int, path: Path) -> None:
    """Give the new file the permissions of ``path`` and, where allowed, its owner."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        return
    with contextlib.suppress(OSError):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    with contextlib.suppress(OSError):  # of file systems without rights
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new name beside ``path`` to write under; renamed to ``path`` if all went well."""
    temporary = path.with_name(f".{path.name[:NAME_CHARACTERS]}.{os.getpid()}{TEMPORARY}")
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
                try:
                    sync_folder(each.parent)
                except OSError:
                    each.rmdir()  # unused, and its name would be taken
                    raise
        return True


def remove_temporaries(folder: Path) -> None:
    """Remove unfinished files of killed programs from ``folder``."""
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
