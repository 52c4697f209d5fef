"""Runs with damaged files: what is whole is used, what is not is never taken for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fractrain.host.training.checkpoint import Checkpoint, Checkpoints
from fractrain.host.training.meter import NoMeter
from fractrain.hw.contract.errors import DataError
from tests.host.training.test_run import Power, Watching, files, lines, part


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here takes power from the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose power went off after four steps; checkpoints are at 2 and 3. To be copied.
    Beside it, the whole one."""
    root = tmp_path_factory.mktemp("runs") / "cut_off"
    part(root.parent / "whole")
    with pytest.raises(Power):
        part(root, watching=Watching(3))
    return root


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def drop_line(path: Path, number: int) -> None:
    kept = path.read_bytes().splitlines(keepends=True)
    del kept[number]
    path.write_bytes(b"".join(kept))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit": lambda run: flip(run / "log.jsonl", 40),
    "no bytes": lambda run: (run / "log.jsonl").write_bytes(b""),
    "no file": lambda run: (run / "log.jsonl").unlink(),
    "a line lost": lambda run: drop_line(run / "log.jsonl", 0),
    "a FIFO": lambda run: ((run / "log.jsonl").unlink(), os.mkfifo(run / "log.jsonl")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_log_that_is_damaged_is_not_gone_on_with(
    damage: str, cut_off: Path, tmp_path: Path
) -> None:
    """And no checkpoint is lost by it: once the log is back, the run goes on."""
    shutil.copytree(cut_off, tmp_path, symlinks=True, dirs_exist_ok=True)
    run = tmp_path / "run"
    log = (run / "log.jsonl").read_bytes()
    DAMAGES[damage](run)
    with pytest.raises(DataError, match=r"00003\.checkpoint cannot be used: log\.jsonl .*again"):
        part(tmp_path, resume=True)
    (run / "log.jsonl").unlink(missing_ok=True)
    (run / "log.jsonl").write_bytes(log)
    watching = Watching(3)
    with pytest.raises(Power):
        part(tmp_path, watching=watching, resume=True)
    assert watching.steps == [3]


def test_a_log_that_is_damaged_after_an_older_checkpoint(cut_off: Path, tmp_path: Path) -> None:
    """What is behind that one is done again."""
    root = tmp_path / "parts"
    shutil.copytree(cut_off, root, symlinks=True)
    drop_line(root / "run" / "log.jsonl", 2)
    drop_line(root / "run" / "log.jsonl", 2)
    watching, notes = Watching(), list[str]()
    part(root, watching=watching, resume=True, notes=notes)
    assert watching.steps[0] == 2
    assert "00003.checkpoint is not used: log.jsonl has 2 of 3 lines" in notes[0]
    assert files(root) == files(cut_off.parent / "whole")


def test_what_was_measured_may_be_damaged(cut_off: Path, tmp_path: Path) -> None:
    """No result depends on it, so nobody has to mend it."""
    shutil.copytree(cut_off, tmp_path, symlinks=True, dirs_exist_ok=True)
    flip(tmp_path / "run" / "measured.jsonl", 12)
    notes = list[str]()
    with pytest.raises(Power):
        part(tmp_path, watching=Watching(4), resume=True, notes=notes)
    assert len(notes) == 1 and "it is now measured.jsonl.damaged" in notes[0]
    kept = lines((tmp_path / "run" / "measured.jsonl").read_text())
    assert [line["step"] for line in kept] == [3, 4]


def test_evaluations_that_are_damaged(cut_off: Path, tmp_path: Path) -> None:
    """Behind the checkpoint they are done again, before it they are wanted as they were."""
    shutil.copytree(cut_off, tmp_path, symlinks=True, dirs_exist_ok=True)
    path = tmp_path / "run" / "evaluations.jsonl"
    path.write_bytes(b"x\n" + path.read_bytes())
    with pytest.raises(Power):  # the checkpoint after step 4 is behind an evaluation
        part(tmp_path, watching=Watching(4), resume=True)
    assert [line["step"] for line in lines(path.read_text())] == [3]
    path.write_bytes(b"x\n")
    watching, notes = Watching(2), list[str]()
    part(tmp_path, watching=watching, resume=True, notes=notes)
    assert watching.steps[0] == 3
    assert "00004.checkpoint is not used: evaluations.jsonl is damaged in line 1" in notes[0]
    assert files(tmp_path) == files(cut_off.parent / "whole")


def test_a_meter_keeps_what_it_wrote_before_each_checkpoint_and_is_told_of_a_resumption(
    cut_off: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    save = Checkpoints.save

    def saving(self: Checkpoints, checkpoint: Checkpoint) -> None:
        calls.append("save")
        save(self, checkpoint)

    monkeypatch.setattr(Checkpoints, "save", saving)
    for name in ("sync", "resume", "start"):
        monkeypatch.setattr(NoMeter, name, lambda self, *_, name=name: calls.append(name))
    shutil.copytree(cut_off, tmp_path, symlinks=True, dirs_exist_ok=True)
    with pytest.raises(Power):
        part(tmp_path, watching=Watching(4), resume=True)
    assert calls == ["resume", "start", "sync", "save"]
