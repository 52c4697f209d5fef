"""Folders of images as people have them: leftovers, links, other names; nothing is lost unsaid."""

import os
import re
import tarfile
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fractrain.host.datasets import Dataset, image_folder, load_dataset
from fractrain.hw.contract.errors import DataError
from tests.host.datasets.archives import Files, write_folder, write_tar
from tests.host.datasets.archives import image_folder as good_images

GOOD = good_images()
PIXELS = GOOD["train/cat/0000.png"]


def as_folder(path: Path, files: Files) -> Path:
    return write_folder(path / "set", files)


def as_archive(path: Path, files: Files) -> Path:
    path.mkdir(exist_ok=True)
    return write_tar(path / "set.tar.gz", files)


WRITES = (as_folder, as_archive)
Write = Callable[[Path, Files], Path]


def same(dataset: Dataset, expected: Dataset) -> bool:
    names = ("train_images", "train_labels", "test_images", "test_labels")
    return dataset.classes == expected.classes and all(
        np.array_equal(getattr(dataset, name), getattr(expected, name)) for name in names
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_dataset(str(as_folder(tmp_path_factory.mktemp("good"), GOOD)))


LEFTOVERS = (
    *("._0000.png", ".DS_Store", "Thumbs.db", "thumbs.DB", "desktop.ini", "Icon\r", "0000.png~"),
    *("#0000.png#", "~$0000.png", ".0000.png.swp", ".gitkeep", ".directory"),
    *("__MACOSX/._0.png", ".ipynb_checkpoints/0-checkpoint.png", "@eaDir/0.png", ".git/0.png"),
    *("lost+found/0.png", "$RECYCLE.BIN/0.png", "System Volume Information/0.png"),
    *(".Trash-0/0.png", "__pycache__/0.png", ".cat/0.png"),
)


@pytest.mark.parametrize("place", ["", "train/", "test/", "train/cat/"])
@pytest.mark.parametrize("write", WRITES)
def test_leftovers_are_no_data(write: Write, place: str, expected: Dataset, tmp_path: Path) -> None:
    files = GOOD | {f"{place}{name}": PIXELS for name in LEFTOVERS}
    files |= {f"__MACOSX/{place}._{number}.png": b"\0\5\x16\7" for number in range(3)}
    dataset = load_dataset(str(write(tmp_path, files)))
    assert same(dataset, expected)
    assert dataset.notes == ()


TOLD = {
    "train/cat/.9.png": "1 image left out, hidden by the dot .*: train/cat/.9.png",
    "train/9.png": "1 image left out, in no folder of a class: train/9.png",
    "test/9.PNG": "1 image left out, in no folder of a class: test/9.PNG",
    "9.png": "1 image left out, outside train/ and test/: 9.png",
    "cat/9.png": "1 image left out, outside train/ and test/: cat/9.png",
    "val/cat/9.png": "1 image left out, as test/ is what is tested on: val/cat/9.png",
    "valid/cat/9.png": "1 image left out, as test/ is what is tested on: valid/cat/9.png",
    "train/cat/labels.csv": "1 file left out, as images are read as JPEG, .*: train/cat/labels.csv",
    "train/cat/9.heic": "1 file left out, as images are read as JPEG, .*: train/cat/9.heic",
    "test/9.npy": "1 file left out, as images are read as JPEG, .*: test/9.npy",
    "train/cat/9": "1 file left out, as images are read as JPEG, .*: train/cat/9",
    "train/cow/cow.txt": "1 folder without images, so of no class: train/cow",
}


@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("write", WRITES)
def test_what_is_left_out_is_told(
    write: Write, name: str, expected: Dataset, tmp_path: Path
) -> None:
    dataset = load_dataset(str(write(tmp_path, GOOD | {name: PIXELS})))
    assert same(dataset, expected)
    assert any(re.fullmatch(TOLD[name], note) for note in dataset.notes)
    assert len(dataset.notes) == 1 + (name == "train/cow/cow.txt")


def test_a_note_counts_and_names_one(tmp_path: Path) -> None:
    files = GOOD | {f"train/cat/{number}.xyz": b"" for number in range(1200)}
    (note,) = load_dataset(str(as_folder(tmp_path, files))).notes
    assert note.startswith("1,200 files left out") and note.endswith(
        "train/cat/0.xyz and 1,199 more"
    )


@pytest.mark.parametrize("write", WRITES)
def test_an_empty_folder_of_a_class_is_told(write: Write, tmp_path: Path) -> None:
    path = write(tmp_path, GOOD | {"train/cow/more/x.txt": b""})
    assert any("without images" in note for note in load_dataset(str(path)).notes)
    if path.is_dir():
        (path / "train/horse").mkdir()
        notes = load_dataset(str(path)).notes
        assert "2 folders without images, so of no class: train/cow and 1 more" in notes


@pytest.mark.parametrize("write", WRITES)
def test_folders_inside_a_class_are_used(write: Write, tmp_path: Path) -> None:
    nested = {name.replace("cat/", "cat/more/and more/"): data for name, data in GOOD.items()}
    dataset = load_dataset(str(write(tmp_path, nested)))
    assert dataset.classes == 2 and len(dataset.train_images) == 6
    assert dataset.notes == (
        "4 images used, of the class that the outermost folder names: "
        "test/cat/more/and more/0000.png and 3 more",
    )


@pytest.mark.parametrize("write", WRITES)
def test_a_class_that_is_not_tested_is_told(write: Write, tmp_path: Path) -> None:
    files = {name: data for name, data in GOOD.items() if not name.startswith("test/dog")}
    assert load_dataset(str(write(tmp_path, files))).notes == (
        "1 class without images in test/: dog",
    )
    files |= {"train/cow/0.png": PIXELS}
    assert load_dataset(str(write(tmp_path / "more", files))).notes == (
        "2 classes without images in test/: cow and 1 more",
    )


@pytest.mark.parametrize(
    ("train", "test"),
    [("Train", "TEST"), ("training", "testing"), ("TRAINING", "valid"), ("train", "Validation")],
)
@pytest.mark.parametrize("root", ["", "data/", "train/", "test/images/"])
def test_names_of_the_two_folders(
    train: str, test: str, root: str, expected: Dataset, tmp_path: Path
) -> None:
    new = {"train": train, "test": test}
    files = {
        f"{root}{new[name.partition('/')[0]]}/{name.partition('/')[2]}": data
        for name, data in GOOD.items()
    }
    dataset = load_dataset(str(as_folder(tmp_path, files)))
    assert same(dataset, expected) and dataset.notes == ()


def test_classes_may_be_called_like_the_two_folders(tmp_path: Path) -> None:
    files = {
        f"{split}/{label}/{number}.png": PIXELS
        for split in ("train", "test")
        for label in ("train", "test", "val")
        for number in range(2)
    }
    dataset = load_dataset(str(as_folder(tmp_path, files)))
    assert (dataset.classes, dataset.notes) == (3, ())


def test_lists_called_train_and_test_are_no_batches(expected: Dataset, tmp_path: Path) -> None:
    lists = {f"splits/{name}": b"cat/0000.png" for name in ("train", "test")}
    assert same(load_dataset(str(as_folder(tmp_path, GOOD | lists))), expected)


def test_val_is_tested_on_where_test_has_no_classes(tmp_path: Path) -> None:
    """As competitions give it: the answers to test/ are not there."""
    files = {name.replace("test/", "valid/"): data for name, data in GOOD.items()}
    dataset = load_dataset(str(as_folder(tmp_path, files | {"test/1.png": PIXELS})))
    assert len(dataset.test_images) == 2
    assert dataset.notes == ("1 image left out, as valid/ is what is tested on: test/1.png",)


def test_classes_that_differ_in_capitals_only_and_are_tested(tmp_path: Path) -> None:
    """Letters, for example."""
    files = {f"{split}/{label}/0.png": PIXELS for split in ("train", "test") for label in "aA"}
    assert load_dataset(str(as_folder(tmp_path, files))).classes == 2


@pytest.mark.parametrize("write", WRITES)
def test_names_composed_and_decomposed_are_the_same(write: Write, tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    files = {
        f"train/{composed}/0.png": PIXELS,
        f"train/{decomposed}/1.png": PIXELS,
        f"test/{decomposed}/0.png": PIXELS,
        "train/tea/0.png": PIXELS,
        "test/tea/0.png": PIXELS,
    }
    dataset = load_dataset(str(write(tmp_path, files)))
    assert (dataset.classes, dataset.notes) == (2, ())
    assert dataset.train_labels.tolist() == [0, 0, 1]


def test_links_in_a_folder_are_followed(expected: Dataset, tmp_path: Path) -> None:
    elsewhere = write_folder(tmp_path / "elsewhere", GOOD)
    path = tmp_path / "set"
    for folder in ("train", "test/dog"):
        (path / folder).mkdir(parents=True)
    (path / "train/cat").symlink_to(elsewhere / "train/cat")
    (path / "train/dog").symlink_to("../../elsewhere/train/dog")
    (path / "test/cat").symlink_to(elsewhere / "test/cat")
    (path / "test/dog/0000.png").symlink_to(elsewhere / "test/dog/0000.png")
    assert same(load_dataset(str(path)), expected)
    (tmp_path / "again").mkdir()
    for split in ("train", "test"):
        (tmp_path / "again" / split).symlink_to(path / split)
    (tmp_path / "link").symlink_to("again")
    dataset = load_dataset(str(tmp_path / "link"))
    assert same(dataset, expected)
    assert (dataset.name, dataset.notes) == ("link", ())


@pytest.mark.parametrize("ending", ["tar", "gz", "bz2", "xz"])
def test_links_in_an_archive_are_followed(ending: str, expected: Dataset, tmp_path: Path) -> None:
    """To files before and behind them, to folders, by way of each other."""
    path = tmp_path / f"set.{ending}"
    stored = {f"elsewhere/{name}": data for name, data in GOOD.items()}
    for old, new in (("/train/", "/A/"), ("/test/", "/B/")):
        stored = {name.replace(old, new): data for name, data in stored.items()}
    write_folder(tmp_path / "all", stored)
    links = {
        "train/cat": "../elsewhere/A/cat",
        "train/dog/0000.png": "../../elsewhere/A/dog/0000.png",
        "train/dog/0001.png": "0003.png",
        "train/dog/0003.png": "../../elsewhere/A/dog/0001.png",
        "test": "elsewhere/./B",
    }
    hard = {"train/dog/0002.png": "elsewhere/A/dog/0002.png"}
    with tarfile.open(path, f"w:{ending.removeprefix('tar')}") as archive:  # type: ignore[call-overload]
        for name, target in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
        archive.add(tmp_path / "all", ".")
        for name, target in hard.items():
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.linkname = tarfile.LNKTYPE, f"./{target}"
            archive.addfile(member)
    dataset = load_dataset(str(path))
    assert dataset.train_images[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12, 11]
    assert np.array_equal(dataset.train_images[:6], expected.train_images)
    assert np.array_equal(dataset.test_images, expected.test_images)
    assert len(dataset.notes) == 1 and "8 images left out, outside" in dataset.notes[0]


@pytest.fixture
def readable_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)
        for folder, *_ in os.walk(name):
            os.chmod(folder, 0o755)


@pytest.mark.parametrize("place", ["", "train", "test", "train/cat", "train/cat/0001.png"])
def test_without_the_right_to_read(place: str, readable_folder: Path) -> None:
    path = as_folder(readable_folder, GOOD)
    os.chmod(path / place, 0o000)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # nobody: root may read everything
    try:
        with pytest.raises(DataError, match=rf"{place}.*: Permission denied"):
            load_dataset(str(path))
    finally:
        if root:
            os.seteuid(0)
        os.chmod(path / place, 0o755)


def test_more_images_than_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = as_folder(tmp_path, GOOD)
    sizes = {"SC_PHYS_PAGES": 1, "SC_PAGE_SIZE": 2303}
    monkeypatch.setattr(image_folder.os, "sysconf", sizes.__getitem__)
    with pytest.raises(DataError, match="has 8 images of 8 x 6 pixels, which need .* of memory"):
        load_dataset(str(path))
    sizes["SC_PAGE_SIZE"] = 2304  # 8 images of 144 bytes, twice
    load_dataset(str(path))


@pytest.mark.parametrize(
    ("given", "name"),
    [("set.v1", "set.v1"), (".data", ".data"), ("set.tar.gz", "set"), ("set.tgz", "set"),
     ("set.tar", "set"), ("a.b.tar.xz", "a.b"), ("a\nb", "a\\nb")],
)  # fmt: skip
def test_its_name(given: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / given
    if given.endswith((".tar", "gz", "xz")):
        write_tar(tmp_path / "x.tar", GOOD).rename(path)
    else:
        write_folder(path, GOOD)
    assert load_dataset(str(path)).name == name


def test_its_name_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = as_folder(tmp_path, GOOD)
    monkeypatch.chdir(path)
    assert load_dataset(".").name == "set"
    assert load_dataset("train/..").name == "set"
