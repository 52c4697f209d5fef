"""Files that are there whole or not at all."""

import contextlib
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fractrain.host.files import atomic as atomic_files
from fractrain.host.files.atomic import check_writable, make_folder, remove_temporaries, write_whole
from fractrain.hw.contract.errors import DataError


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


# -- what may be replaced --------------------------------------------------------------------------


def make_device(path: Path) -> None:
    path.symlink_to("/dev/full")


def make_socket(path: Path) -> None:
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


OTHERS: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a socket": make_socket,
    "a device": make_device,
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "Too many levels": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("what", OTHERS)
def test_nothing_but_a_regular_file_is_replaced(what: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    OTHERS[what](path)
    before = path.lstat()
    for action in (lambda: write_whole(path, "new"), lambda: check_writable(path)):
        with pytest.raises(DataError, match=f"cannot write .*file: .*{what}"):
            action()
    after = path.lstat()
    assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)
    assert names(tmp_path) == ["file"]


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "real").write_text("old")
    (tmp_path / "again").symlink_to("folder/real")
    (tmp_path / "link").symlink_to("again")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").readlink() == Path("again")
    assert (tmp_path / "folder" / "real").read_text() == "new"
    assert not (tmp_path / "folder" / "real").is_symlink()
    assert names(tmp_path / "folder") == ["real"]


def test_other_names_of_the_file_keep_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "snapshot").write_text("old")
    os.link(tmp_path / "snapshot", tmp_path / "file")
    write_whole(tmp_path / "file", "new")
    assert (tmp_path / "snapshot").read_text() == "old"
    assert (tmp_path / "file").read_text() == "new"


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_rights_stay(mode: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(mode)
    write_whole(tmp_path / "file", "new")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_new_files_have_the_rights_of_new_files(mask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_whole(tmp_path / "file", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_folders_that_are_not_there_are_not_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the folder .*typo does not exist"):
        write_whole(tmp_path / "typo" / "file", "new")
    (tmp_path / "taken").write_text("")
    with pytest.raises(DataError, match="the folder .*taken is a file"):
        write_whole(tmp_path / "taken" / "file", "new")
    assert names(tmp_path) == ["taken"]


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127, "one space", "-", "a\nb", "é\udcff"])
def test_any_name(name: str, tmp_path: Path) -> None:
    for text in ("old", "new"):
        write_whole(tmp_path / name, text)
    assert (tmp_path / name).read_text() == "new"
    assert names(tmp_path) == [name]


def test_a_temporary_file_of_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    """Nor a trap: what has its name is not written through."""
    other = tmp_path / "other"
    other.write_text("other")
    (tmp_path / f".file.{os.getpid()}.tmp").symlink_to(other)
    write_whole(tmp_path / "file", "new")
    assert other.read_text() == "other"
    assert names(tmp_path) == ["file", "other"]


def test_bytes_of_names_that_are_no_text(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", "a run called \udcff")
    assert (tmp_path / "file").read_text() == r"a run called \udcff"


@contextlib.contextmanager
def printing_to(path: Path) -> Iterator[None]:
    """Within it standard output goes to the file ``path``."""
    before = os.dup(1)
    try:
        with path.open("wb") as file:
            os.dup2(file.fileno(), 1)
        os.write(1, b"table\n")
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)


def test_where_the_output_goes_is_not_replaced(tmp_path: Path) -> None:
    with printing_to(tmp_path / "file"):
        for path in (tmp_path / "file", Path("/dev/stdout")):
            with pytest.raises(DataError, match="what is printed goes there"):
                write_whole(path, "new")
    assert (tmp_path / "file").read_text() == "table\n"
