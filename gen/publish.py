"""Writes a folder whole or not at all, and never over other files.

Every written folder has a manifest that lists its files; the manifest's name tells its kind. A
build never replaces a bitstream, nor the other way round.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fractrain.gen.bitstream_manifest import BITSTREAM_MANIFEST_NAME, read_bitstream_manifest
from fractrain.gen.manifest import MANIFEST_NAME, FileEntry, read_manifest
from fractrain.hw.contract.errors import DataError, ParameterError

__all__ = ["check_replaceable", "publish", "withdraw"]

READERS: Mapping[str, Callable[[Path], Sequence[FileEntry]]] = {
    MANIFEST_NAME: lambda path: read_manifest(path).files,
    BITSTREAM_MANIFEST_NAME: lambda path: read_bitstream_manifest(path).files,
}
"""Name of a manifest → the files that it lists."""


def publish(folder: Path, files: Mapping[str, bytes], manifest: str = MANIFEST_NAME) -> None:
    """Make ``folder`` hold exactly ``files`` (name → content; a name may have folders in it).

    One of them is the ``manifest``, which lists the others. The folder may be absent, empty or an
    earlier one with a manifest of that name; anything else raises `ParameterError` and stays as it
    is. A failure to write raises `DataError` and leaves the earlier folder in place.
    """
    # Replaces the place itself, not a link to it.
    folder = folder.resolve()
    check_replaceable(folder, manifest)
    with _scratch(folder) as scratch:
        fresh, old = scratch / "new", scratch / "old"
        fresh.mkdir()
        for name, content in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(content)
        if folder.exists():
            folder.rename(old)
        try:
            fresh.rename(folder)
        except BaseException:  # an interruption too
            if old.exists():
                old.rename(folder)
            raise


def withdraw(folder: Path, manifest: str = MANIFEST_NAME) -> None:
    """Remove ``folder`` as a whole if `publish` would replace it; raises as `publish` does."""
    folder = folder.resolve()
    check_replaceable(folder, manifest)
    if folder.exists():
        with _scratch(folder) as scratch:
            folder.rename(scratch / "old")


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder``, gone afterwards; `DataError` naming ``folder`` for a failure."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror}") from error


def check_replaceable(folder: Path, manifest: str = MANIFEST_NAME) -> None:
    """`ParameterError` unless ``folder`` can be replaced without losing other files; `DataError` if
    it cannot be made."""
    allowed = "a new or empty folder, or one that holds an earlier build and nothing else"
    if not folder.exists():
        above = next(each for each in folder.absolute().parents if each.exists())
        if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            why = "must not be written" if above.is_dir() else "is a file"
            raise DataError(f"cannot write {folder}: {above} {why}")
        return
    if not folder.is_dir():
        raise ParameterError("--out", str(folder), allowed, hint="this is a file")
    try:
        present = set(_files_below(folder))
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror}") from error
    if not present:
        return
    if manifest not in present:
        hint = f"it has files but no {manifest}: choose another folder or empty it yourself"
        raise ParameterError("--out", str(folder), allowed, hint=hint)
    ours = {each.path for each in READERS[manifest](folder / manifest)} | {manifest}
    if foreign := sorted(present - ours):
        hint = f"move {', '.join(foreign)} away first"
        raise ParameterError("--out", str(folder), allowed, hint=hint)


def _files_below(folder: Path) -> Iterator[str]:
    """Names of everything in ``folder``, relative to it; an empty folder is a name, too."""
    for place, folders, files in os.walk(folder, onerror=_raise):
        inside = Path(place).relative_to(folder)
        yield from ((inside / name).as_posix() for name in files)
        if not folders and not files and place != str(folder):
            yield inside.as_posix()


def _raise(error: OSError) -> None:
    raise error
