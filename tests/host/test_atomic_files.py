"""Files that are there whole or not at all."""

import os
from pathlib import Path

import pytest

from host import atomic_files
from host.atomic_files import make_folder, remove_temporaries, write_whole
from hw.contract.errors import DataError


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_writes_and_replaces(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", "ä\n")
    assert (tmp_path / "file").read_bytes() == "ä\n".encode()
    write_whole(tmp_path / "file", b"\0")
    assert (tmp_path / "file").read_bytes() == b"\0"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_leaves_the_old_content(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write_whole(tmp_path / "file", "old")
    monkeypatch.setattr(atomic_files.os, call, full)
    with pytest.raises(DataError, match=r"cannot write .*file: No space left"):
        write_whole(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_the_content_is_durable_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            atomic_files.os,
            name,
            lambda *args, name=name, real=real: (calls.append(name), real(*args)),
        )
    write_whole(tmp_path / "file", "new")
    assert calls == ["fsync", "replace", "fsync"]  # the file, its name, the folder


def test_folders_are_made_durably_and_those_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(atomic_files, "sync_folder", synced.append)
    assert make_folder(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    assert not make_folder(tmp_path / "a" / "b" / "c")
    assert make_folder(tmp_path / "a" / "d") and synced[3:] == [tmp_path / "a"]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write .*file/x"):
        make_folder(tmp_path / "file" / "x")


def test_what_a_killed_program_left(tmp_path: Path) -> None:
    """Only its temporary files go."""
    for name in (".file.123.tmp", "file.tmp", ".file", "file"):
        (tmp_path / name).write_text("")
    remove_temporaries(tmp_path)
    assert names(tmp_path) == [".file", "file", "file.tmp"]
    remove_temporaries(tmp_path / "missing")
