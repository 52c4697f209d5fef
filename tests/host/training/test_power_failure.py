"""Power fails at any moment: what was reported as saved is there, and what is there is whole."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.files import atomic as atomic_files
from fractrain.host.files import journal
from fractrain.host.files.journal import Journal
from fractrain.host.training import checkpoint, run, run_directory
from fractrain.host.training.checkpoint import Checkpoint, Checkpoints
from fractrain.host.training.run import Cadence, Run
from fractrain.host.training.run_record import fingerprint
from tests.host.training.forgetful_disk import ForgetfulDisk
from tests.host.training.test_run import part

STEPS = 3
CADENCE = Cadence(checkpoint_every=1, evaluate_every=2, test_images=2)
RESULTS = ("log.jsonl", "evaluations.jsonl", "measured.jsonl")


class Watch:
    """Looks at what a failure would leave, wherever there might be one."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.disk = ForgetfulDisk(root, self._look)
        self._left = root.with_name("left")
        self.saved = self.looks = 0
        self.finished = False
        self._note(monkeypatch)

    def _note(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What has been reported as saved."""
        save = Checkpoints.save

        def noting(checkpoints: Checkpoints, saved: Checkpoint) -> None:
            save(checkpoints, saved)
            self.saved = saved.step
            self.disk.look()

        monkeypatch.setattr(Checkpoints, "save", noting)

    def _look(self) -> None:
        self.looks += 1
        for all_names in (False, True):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self._left)
            self.disk.left(self._left, all_names=all_names)
            self._check(self._left / "runs" / "run")

    def end(self) -> None:
        self.finished = True
        self.disk.look()

    def _check(self, folder: Path) -> None:
        if not (folder / "config.json").exists():
            assert not self.saved, "the run is gone"
            return
        config = json.loads((folder / "config.json").read_text())
        checkpoints = Checkpoints(folder / "checkpoints", fingerprint(config))
        newest = 0
        for path in checkpoints._paths():  # all of them, or one would be put aside in silence
            found = checkpoints._read(path)
            newest = max(newest, found.step)
            for name, mark in found.run["journals"].items():
                damage = Journal(folder / name).damage(journal.Mark(**mark))
                assert not damage, f"{path.name}: {name} {damage}"
        assert newest >= self.saved, f"step {self.saved} was saved, {newest} is left"
        ended = (folder / "summary.json").exists()
        assert ended or not self.finished, "the summary is gone"
        if ended:
            summary = json.loads((folder / "summary.json").read_text())
            last = [Journal(folder / name).read()[-1] for name in RESULTS]
            assert [line["step"] for line in last] == [STEPS - 1, STEPS, STEPS - 1]
            assert last[1]["test_accuracy"] == summary["test_accuracy"]


def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """A run from its first step to its summary."""
    root = tmp_path / "disk"
    root.mkdir()
    monkeypatch.setattr(run, "CHECKPOINT_SECONDS", 0)
    watch = Watch(root, monkeypatch)
    with watch.disk.watched():
        part(root / "runs", cadence=CADENCE, steps=STEPS)
        watch.end()
    return watch


def test_nothing_that_was_saved_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = train(tmp_path, monkeypatch)
    assert watch.saved == STEPS and watch.looks > 50


def test_a_run_that_is_replaced_is_none_before_anything_else_of_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old configuration is durably gone first: it must not stand beside half a run."""
    calls: list[str] = []
    unlink = os.unlink

    def unlinked(path: Any, **named: Any) -> None:
        calls.append(f"unlink {Path(path).name}")
        unlink(path, **named)

    with contextlib.closing(run_directory.RunDirectory.reserve(tmp_path, "run")) as directory:
        directory.begin({"number": 1})
        (tmp_path / "run" / "log.jsonl").write_text("old")
        monkeypatch.setattr(os, "unlink", unlinked)
        monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append("fsync"))
        directory.begin({"number": 2})
    first = calls.index("unlink config.json")
    assert calls[first : first + 3] == ["unlink config.json", "fsync", "unlink log.jsonl"]


# -- what must not be left out -----------------------------------------------------------------


def nothing(*_: Any, **__: Any) -> None:
    """In place of what makes something durable."""


def without_its_content(path: Path, content: bytes | str) -> None:
    with atomic_files.replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def checkpoint_first(self: Run) -> None:
    """The lines after it."""
    sync = self._sync
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Run, "_sync", lambda self: (*self._results, *self._measurements.journals))
        SAVE(self)
    sync()


SAVE = Run._save
MUTATIONS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a journal is not synced": lambda patch: patch.setattr(Journal, "sync", nothing),
    "a journal's name is not synced": lambda patch: patch.setattr(journal, "sync_folder", nothing),
    "the log is not synced before a checkpoint": lambda patch: patch.setattr(
        Run, "_sync", lambda self: (*self._results, *self._measurements.journals)
    ),
    "measurements are not synced": lambda patch: patch.setattr(
        Run, "_sync", lambda self: [each.sync() for each in self._results] and JOURNALS(self)
    ),
    "evaluations are not synced": lambda patch: patch.setattr(
        Run,
        "_sync",
        lambda self: (self._log.sync(), *(e.sync() for e in JOURNALS(self)[2:])) and JOURNALS(self),
    ),
    "the log is synced after the checkpoint": lambda patch: patch.setattr(
        Run, "_save", checkpoint_first
    ),
    "files are not synced before they have their names": lambda patch: patch.setattr(
        checkpoint, "write_whole", without_its_content
    ),
    "the configuration is not synced": lambda patch: patch.setattr(
        run_directory, "write_whole", without_its_content
    ),
    "no folder is synced": lambda patch: patch.setattr(atomic_files, "sync_folder", nothing),
    "folders are made without syncing the one above": lambda patch: patch.setattr(
        checkpoint, "make_folder", lambda path: path.mkdir(exist_ok=True)
    ),
}


def JOURNALS(self: Run) -> tuple[Journal, ...]:
    """All of a run."""
    return *self._results, *self._measurements.journals


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_what_is_not_made_durable_is_missed(
    mutation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MUTATIONS[mutation](monkeypatch)
    with pytest.raises((AssertionError, checkpoint.UnusableError, json.JSONDecodeError)):
        train(tmp_path, monkeypatch)
