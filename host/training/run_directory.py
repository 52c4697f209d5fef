"""Where a run leaves its results: ``runs/<name>``, and ``runs/latest`` that points at the newest.

Nothing is ever half-written: files are written beside their place and renamed into it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from hw.contract.errors import DataError, ParameterError

LATEST = "latest"
SUMMARY = "summary.json"


class RunDirectory:
    """The folder ``root/name`` of one run, reserved before the run and kept if it succeeds."""

    def __init__(self, path: Path, *, created: bool) -> None:
        self.path = path
        self._created = created

    @classmethod
    def reserve(cls, root: Path, name: str, *, overwrite: bool = False) -> RunDirectory:
        """The folder ``name``; a `ParameterError` if it is there already and not ``overwrite``."""
        if not name or name in (".", "..", LATEST) or Path(name).name != name:
            raise ParameterError("--name", name, f"the name of one folder, other than {LATEST}")
        created = cls._create(root / name)
        if not created and not overwrite:
            raise ParameterError(
                "--name",
                name,
                f"a name that is not yet in {root}",
                hint="add --overwrite to replace that run",
            )
        return cls(root / name, created=created)

    @classmethod
    def reserve_similar(cls, root: Path, name: str) -> RunDirectory:
        """The first of ``name``, ``name-2``, ``name-3``, … that is not there yet."""
        suffixes = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
        candidates = (root / f"{name}{suffix}" for suffix in suffixes)
        return cls(next(path for path in candidates if cls._create(path)), created=True)

    def discard(self) -> None:
        """Undo `reserve` after a run that left nothing; a run that was to be replaced stays."""
        if self._created:
            with contextlib.suppress(OSError):
                self.path.rmdir()

    def finish(self, summary: Mapping[str, object]) -> Path:
        """Write the summary, point ``latest`` at this run; returns the summary's path."""
        target = self.path / SUMMARY
        text = json.dumps(summary, indent=2) + "\n"
        with _replacing(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
        with _replacing(self.path.parent / LATEST) as temporary:
            temporary.symlink_to(self.path.name)
        return target

    @staticmethod
    def _create(path: Path) -> bool:
        """Make the folder; False if it is there."""
        with _failures_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.mkdir()
            except FileExistsError:
                return False
            return True


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A new name beside ``path`` to write under; renamed to ``path`` if all went well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with _failures_named(path):
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    """Turn a failure of the file system into a `DataError` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from error
