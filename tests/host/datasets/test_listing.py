"""What is found in a folder, and where the search ends."""

import os
import tarfile
from pathlib import Path

import pytest

from fractrain.host.datasets import archive, archive_members, listing, load_dataset
from fractrain.host.datasets.listing import list_folder
from fractrain.hw.contract.errors import DataError
from tests.host.datasets.archives import image_folder, write_folder, write_tar


def test_everything_is_found(tmp_path: Path) -> None:
    write_folder(tmp_path, {"b/2": b"", "a": b"", "b/c/3": b"", ".x": b"", "._y": b"", ".z/4": b""})
    found = list_folder(tmp_path)
    assert found.files == ("a", "b/2", "b/c/3")
    assert found.folders == ("b", "b/c")
    assert found.hidden == (".x", ".z")
    assert not found.unusable and not found.targets


def test_a_folder_that_is_linked_twice_is_found_twice(tmp_path: Path) -> None:
    """A loop is only what leads back to a folder above."""
    write_folder(tmp_path, {"a/1": b""})
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "c").symlink_to("b")
    assert list_folder(tmp_path).files == ("a/1", "b/1", "c/1")


def test_loops_end(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a/b/1": b""})
    (tmp_path / "a/b/up").symlink_to("..")
    (tmp_path / "a/root").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to("self")
    found = list_folder(tmp_path)
    assert found.files == ("a/b/1",)
    assert set(found.unusable) == {"a/b/up", "a/root", "a/self"}


def test_where_there_is_much_else_it_ends_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_OUTSIDE", 20)
    write_folder(tmp_path / "D", {f"{number}/x.png": b"" for number in range(10)})
    assert len(list_folder(tmp_path / "D").files) == 10
    write_folder(tmp_path / "D", {"0/y": b""})
    with pytest.raises(
        DataError, match="D has more than 20 files and folders beside train/ and test/: too"
    ):
        load_dataset(str(tmp_path / "D"))


def test_images_may_be_many_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_OUTSIDE", 2)  # train and test
    write_folder(tmp_path, image_folder())
    load_dataset(str(tmp_path))
    monkeypatch.setattr(listing, "MOST", 13)
    with pytest.raises(DataError, match="has more than 13 files and folders"):
        load_dataset(str(tmp_path))


def test_links_that_multiply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2^40 ways through 41 folders, none of them a loop."""
    monkeypatch.setattr(listing, "MOST_OUTSIDE", 2000)
    for number in range(41):
        (tmp_path / f"{number}").mkdir()
        for name in "ab":
            (tmp_path / f"{number}" / name).symlink_to(tmp_path / f"{number + 1}")
    with pytest.raises(DataError, match="has more than 2,000"):
        load_dataset(str(tmp_path / "0"))


def test_links_that_multiply_in_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_members, "MOST", 100)
    path = write_tar(tmp_path / "x.tar", image_folder())
    with tarfile.open(path, "a") as added:
        for number in range(40):
            member = tarfile.TarInfo(f"train/cat{number}")
            member.type, member.linkname = tarfile.SYMTYPE, "cat"
            added.addfile(member)
    with pytest.raises(DataError, match=r"x\.tar has more than 100 files"):
        load_dataset(str(path))


def test_files_that_are_too_large_to_be_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_folder(tmp_path / "D", image_folder())
    os.truncate(path / "train/cat/0001.png", 1 << 42)
    with pytest.raises(DataError, match=r"0001\.png has 4,398,046,511,104 bytes, at most"):
        load_dataset(str(path))
    monkeypatch.setattr(archive, "LARGEST_FILE", 5)
    with pytest.raises(DataError, match="at most 5 are read"):
        load_dataset(str(write_tar(tmp_path / "x.tar", image_folder())))


def test_a_terabyte_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match="begins with zeros"):
        load_dataset(str(path))
    write_tar(path, image_folder())
    os.truncate(path, 1 << 40)
    with pytest.raises(DataError, match="there is more behind its end"):
        load_dataset(str(path))
