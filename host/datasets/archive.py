"""Files inside a folder or a tar archive, read in one pass."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from hw.contract.errors import DataError

__all__ = ["list_files", "read_files"]

# What the decompressors and tarfile raise on a file that is cut off or is no archive.
DAMAGE = (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error, OSError)


def list_files(path: Path) -> list[str]:
    """Names of all files in the folder or archive ``path``, relative, with ``/``, sorted.

    Raises `DataError` naming ``path`` if it is not there, is neither, or is damaged.
    """
    if path.is_dir():
        files = (each for each in path.rglob("*") if each.is_file())
        return sorted(each.relative_to(path).as_posix() for each in files)
    with _archive(path) as archive:
        names = sorted(_name(member) for member in archive if member.isfile())
        _read_to_the_end(archive)
        return names


def read_files(path: Path, names: Set[str]) -> Iterator[tuple[str, bytes]]:
    """Contents of those ``names`` of `list_files`, in any order; errors as there."""
    if path.is_dir():
        for name in sorted(names):
            try:
                data = (path / name).read_bytes()
            except OSError as error:
                raise DataError(f"cannot read {path / name}: {error.strerror}") from error
            yield name, data
        return
    # In the archive's order: going back in a compressed file means to begin again.
    with _archive(path) as archive:
        for member in archive:
            if member.isfile() and _name(member) in names:
                content = archive.extractfile(member)
                assert content is not None, "is a file"
                yield _name(member), content.read()


def _read_to_the_end(archive: tarfile.TarFile) -> None:
    """Past the last member: there only does a compressed file show that it is whole."""
    assert archive.fileobj is not None
    while archive.fileobj.read(1 << 20):
        pass


def _name(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./")


@contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    try:
        with tarfile.open(path) as archive:
            yield archive
    except DAMAGE as error:
        reason = str(error).partition("\n")[0].rstrip(": ") or type(error).__name__
        raise DataError(
            f"{path} cannot be read as a tar archive ({reason}); if it was downloaded, "
            "it may be incomplete: compare its size, and fetch it again"
        ) from error
