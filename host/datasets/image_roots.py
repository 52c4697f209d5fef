"""Finds a data set of images in a tree of folders: ``train`` beside ``test`` or ``val``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from fractrain.host.datasets.image import EXTENSIONS
from fractrain.host.datasets.listing import Listing
from fractrain.host.datasets.splits import split_of

__all__ = ["find_roots", "is_image", "parents", "place"]


def is_image(name: str) -> bool:
    """Whether a file is taken for an image, by the end of its name."""
    stem, _, extension = name.rpartition("/")[2].rpartition(".")
    return bool(stem) and extension.casefold() in EXTENSIONS


def parents(name: str) -> list[str]:
    """All folders above ``name``, the outermost first."""
    parts = name.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def place(name: str, root: str) -> tuple[str | None, list[str]]:
    """In which split of ``root`` the file ``name`` is, and its path from there; None if in none."""
    inside = name.removeprefix(f"{root}/") if root else name
    split, *rest = inside.split("/")
    return (
        (split, rest) if rest and split_of(split) and (inside != name or not root) else (None, [])
    )


def find_roots(listing: Listing) -> dict[str, list[str]]:
    """Folders that hold a data set → their folders ``train``, ``test``, ``val``, as spelled.

    Those with ``train`` and one of the others; if there is none, those with any. Without images
    below, it is none. Of data sets inside each other, the outermost.
    """
    folders = {name.rpartition("/")[0] for name in listing.files if is_image(name)}
    used = {each for folder in (*folders, *listing.unusable) for each in parents(f"{folder}/")}
    roots: dict[str, list[str]] = defaultdict(list)
    for name in sorted({*listing.folders, *listing.unusable}):
        root, _, last = name.rpartition("/")
        if split_of(last):
            roots[root].append(last)
    found = {
        root: names for root, names in roots.items() if used & {_join(root, each) for each in names}
    }
    found = {root: names for root, names in found.items() if _is_complete(names)} or found
    inside = {_join(root, name) for root, names in found.items() for name in names}
    return {root: names for root, names in found.items() if not inside & {root, *parents(root)}}


def _is_complete(names: Sequence[str]) -> bool:
    kinds = {split_of(name) for name in names}
    return "train" in kinds and len(kinds) > 1


def _join(root: str, name: str) -> str:
    return f"{root}/{name}" if root else name
