"""Data sets from folders and archives, and what is wrong with those that are not."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fractrain.host.datasets import load_dataset
from fractrain.host.datasets.dataset import random_flip
from fractrain.hw.contract.errors import DataError, ParameterError
from tests.host.datasets.archives import (
    Files,
    cifar10_binary,
    cifar10_published,
    cifar10_python,
    cifar100_binary,
    cifar100_python,
    image,
    image_folder,
    records,
    write_folder,
    write_tar,
)

Write = Callable[[Path, Files], Path]


def folder(path: Path, files: Files) -> Path:
    return write_folder(path / "unpacked", files)


def gzipped(path: Path, files: Files) -> Path:
    return write_tar(path / "archive.tar.gz", files)


def xz(path: Path, files: Files) -> Path:
    return write_tar(path / "archive.tar.xz", files)


@pytest.mark.parametrize("write", [folder, gzipped, xz])
@pytest.mark.parametrize("make", [cifar10_python, cifar10_published, cifar10_binary])
def test_cifar10(make: Callable[[], Files], write: Write, tmp_path: Path) -> None:
    dataset = load_dataset(str(write(tmp_path, make())))
    assert (dataset.name, dataset.classes, dataset.channels) == ("cifar10", 10, 3)
    assert dataset.crop_padding == 4 and dataset.flip
    train = [records(4, 10, number) for number in range(5)]
    expected = np.concatenate([pixels for pixels, _ in train]).reshape(-1, 3, 32, 32)
    np.testing.assert_array_equal(dataset.train_images, expected)
    np.testing.assert_array_equal(dataset.train_labels, np.concatenate([each for _, each in train]))
    pixels, labels = records(4, 10, 5)
    np.testing.assert_array_equal(dataset.test_images, pixels.reshape(-1, 3, 32, 32))
    np.testing.assert_array_equal(dataset.test_labels, labels)


@pytest.mark.parametrize("make", [cifar100_python, cifar100_binary])
def test_cifar100_has_its_fine_labels(make: Callable[[], Files], tmp_path: Path) -> None:
    dataset = load_dataset(str(gzipped(tmp_path, make())))
    assert (dataset.name, dataset.classes) == ("cifar100", 100)
    np.testing.assert_array_equal(dataset.train_labels, records(6, 100, 0)[1])
    np.testing.assert_array_equal(dataset.test_images.reshape(6, -1), records(6, 100, 1)[0])


def test_the_folder_itself_may_be_given(tmp_path: Path) -> None:
    path = write_folder(tmp_path, cifar10_binary(folder=""))
    assert len(load_dataset(str(path)).train_images) == 20


@pytest.mark.parametrize("write", [folder, gzipped])
@pytest.mark.parametrize("test", ["test", "val"])
def test_image_folder(write: Write, test: str, tmp_path: Path) -> None:
    dataset = load_dataset(str(write(tmp_path, image_folder(test))))
    assert (dataset.classes, dataset.channels) == (2, 3)
    assert dataset.train_images.shape == (6, 3, 6, 8)
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.train_images[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert dataset.test_images[:, 2, 5, 7].tolist() == [100, 110]


def test_test_images_of_a_folder_are_mixed_and_keep_their_classes(tmp_path: Path) -> None:
    """In the order of their names every mini-batch would be of one class."""
    files = image_folder() | {
        f"test/{label}/{number:04}.png": image(np.full((6, 8, 3), value + number, np.uint8))
        for label, value in (("cat", 100), ("dog", 200))
        for number in range(20)
    }
    first, again = (load_dataset(str(folder(tmp_path / each, files))) for each in "ab")
    labels = first.test_labels
    assert sorted(first.test_images[:, 0, 0, 0]) == [*range(100, 120), *range(200, 220)]
    np.testing.assert_array_equal(first.test_images[:, 0, 0, 0] >= 200, labels)
    assert 4 < sum(labels[:20]) < 16
    np.testing.assert_array_equal(again.test_labels, labels)


def test_grey_and_coloured_images(tmp_path: Path) -> None:
    """All grey: one channel; with others: three."""
    grey = {
        f"{split}/{label}/0.png": image(np.full((4, 4), value, np.uint8))
        for split in ("train", "test")
        for value, label in enumerate("ab")
    }
    assert load_dataset(str(folder(tmp_path, grey))).channels == 1
    coloured = grey | {"train/a/1.jpg": image(np.zeros((4, 4, 3), np.uint8), "JPEG")}
    dataset = load_dataset(str(folder(tmp_path, coloured)))
    assert dataset.train_images.shape == (3, 3, 4, 4)
    assert (dataset.train_images[2] == 1).all()


def broken(make: Callable[[], Files], name: str, data: bytes) -> Files:
    files = make()
    assert name in files
    return files | {name: data}


BATCH = "cifar-10-batches-py/data_batch_3"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (broken(cifar10_python, BATCH, b"\x80\x02}q"), f"{BATCH} is no batch of cifar10"),
        (broken(cifar10_python, BATCH, pickle.dumps({})), f"{BATCH} is no batch of cifar10"),
        (broken(cifar10_python, BATCH, b"cos\nsystem\n."), r"refers to os\.system"),
        (
            broken(
                cifar10_python,
                BATCH,
                pickle.dumps({b"data": np.zeros((2, 9), np.uint8), b"labels": [0, 1]}),
            ),
            f"{BATCH} has pixels of shape",
        ),
        (
            broken(cifar10_binary, "cifar-10-batches-bin/test_batch.bin", bytes(3072)),
            r"test_batch\.bin has 3,072 bytes",
        ),
        (
            broken(cifar10_binary, "cifar-10-batches-bin/test_batch.bin", b"\x0a" + bytes(3072)),
            r"test_batch\.bin has labels outside 0\.\.9",
        ),
        (broken(image_folder, "train/cat/0001.png", b"GIF?"), r"0001\.png is not an image"),
        (
            broken(image_folder, "train/cat/0001.png", image_folder()["train/cat/0001.png"][:40]),
            r"0001\.png is not an image",
        ),
        (
            broken(image_folder, "train/dog/0001.png", image(np.zeros((6, 9, 3), np.uint8))),
            r"0001\.png is of 9 x 6 pixels, .* of 8 x 6",
        ),
        (
            broken(image_folder, "train/cat/0001.png", image(np.zeros((6, 8), np.uint16))),
            r"0001\.png has pixels of more than 8 bits",
        ),
        ({**image_folder(), "test/cow/0.png": b""}, "classes without training images: cow"),
        ({"train/cat/0.png": b"", "train/dog/0.png": b""}, r"has train/, but no test/ \(or val/\)"),
        ({"readme.txt": b"", "train/notes.txt": b""}, "has 2 files, but no data set: it takes"),
    ],
)
def test_the_file_that_is_wrong_is_named(files: Files, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(str(folder(tmp_path, files)))


@pytest.mark.parametrize("write", [gzipped, xz])
def test_an_archive_that_is_cut_off(write: Write, tmp_path: Path) -> None:
    path = write(tmp_path, cifar10_python())
    whole = path.read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 40):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=f"{path.name} cannot be read as a tar archive"):
            load_dataset(str(path))


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no archive at all")
    with pytest.raises(DataError, match="file is a text file; give the folder"):
        load_dataset(str(tmp_path / "file"))
    with pytest.raises(ParameterError, match=r"dataset: got 'cifar', allowed: digits, or the path"):
        load_dataset("cifar")
    for name in ("", "x" * 5000):
        with pytest.raises(ParameterError, match="dataset: got"):
            load_dataset(name)


def test_flips_are_by_chance_and_of_whole_images() -> None:
    images = np.arange(2 * 3, dtype=np.uint8).reshape(1, 1, 2, 3).repeat(200, axis=0)
    flipped = random_flip(images, np.random.default_rng(0))
    mirrored = (flipped == images[..., ::-1]).all(axis=(1, 2, 3))
    assert ((flipped == images).all(axis=(1, 2, 3)) != mirrored).all()
    assert 70 < mirrored.sum() < 130
