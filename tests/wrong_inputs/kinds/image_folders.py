"""Folders of images that are not laid out as a data set, or cannot be read."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.host.datasets.archives import Files, cifar10_binary, image_folder, write_folder
from tests.wrong_inputs.wrong_input import WrongInput

TRAIN = ("train", "--steps", "1", "--batch", "4", "--dataset")

GOOD = image_folder()
PIXELS = GOOD["train/cat/0000.png"]


def wrong_inputs() -> Iterator[WrongInput]:
    yield from splits()
    yield from classes()
    yield from places()
    yield from several()
    yield from unusable()


def case(
    name: str, files: Files, says: str, more: Callable[[Path], object] = lambda folder: None
) -> WrongInput:
    def prepare(folder: Path) -> None:
        write_folder(folder / "D", files)
        more(folder / "D")

    return WrongInput(name, (*TRAIN, "D"), says, 3, prepare)


def renamed(old: str, new: str) -> Files:
    """The good data set with folder ``old`` called ``new``; nothing for none at all."""
    kept = {name: data for name, data in GOOD.items() if f"{old}/" not in name}
    moved = {name: data for name, data in GOOD.items() if f"{old}/" in name}
    return kept | {name.replace(f"{old}/", f"{new}/"): moved[name] for name in moved if new}


def splits() -> Iterator[WrongInput]:
    for split, other in (("train", "test"), ("test", "train")):
        for new in ("", f"{split}s", f"my-{split}"):
            yield case(
                f"no {split}, {new or 'nothing'} instead", renamed(split, new), f"no {split}/"
            )
        for twin in (split.capitalize(), split.upper(), f"{split}ing"):
            files = GOOD | {f"{twin}/cat/0.png": PIXELS}
            yield case(f"{split} and {twin}", files, f"{twin}/.*one is too many")
        loose = {f"{split}/{number}.png": PIXELS for number in range(3)}
        files = {name: data for name, data in GOOD.items() if name.startswith(other)} | loose
        yield case(f"{split} without classes", files, f"images of {split}/ lie in no folder")
        for extension in ("avif", "heic", "npy", "txt"):
            files = {
                name.replace(".png", f".{extension}") if name.startswith(split) else name: data
                for name, data in GOOD.items()
            }
            says = rf"{split}/ has no images .*\.{extension}"
            yield case(f"{split} of {extension} only", files, says)
    files = renamed("test", "val") | {"valid/cat/0.png": PIXELS}
    yield case("val and valid without test", files, "val/ and valid/: one is too many")


def classes() -> Iterator[WrongInput]:
    for label in ("cat", "dog"):
        yield case(f"{label} only", renamed(label, ""), "has one class only")
        yield case(f"no {label} to train", renamed(f"train/{label}", ""), "has one class only")
    for label in ("cow", "Cat", "cat ", "CAT", "ca\u0301t", "線", "a\nb"):
        files = GOOD | {f"test/{label}/0.png": PIXELS}
        hint = "to be 'cat'" if label.strip().casefold() == "cat" else ""
        yield case(f"test of {label!r}", files, f"classes without training images: .*{hint}")
    for twin in ("Cat", "CAT"):
        files = GOOD | {f"train/{twin}/0.png": PIXELS}
        yield case(f"cat and {twin} to train", files, f"{twin} and cat differ in capitals only")


def places() -> Iterator[WrongInput]:
    for part in ("train", "test", "train/cat"):
        yield WrongInput(
            f"only {part} given",
            (*TRAIN, f"D/{part}"),
            "part of a data set; give the folder above",
            3,
            lambda folder: write_folder(folder / "D", GOOD),
        )
    for prefix in ("", "cat/", "images/cat/"):
        files = {f"{prefix}{number}.png": PIXELS for number in range(3)}
        yield case(f"images in {prefix or 'itself'}", files, "3 images, but not in train/<class>/")
    for name in ("a.zip", "cifar-10-python.tar.gz", "x/y.7z", "images.NPZ", "data.parquet"):
        yield case(f"only {name}", {name: b"x"}, f"holds {name.partition('.')[0]}")
    for name in (".hidden/train/cat/0.png", "__MACOSX/train/cat/0.png", ".0.png", "Thumbs.db"):
        yield case(f"only {name}", {name: PIXELS}, "has no files")


def several() -> Iterator[WrongInput]:
    for first, second in (("fold1", "fold2"), ("a/b", "c"), ("x", "x y"), ("Fold", "fold")):
        files = {f"{root}/{name}": data for root in (first, second) for name, data in GOOD.items()}
        says = f"several data sets, in {min(first, second)}/ and {max(first, second)}/: give"
        yield case(f"two in {first} and {second}", files, says)
    files = {f"fold{number}/{name}": data for number in range(9) for name, data in GOOD.items()}
    yield case("nine folds", files, "several data sets, .* and 6 more")
    yield case("images beside CIFAR", GOOD | cifar10_binary(), "several data sets, in .*CIFAR-10")


def unusable() -> Iterator[WrongInput]:
    def link(place: str, target: str) -> Callable[[Path], object]:
        return lambda folder: (folder / place).symlink_to(target)

    def listen(place: str) -> Callable[[Path], object]:
        def make(folder: Path) -> None:
            # By a relative path: that of a socket may have 107 bytes.
            with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as listening:
                listening.bind(place)

        return make

    for place in ("train/cat/5.png", "train/cow", "test/dog/5.png", "test/cow", "valid"):
        kept = renamed("test", "") if place == "valid" else GOOD
        yield case(f"{place}: nowhere", kept, f"{place} is a link to gone", link(place, "gone"))
        itself = place.rpartition("/")[2]
        yield case(f"{place}: itself", kept, f"{place} .*symbolic links", link(place, itself))
        yield case(f"{place}: device", kept, f"{place} is a device", link(place, "/dev/zero"))
        if "/" in place:
            above = link(place, "..")
            yield case(f"{place}: above", kept, f"{place} is a link to a folder above it", above)
        fifo = "is a FIFO"
        yield case(
            f"{place}: FIFO", kept, fifo, lambda folder, place=place: os.mkfifo(folder / place)
        )
        yield case(f"{place}: socket", kept, "is a socket", listen(place))
    deep = "/".join(["d"] * 70)
    yield case("70 folders deep", GOOD | {f"train/cat/{deep}/0.png": PIXELS}, "64 folders deep")
    cycle = link("train/cat/round", "../../test/round")
    back = link("test/round", "../train/cat")
    yield case(
        "links in a circle",
        GOOD,
        "is a link to a folder above it|symbolic links",
        lambda folder: (cycle(folder), back(folder)),
    )
