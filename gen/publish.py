"""Writes a folder whole or not at all, and never over somebody else's files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gen.manifest import MANIFEST_NAME, read_manifest
from hw.contract.errors import DataError, ParameterError

__all__ = ["check_replaceable", "publish"]


def publish(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make ``folder`` hold exactly ``files`` (name → content).

    It may be absent, empty or an earlier build; anything else raises `ParameterError` and stays
    as it is. A failure to write raises `DataError` and leaves the earlier build in place.
    """
    # The place itself is replaced, not a link that leads to it.
    folder = folder.resolve()
    check_replaceable(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            fresh, old = Path(scratch, "new"), Path(scratch, "old")
            fresh.mkdir()
            for name, content in files.items():
                (fresh / name).write_bytes(content)
            if folder.exists():
                folder.rename(old)
            try:
                fresh.rename(folder)
            except BaseException:  # an interruption too
                if old.exists():
                    old.rename(folder)
                raise
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror}") from error


def check_replaceable(folder: Path) -> None:
    """`ParameterError` unless replacing ``folder`` loses nothing but an earlier build."""
    allowed = "a new or empty folder, or one that holds an earlier build and nothing else"
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ParameterError("--out", str(folder), allowed, hint="this is a file")
    try:
        present = set(os.listdir(folder))
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror}") from error
    if not present:
        return
    if MANIFEST_NAME not in present:
        hint = f"it has files but no {MANIFEST_NAME}: choose another folder or empty it yourself"
        raise ParameterError("--out", str(folder), allowed, hint=hint)
    ours = {each.path for each in read_manifest(folder / MANIFEST_NAME).files} | {MANIFEST_NAME}
    if foreign := sorted(present - ours):
        hint = f"move {', '.join(foreign)} away first"
        raise ParameterError("--out", str(folder), allowed, hint=hint)
