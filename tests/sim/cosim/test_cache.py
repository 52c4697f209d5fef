"""The cache of compiled models: one build per content, and never half of one."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from fractrain.hw.contract.errors import DataError
from fractrain.sim.cosim.cache import build_root, cached_folder, content_hash


def write_file(folder: Path) -> None:
    (folder / "file").write_text("complete")


def test_builds_once(tmp_path: Path) -> None:
    builds = []

    def build(folder: Path) -> None:
        builds.append(folder)
        write_file(folder)

    first = cached_folder(tmp_path, "key", build)
    assert cached_folder(tmp_path, "key", build) == first == tmp_path / "key"
    assert (first / "file").read_text() == "complete"
    assert len(builds) == 1
    cached_folder(tmp_path, "other", build)
    assert len(builds) == 2


def test_a_failed_build_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        write_file(folder)
        raise RuntimeError("compiler")

    with pytest.raises(RuntimeError, match="compiler"):
        cached_folder(tmp_path, "key", fail)
    assert not (tmp_path / "key").exists()
    assert (cached_folder(tmp_path, "key", write_file) / "file").exists()


def test_a_killed_build_is_done_again(tmp_path: Path) -> None:
    """A process that dies while it builds leaves neither a result nor a lock behind."""
    script = (
        "import sys, time; from pathlib import Path\n"
        "from sim.cosim.cache import cached_folder\n"
        "def build(folder):\n"
        "    (folder / 'left').touch(); print('building', flush=True); time.sleep(600)\n"
        "cached_folder(Path(sys.argv[1]), 'key', build)\n"
    )
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(root)},
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"building\n"
        process.send_signal(signal.SIGKILL)
    final = cached_folder(tmp_path, "key", write_file)
    assert [file.name for file in final.iterdir()] == ["file"]


def test_leftovers_of_other_keys_are_swept_but_not_builds_under_way(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        raise RuntimeError("compiler")

    with pytest.raises(RuntimeError):
        cached_folder(tmp_path, "failed", fail)
    assert (tmp_path / "failed.partial").is_dir()

    def build(folder: Path) -> None:
        write_file(folder)
        cached_folder(tmp_path, "meanwhile", write_file)
        assert (folder / "file").exists()

    assert (cached_folder(tmp_path, "key", build) / "file").exists()
    assert not (tmp_path / "failed.partial").exists()


def test_of_two_at_once_one_builds_and_the_other_waits(tmp_path: Path) -> None:
    builds, started = [], threading.Barrier(4)

    def build(folder: Path) -> None:
        builds.append(folder)
        time.sleep(0.1)
        write_file(folder)

    def ask(_: int) -> str:
        started.wait()
        return (cached_folder(tmp_path, "key", build) / "file").read_text()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == ["complete"] * 4
    assert len(builds) == 1


def test_who_waits_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    with (tmp_path / "key.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        @contextmanager
        def activity(text: str) -> Iterator[None]:
            said.append(text)
            fcntl.flock(held, fcntl.LOCK_UN)
            yield

        monkeypatch.setattr("fractrain.sim.cosim.cache.activity", activity)
        for _ in range(2):
            assert (cached_folder(tmp_path, "key", write_file) / "file").exists()
        cached_folder(tmp_path, "other", write_file)
    assert said == ["waiting for another process that makes the same"]


def test_hash_tells_lists_of_parts_apart() -> None:
    assert content_hash("ab", "c") != content_hash("a", "bc") != content_hash("abc")
    assert content_hash("ab", "c") == content_hash("ab", "c")


def test_build_root_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path))
    assert build_root() == tmp_path
    monkeypatch.delenv("FRACTRAIN_BUILD")
    monkeypatch.chdir(tmp_path)  # a checkout has its own, wherever it is called from
    assert build_root() == Path(__file__).resolve().parents[3] / "build"


def test_a_build_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"build folder .*file/cosim: .*FRACTRAIN_BUILD"):
        cached_folder(tmp_path / "file" / "cosim", "key", lambda folder: None)
