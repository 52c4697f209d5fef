"""Files inside a folder or a tar archive, listed in one pass and read in another."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import stat
import tarfile
import zlib
from collections.abc import Iterator, Set
from pathlib import Path
from typing import IO, Any

from fractrain.host.datasets.archive_members import Directory, StrictInfo, member_name
from fractrain.host.datasets.content import HEAD, identify
from fractrain.host.datasets.listing import Listing, list_folder
from fractrain.host.datasets.wording import cause, shown
from fractrain.hw.contract.errors import DataError

__all__ = ["list_files", "read_files"]

LARGEST_FILE = 1 << 30
"""Most bytes of a file: the largest of CIFAR has 155 MB."""

LONGEST_END_MB = 64
"""Bytes behind the last member: zeros, in most archives 10 KB."""

# Beginnings of compressed files, and their openers.
COMPRESSIONS: tuple[tuple[bytes, Any], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
    (b"\x5d\x00\x00", lzma.open),
)

# Errors of decompressors and tarfile on a file that is cut off or damaged.
DAMAGE = (
    *(tarfile.TarError, EOFError, lzma.LZMAError, zlib.error, OSError),
    *(ValueError, LookupError, ArithmeticError, RecursionError, MemoryError),  # of damaged entries
)


def list_files(path: Path) -> Listing:
    """Everything in the folder or archive ``path``.

    Raises `DataError` naming ``path`` if it is neither, is damaged, or is unreasonably large.
    """
    if path.is_dir():
        return list_folder(path)
    with _archive(path) as archive:
        directory = Directory(path, path.stat().st_size)
        for member in archive:
            directory.add(member)
        _read_to_the_end(archive)
        return directory.listing()


def read_files(path: Path, listing: Listing, names: Set[str]) -> Iterator[tuple[str, bytes]]:
    """Contents of those ``names`` of ``listing``'s files, in any order; errors as `list_files`."""
    if path.is_dir():
        for name in sorted(names):
            yield name, _read(path / name)
        return
    wanted: dict[str, list[str]] = {}
    for name in names:
        wanted.setdefault(listing.targets.get(name, name), []).append(name)
    # In the archive's order: going back in a compressed file means reading it again.
    with _archive(path) as archive:
        for member in archive:
            if member.isfile() and (asked_for := wanted.get(member_name(member))):
                _check_size(f"{shown(path)}: {shown(member.name)}", member.size)
                content = archive.extractfile(member)
                assert content is not None, "is a file"
                data = content.read()
                for name in asked_for:
                    yield name, data


def _read(path: Path) -> bytes:
    try:
        _check_size(shown(path), path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {shown(path)}: {cause(error)}") from error


def _check_size(name: str, size: int) -> None:
    if size > LARGEST_FILE:
        raise DataError(
            f"{name} has {size:,} bytes, at most {LARGEST_FILE:,} are read of a file: "
            "what is so large is no image and no batch of images"
        )


def _read_to_the_end(archive: tarfile.TarFile) -> None:
    """Read past the last member: only there a compressed file proves to be whole."""
    assert archive.fileobj is not None
    for _ in range(LONGEST_END_MB):
        block = archive.fileobj.read(1 << 20)
        if block.count(0) < len(block):
            break
        if not block:
            return
    raise tarfile.ReadError("there is more behind its end")


@contextlib.contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    """The archive ``path``, open; failures in reading it become `DataError`."""
    head = _head(path)
    opener = next((opener for magic, opener in COMPRESSIONS if head.startswith(magic)), None)
    try:
        with contextlib.ExitStack() as opened:
            file: IO[bytes] = opened.enter_context((opener or open)(path, "rb"))
            first = file.read(HEAD)
            file.seek(0)
            if first and not any(first):
                raise DataError(
                    f"{shown(path)} begins with zeros: it is an empty archive, or a download that "
                    "failed"
                )
            try:
                archive = tarfile.open(fileobj=file, mode="r:", tarinfo=StrictInfo)
            except tarfile.ReadError as error:
                raise _no_archive(path, first, error, compressed=opener is not None) from error
            yield opened.enter_context(archive)
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"cannot read {shown(path)}: {cause(error)}") from error
        raise DataError(
            f"{shown(path)} cannot be read as a tar archive ({cause(error)}); if it was "
            "downloaded, it may be incomplete: compare its size, and fetch it again"
        ) from error


def _head(path: Path) -> bytes:
    """The beginning of the regular file ``path``; other files are not opened, as a FIFO would
    wait."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a FIFO" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else ""
            raise DataError(
                f"{shown(path)} is {kind or 'a device'}: a data set is a folder or a tar archive"
            )
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise DataError(f"cannot read {shown(path)}: {cause(error)}") from error


def _no_archive(
    path: Path, first: bytes, error: tarfile.ReadError, *, compressed: bool
) -> Exception:
    """The error for a file that is no tar archive."""
    content = identify(first)
    within = "compressed, but inside is no tar archive: it is " if compressed else ""
    if content is None:
        what = "what was compressed is no tar archive" if compressed else "it does not begin as one"
        return tarfile.ReadError(what)
    if content.what == "a tar archive":
        return error
    return DataError(f"{shown(path)} is {within}{content.what}; {content.advice}")
