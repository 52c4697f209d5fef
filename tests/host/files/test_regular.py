"""Plain files are read, nothing else is, and nobody waits."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fractrain.host.files.regular import open_regular, read_regular


def test_plain_files_and_links_to_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "file") == read_regular(tmp_path / "link") == b"abc"
    with open_regular(tmp_path / "file") as file:
        assert file.read(2) == b"ab"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "it is no regular file"),
        (Path.mkdir, "Is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "it is no regular file"),
        (lambda path: path.symlink_to(path.name), "Too many levels"),
        (lambda path: None, "No such file"),
    ],
)
def test_anything_else(make: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    make(tmp_path / "x")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match=said) as error:
        read_regular(tmp_path / "x")
    assert error.value.strerror is not None and said in error.value.strerror
    assert len(os.listdir("/proc/self/fd")) == len(before)
