"""The files that a command writes: checked before its work, written after it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from fractrain.host.files.atomic import check_writable, failures_named, write_whole
from fractrain.hw.contract.errors import DataError, ParameterError


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write ``document`` to ``path`` as `write_whole` does."""
    write_whole(path, json.dumps(document, indent=2) + "\n")


def check_files(*paths: Path | None) -> None:
    """Check the files that a command will write, before its long work.

    None stands for a missing option. Raises `DataError` naming a file that `write_whole` would not
    write, `ParameterError` if two are the same.
    """
    targets: dict[Path, Path] = {}
    for path in filter(None, paths):
        if str(path) == "-":
            raise DataError("cannot write -: tables are printed there; give the name of a file")
        target = check_writable(path).absolute()
        with failures_named(path):
            # some folders accept no file, independent of their permissions
            tempfile.TemporaryFile(dir=target.parent).close()
        if target in targets:
            raise ParameterError("file to write", str(path), f"another one than {targets[target]}")
        targets[target] = path


def prepare_folder(path: Path) -> None:
    """Make the folder ``path`` if it is missing, before long work.

    Raises `DataError` naming it if it cannot be made or is read-only.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        cause = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise DataError(f"cannot make the folder {path}: {cause}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise DataError(f"the folder {path} must not be written")
