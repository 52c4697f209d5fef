"""Which files of a folder are images, of which class, for training or for test."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fractrain.host.datasets.image import FORMATS
from fractrain.host.datasets.image_roots import is_image, parents, place
from fractrain.host.datasets.listing import Listing
from fractrain.host.datasets.splits import split_of
from fractrain.host.datasets.wording import counted, examples, shown
from fractrain.hw.contract.errors import DataError

__all__ = ["Layout", "arrange"]


@dataclass
class Layout:
    """``train``, ``test``: name of an image → its class. The others are names of what is not simply
    an image of a class: outside both folders, in a third one (``val``), in no folder of a class, in
    a folder below it; files that are no images; folders without any."""

    where: str
    root: str
    splits: tuple[str, str]
    train: dict[str, str] = field(default_factory=dict)
    test: dict[str, str] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    third: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    no_images: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def notes(self) -> tuple[str, ...]:
        """What a user may not expect, one line each."""
        train, test = map(shown, self.splits)
        untested = {*self.train.values()} - {*self.test.values()}
        kinds = (
            (self.outside, "image", f"left out, outside {train}/ and {test}/"),
            (self.third, "image", f"left out, as {test}/ is what is tested on"),
            (self.loose, "image", "left out, in no folder of a class"),
            (self.hidden, "image", "left out, hidden by the dot in front of the name"),
            (self.no_images, "file", f"left out, as images are read as {', '.join(FORMATS)}"),
            (self.empty, "folder", "without images, so of no class"),
            (self.nested, "image", "used, of the class that the outermost folder names"),
            (sorted(untested), "class", f"without images in {test}/"),
        )
        return tuple(
            f"{counted(len(names), thing)} {what}: {examples(names)}"
            for names, thing, what in kinds
            if names
        )


def arrange(path: Path, listing: Listing, root: str, names: Sequence[str]) -> Layout:
    """What the data set in the folder ``root`` of ``path`` consists of; ``names`` are its folders
    (`find_roots`).

    ``val`` is tested on where ``test`` has no images in classes, and left out where it has. A class
    is named by its folder, composed (NFC), as macOS decomposes what it copies. Raises `DataError`
    for what cannot be read, and for what is no data set: which folder lacks what.
    """
    where = shown(path / root if root else path)
    layout = Layout(where, root, _choose(where, names, _with_classes(listing, root)))
    for name in listing.files:
        _sort_in(layout, name, root)
    inside = {name: place(f"{name}/", root) for name in (*listing.folders, *listing.unusable)}
    lost = [name for name in listing.unusable if inside[name][0] in layout.splits]
    if lost:
        raise DataError(
            f"{where}: {shown(lost[0])} {listing.unusable[lost[0]]}"
            + (f" (and {len(lost) - 1:,} more cannot be used)" if len(lost) > 1 else "")
            + "; repair it, or remove it from the data set"
        )
    used = {each for name in (*layout.train, *layout.test) for each in parents(name)}
    layout.empty += [
        name
        for name in listing.folders
        if inside[name][0] in layout.splits and len(inside[name][1]) == 2 and name not in used
    ]
    layout.hidden += [
        name for name in listing.hidden if is_image(name) and place(name, root)[0] in layout.splits
    ]
    _check(layout)
    return layout


def _with_classes(listing: Listing, root: str) -> set[str]:
    """Which of train, test and val have images in folders of classes."""
    places = (place(name, root) for name in listing.files if is_image(name))
    return {str(split_of(split)) for split, inside in places if split and len(inside) > 1}


def _choose(where: str, names: Sequence[str], with_classes: set[str]) -> tuple[str, str]:
    """The folder of training images, and the one of the others."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_kind[str(split_of(name))].append(name)
    there = " and ".join(f"{shown(each)}/" for each in names)
    if not by_kind["train"]:
        raise DataError(
            f"{where} has {there}, but no train/: put the images to train on into train/<class>/"
        )
    test = "val" if "test" not in by_kind or with_classes & {"test", "val"} == {"val"} else "test"
    if not by_kind[test]:
        raise DataError(
            f"{where} has {there}, but no test/ (or val/): put the images to measure accuracy on "
            "into test/<class>/"
        )
    for kind in ("train", test):
        if len(by_kind[kind]) > 1:
            both = " and ".join(f"{shown(each)}/" for each in by_kind[kind])
            raise DataError(f"{where} has {both}: one is too many; rename or remove it")
    return by_kind["train"][0], by_kind[test][0]


def _sort_in(layout: Layout, name: str, root: str) -> None:
    split, inside = place(name, root)
    if split not in layout.splits:
        if is_image(name):
            (layout.outside if split is None else layout.third).append(name)
    elif not is_image(name):
        layout.no_images.append(name)
    elif len(inside) == 1:
        layout.loose.append(name)
    else:
        images = layout.train if split == layout.splits[0] else layout.test
        images[name] = unicodedata.normalize("NFC", inside[0])
        layout.nested += [name] if len(inside) > 2 else []


def _check(layout: Layout) -> None:
    """Raise `DataError` for less than two classes, and for one that is not trained."""
    for split, images in zip(layout.splits, (layout.train, layout.test), strict=True):
        if not images:
            raise DataError(
                f"{layout.where}: {_without_classes(layout, split)}; put images into "
                f"{shown(split)}/<class>/"
            )
    classes = sorted({*layout.train.values()})
    if len(classes) == 1:
        raise DataError(
            f"{layout.where}: {shown(layout.splits[0])}/ has one class only, {shown(classes[0])}: "
            "two are needed, or more, each in a folder of its own"
        )
    tested = {*layout.test.values()}
    if unknown := sorted(tested.difference(classes)):
        alike = {each.casefold().strip(): each for each in classes}
        trained = alike.get(unknown[0].casefold().strip())
        raise DataError(
            f"{layout.where}: classes without training images: {examples(unknown)}"
            + (f"; is {unknown[0]!r} to be {trained!r}? rename the folder" if trained else "")
        )
    spelled: dict[str, list[str]] = defaultdict(list)
    for each in classes:
        spelled[each.casefold()].append(each)
    for names in spelled.values():
        if len(names) > 1 and not tested.issuperset(names):
            raise DataError(
                f"{layout.where}: the classes {' and '.join(map(shown, names))} differ in capitals "
                "only, and one of them is not tested: put their images into one folder"
            )


def _without_classes(layout: Layout, split: str) -> str:
    loose = [name for name in layout.loose if place(name, layout.root)[0] == split]
    if loose:
        return f"the images of {shown(split)}/ lie in no folder of a class: {examples(loose)}"
    files = [name for name in layout.no_images if place(name, layout.root)[0] == split]
    if files:
        kinds = ", ".join(FORMATS)
        return f"{shown(split)}/ has no images that are read ({kinds}), but {examples(files)}"
    return f"{shown(split)}/ has no images"
