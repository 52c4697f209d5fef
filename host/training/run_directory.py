"""The folder of a run: ``runs/<name>``; ``runs/latest`` is the one that began or ended last.

    config.json         what was trained, and how: written when training begins
    log.jsonl           one line for each step
    measured.jsonl      one line for each step, of what was measured: wall clock, machine
    programs.jsonl      one line for each program of the machine, if asked for
    evaluations.jsonl   one line for each evaluation
    checkpoints/        the newest states
    summary.json        the results, written at the end: a run without it is unfinished

Nothing but the last line of a .jsonl file is ever half-written.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fractrain.host.files.atomic import (
    failures_named,
    make_folder,
    remove_temporaries,
    replacing,
    sync_folder,
    write_whole,
)
from fractrain.host.files.regular import read_object
from fractrain.host.training.run_lock import LOCK, RunLock, is_locked
from fractrain.host.training.run_names import LATEST, RunName
from fractrain.hw.contract.errors import DataError, ParameterError

CONFIG, LOG, EVALUATIONS = "config.json", "log.jsonl", "evaluations.jsonl"
MEASURED, PROGRAMS = "measured.jsonl", "programs.jsonl"
CHECKPOINTS, SUMMARY = "checkpoints", "summary.json"


class RunDirectory:
    """The folder of one run, locked: reserved before training begins, kept once it has begun."""

    def __init__(self, path: Path, *, created: bool = False) -> None:
        self.path = path
        self._created = created
        self._lock = RunLock(path)

    # -- which folder ----------------------------------------------------------------------

    @classmethod
    def reserve(cls, root: Path, name: str, *, overwrite: bool = False) -> RunDirectory:
        """The folder ``name``; a `ParameterError` if it is there already and not ``overwrite``.

        A folder in which no run has begun counts as not there.
        """
        path = root / RunName().read("--name", name)
        created = make_folder(path)
        with failures_named(path):
            taken = any(each.name != LOCK for each in path.iterdir())
        if taken and not overwrite:
            raise ParameterError(
                "--name",
                name,
                f"a name that is not yet in {root}",
                hint="add --overwrite to replace that run"
                + ("" if has_summary(path) else f", or --resume {name} to go on with it"),
            )
        return cls(path, created=created)

    @classmethod
    def reserve_similar(cls, root: Path, name: str) -> RunDirectory:
        """The first of ``name``, ``name-2``, ``name-3``, … that is not there yet."""
        suffixes = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
        candidates = (root / f"{name}{suffix}" for suffix in suffixes)
        return cls(next(path for path in candidates if make_folder(path)), created=True)

    @classmethod
    def reopen(cls, run: str, root: Path) -> RunDirectory:
        """The run in the folder ``run``, or of that name in ``root``; if empty, the unfinished one
        in ``root`` that ran last and is not in use.

        Raises `ParameterError` if there is none, `DataError` if it has not begun, `FractrainError`
        if it is in use.
        """
        path = _find(run, root) if run else _find_unfinished(root)
        if not (path / CONFIG).is_file():
            raise DataError(f"{path} has no {CONFIG}: no run has begun there")
        directory = cls(path)
        remove_temporaries(path)
        return directory

    # -- what is in it ---------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the run is finished, with an undamaged summary."""
        return has_summary(self.path)

    def read_config(self) -> dict[str, Any]:
        """The document given to `begin`; `DataError` if the file is damaged."""
        return read_object(self.path / CONFIG)

    # -- its life --------------------------------------------------------------------------

    def begin(self, config: Mapping[str, object]) -> None:
        """Write the configuration of a run that has begun, and remove a run that it replaces."""
        self._point_latest_here()
        with failures_named(self.path):
            (self.path / CONFIG).unlink(missing_ok=True)  # first: half a run is none
            sync_folder(self.path)
            for entry in self.path.iterdir():
                if entry.name == LOCK:
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        write_whole(self.path / CONFIG, _text(config))
        self._created = False

    def finish(self, summary: Mapping[str, object]) -> Path:
        """Write the summary; returns its path."""
        target = self.path / SUMMARY
        write_whole(target, _text(summary))
        self._point_latest_here()
        return target

    def _point_latest_here(self) -> None:
        """Set the link if possible: some file systems have no links, and anything else of that name
        stays."""
        latest = self.path.parent / LATEST
        if latest.exists() and not latest.is_symlink():
            return
        with contextlib.suppress(DataError), replacing(latest) as temporary:
            temporary.symlink_to(self.path.name)

    def close(self) -> None:
        """Unlock it; remove the folder of a run that never began."""
        if self._created:
            with contextlib.suppress(OSError):
                (self.path / LOCK).unlink()
                self.path.rmdir()
        self._lock.release()


def _text(document: Mapping[str, object]) -> str:
    return json.dumps(document, indent=2) + "\n"


def has_summary(folder: Path) -> bool:
    """Whether the run in ``folder`` is finished, with an undamaged summary."""
    try:
        read_object(folder / SUMMARY)
    except DataError:
        return False
    return True


def _find(run: str, root: Path) -> Path:
    for path in (Path(run), root / run):
        if os.path.isdir(path):  # of a name that cannot be one, Path.is_dir would raise
            # By the name of the folder itself: `finish` makes a link to it.
            return path.resolve() if path.is_symlink() or path.name in ("", "..") else path
    raise ParameterError("--resume", run, f"the folder of a run, or the name of one in {root}")


def _find_unfinished(root: Path) -> Path:
    paths = [
        path.parent
        for path in root.glob(f"*/{CONFIG}")
        if not path.parent.is_symlink()
        and not has_summary(path.parent)
        and not is_locked(path.parent)
    ]
    if not paths:
        raise ParameterError("--resume", "", f"a run; none in {root} is unfinished")
    return max(paths, key=lambda path: (_last_change(path), path.name))


def _last_change(path: Path) -> float:
    return max((path / each).stat().st_mtime for each in (CONFIG, LOG) if (path / each).exists())
