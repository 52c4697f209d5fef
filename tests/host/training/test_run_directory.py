"""Run folders: names, what is kept, what is undone, and errors of the file system."""

import json
from pathlib import Path

import pytest

from host.training.run_directory import RunDirectory
from hw.contract.errors import DataError, ParameterError


def names(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir())


def test_finished_run(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    path = RunDirectory.reserve(root, "one").finish({"steps": 1})
    assert path == root / "one" / "summary.json"
    assert json.loads(path.read_text()) == {"steps": 1}
    assert (root / "latest").readlink() == Path("one")
    RunDirectory.reserve(root, "two").finish({"steps": 2})
    assert json.loads((root / "latest" / "summary.json").read_text()) == {"steps": 2}
    assert names(root) == ["latest", "one", "two"]
    assert names(root / "one") == ["summary.json"]


def test_taken_name_is_refused_unless_overwritten(tmp_path: Path) -> None:
    RunDirectory.reserve(tmp_path, "one").finish({"steps": 1})
    with pytest.raises(ParameterError, match="--overwrite"):
        RunDirectory.reserve(tmp_path, "one")
    again = RunDirectory.reserve(tmp_path, "one", overwrite=True)
    again.discard()  # an interrupted replacement leaves the old run
    assert json.loads((tmp_path / "one" / "summary.json").read_text()) == {"steps": 1}
    again.finish({"steps": 2})
    assert json.loads((tmp_path / "one" / "summary.json").read_text()) == {"steps": 2}


def test_similar_names(tmp_path: Path) -> None:
    found = [RunDirectory.reserve_similar(tmp_path, "run").path.name for _ in range(3)]
    assert found == ["run", "run-2", "run-3"]


def test_discard_leaves_nothing(tmp_path: Path) -> None:
    RunDirectory.reserve(tmp_path, "one").discard()
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["", ".", "..", "latest", "a/b", "/a", "../a"])
def test_names_that_are_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParameterError, match="--name"):
        RunDirectory.reserve(tmp_path, name)
    assert names(tmp_path) == []


def test_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(DataError, match="runs"):
        RunDirectory.reserve(tmp_path / "runs", "one")


def test_latest_that_is_a_folder_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    directory = RunDirectory.reserve(tmp_path, "one")
    with pytest.raises(DataError, match="latest"):
        directory.finish({"steps": 1})
    assert names(tmp_path) == ["latest", "one"]
    assert names(tmp_path / "one") == ["summary.json"]
