"""Run folders: names, what is kept, what is undone, who has them, errors of the file system."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fractrain.host.training.run_directory import RunDirectory
from fractrain.hw.contract.errors import DataError, FractrainError, ParameterError


def names(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir())


def begun(root: Path, name: str, number: int = 0, *, overwrite: bool = False) -> RunDirectory:
    directory = RunDirectory.reserve(root, name, overwrite=overwrite)
    directory.begin({"number": number})
    return directory


def finished(root: Path, name: str, number: int = 0) -> None:
    directory = begun(root, name, number)
    directory.finish({"number": number})
    directory.close()


def summary(root: Path, name: str) -> int:
    return int(json.loads((root / name / "summary.json").read_text())["number"])


def test_finished_run(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    directory = begun(root, "one", 1)
    assert not directory.finished
    assert (root / "latest").readlink() == Path("one")
    path = directory.finish({"number": 1})
    assert directory.finished
    assert path == root / "one" / "summary.json"
    assert summary(root, "one") == 1
    finished(root, "two", 2)
    assert summary(root, "latest") == 2
    directory.finish({"number": 3})
    assert (root / "latest").readlink() == Path("one")
    assert names(root) == ["latest", "one", "two"]
    assert names(root / "one") == [".lock", "config.json", "summary.json"]


def test_taken_name_is_refused_unless_overwritten(tmp_path: Path) -> None:
    finished(tmp_path, "one", 1)
    with pytest.raises(ParameterError, match="--overwrite to replace that run$"):
        RunDirectory.reserve(tmp_path, "one")
    # One that comes to nothing leaves the old run.
    RunDirectory.reserve(tmp_path, "one", overwrite=True).close()
    assert summary(tmp_path, "one") == 1
    (tmp_path / "one" / "checkpoints").mkdir()
    (tmp_path / "one" / "checkpoints" / "step").write_text("old")
    (tmp_path / "one" / "log.jsonl").write_text("old")
    again = begun(tmp_path, "one", 2, overwrite=True)
    assert names(tmp_path / "one") == [".lock", "config.json"]
    assert again.read_config() == {"number": 2}


def test_an_unfinished_run_can_be_resumed_instead(tmp_path: Path) -> None:
    begun(tmp_path, "one").close()
    with pytest.raises(ParameterError, match="--overwrite .* or --resume one to go on with it"):
        RunDirectory.reserve(tmp_path, "one")


def test_similar_names(tmp_path: Path) -> None:
    found = [RunDirectory.reserve_similar(tmp_path, "run").path.name for _ in range(3)]
    assert found == ["run", "run-2", "run-3"]


def test_a_run_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    RunDirectory.reserve(tmp_path, "one").close()
    assert names(tmp_path) == []
    directory = begun(tmp_path, "one")
    directory.close()
    assert names(tmp_path / "one") == [".lock", "config.json"]
    assert names(tmp_path) == ["latest", "one"]


def test_a_name_of_a_process_that_was_killed_before_it_began_is_free(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / ".lock").write_text("")
    directory = begun(tmp_path, "one", 3)
    assert directory.read_config() == {"number": 3}


@pytest.mark.parametrize("name", ["", ".", "..", "latest", "a/b", "/a", "../a"])
def test_names_that_are_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParameterError, match="--name"):
        RunDirectory.reserve(tmp_path, name)
    assert names(tmp_path) == []


# -- again -------------------------------------------------------------------------------------


def test_reopened_by_path_by_name_and_by_link(tmp_path: Path) -> None:
    finished(tmp_path, "one")
    for run in (str(tmp_path / "one"), "one", "latest", str(tmp_path / "latest" / ".")):
        directory = RunDirectory.reopen(run, tmp_path)
        assert directory.path == tmp_path / "one"
        directory.close()
    assert names(tmp_path / "one") == [".lock", "config.json", "summary.json"]


def test_reopened_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path, "one").close()
    monkeypatch.chdir(tmp_path / "one")
    directory = RunDirectory.reopen(".", Path("runs"))
    directory.finish({"number": 1})
    assert summary(tmp_path, "latest") == 1


def test_the_unfinished_one_that_went_on_last(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"--resume: .* none in .* is unfinished"):
        RunDirectory.reopen("", tmp_path)
    for time, name in enumerate(("new", "old", "running")):
        directory = begun(tmp_path, name)
        os.utime(tmp_path / name / "config.json", (time, time))
        if name != "running":
            directory.close()
    (tmp_path / "new" / "log.jsonl").write_text("")  # it went on later than the other
    finished(tmp_path, "finished")
    (tmp_path / "no run").mkdir()
    assert RunDirectory.reopen("", tmp_path).path.name == "new"
    assert RunDirectory.reopen("", tmp_path).path.name == "old"
    with pytest.raises(ParameterError):
        RunDirectory.reopen("", tmp_path)
    directory.close()


def test_what_cannot_be_reopened(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"--resume: got 'one', allowed: the folder"):
        RunDirectory.reopen("one", tmp_path)
    (tmp_path / "one").mkdir()
    with pytest.raises(DataError, match=r"one has no config\.json"):
        RunDirectory.reopen("one", tmp_path)
    for content in ("{", "[]"):
        (tmp_path / "one" / "config.json").write_text(content)
        directory = RunDirectory.reopen("one", tmp_path)
        with pytest.raises(DataError, match=r"config\.json is damaged"):
            directory.read_config()
        directory.close()


def test_what_a_killed_process_was_writing_goes(tmp_path: Path) -> None:
    begun(tmp_path, "one").close()
    (tmp_path / "one" / ".summary.json.7.tmp").write_text("{")
    RunDirectory.reopen("one", tmp_path).close()
    assert names(tmp_path / "one") == [".lock", "config.json"]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    directory = begun(tmp_path, "one")
    with pytest.raises(FractrainError, match="in use: another process trains that run"):
        RunDirectory.reopen("one", tmp_path)
    with pytest.raises(FractrainError, match="in use"):
        RunDirectory.reserve(tmp_path, "one", overwrite=True)
    directory.close()
    RunDirectory.reopen("one", tmp_path).close()


def test_a_lock_that_is_removed_while_it_is_taken_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes would have two files of that name, each locked."""
    begun(tmp_path, "one").close()
    flock = fcntl.flock

    def removed(descriptor: int, how: int) -> None:
        flock(descriptor, how)
        (tmp_path / "one" / ".lock").unlink()
        (tmp_path / "one" / ".lock").write_text("")

    monkeypatch.setattr(fcntl, "flock", removed)
    with pytest.raises(FractrainError, match="in use"):
        RunDirectory.reopen("one", tmp_path)


# -- the file system ---------------------------------------------------------------------------


def test_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(DataError, match="runs"):
        RunDirectory.reserve(tmp_path / "runs", "one")


def test_run_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("")
    with pytest.raises(DataError, match="one"):
        RunDirectory.reserve(tmp_path, "one")


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, os.mkfifo])
def test_latest_that_is_the_users_stays(make: Callable[[Path], None], tmp_path: Path) -> None:
    """The link is a convenience: a run does without."""
    make(tmp_path / "latest")
    kind = (tmp_path / "latest").stat().st_mode
    directory = RunDirectory.reserve(tmp_path, "one")
    directory.begin({"number": 1})
    directory.finish({"number": 1})
    directory.close()
    assert names(tmp_path) == ["latest", "one"]
    assert (tmp_path / "latest").lstat().st_mode == kind
    assert summary(tmp_path, "one") == 1


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    directory = RunDirectory.reserve(tmp_path, "one")
    directory.begin({"number": 1})
    directory.close()
    assert names(tmp_path) == ["one"]
