"""Names of the folders that a data set of images is divided into."""

from __future__ import annotations

__all__ = ["split_of"]

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
}
"""Names of folders, in capitals or not → what is in them."""


def split_of(folder: str) -> str | None:
    """``train``, ``test`` or ``val`` if a folder of that name, without its path, is one of them."""
    return SPLITS.get(folder.casefold())
