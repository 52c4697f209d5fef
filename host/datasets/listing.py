"""The content of a folder: files by name, links followed; unusable entries with reasons."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fractrain.host.datasets.leftovers import is_hidden, is_leftover
from fractrain.host.datasets.splits import split_of
from fractrain.host.datasets.wording import cause, shown
from fractrain.hw.contract.errors import DataError

__all__ = ["DEEPEST", "MOST", "Listing", "list_folder", "too_deep", "too_many"]

MOST = 3_000_000
"""Files and folders of a data set: ImageNet has 1.3 million. All images are kept in memory."""

DEEPEST = 64
"""Folders inside each other."""

MOST_OUTSIDE = 100_000
"""Files outside folders like ``train``: a path such as ``/`` is refused early."""


@dataclass(frozen=True)
class Listing:
    """Names relative to a folder or inside an archive, with ``/``.

    ``files``: regular files, sorted; ``folders``: likewise. ``hidden``: excluded names with a dot
    in front, without AppleDouble's files. ``unusable``: name → reason, for anything that is neither
    file nor folder, or cannot be reached. ``targets``: links inside an archive → their members.
    Leftovers (`is_leftover`) are in ``hidden`` only.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)


def list_folder(root: Path) -> Listing:
    """Everything below ``root``. Raises `DataError` if it cannot be read, is unreasonably large or
    deep, or has too many other files."""
    found = _Found(root)
    while found.waiting:
        found.look_into(*found.waiting.popleft())
    return Listing(
        tuple(sorted(found.files)),
        tuple(sorted(found.folders)),
        tuple(sorted(found.hidden)),
        dict(sorted(found.unusable.items())),
    )


Identities = tuple[tuple[int, int], ...]


class _Found:
    """Results so far of a search level by level."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[str] = []
        self.folders: list[str] = []
        self.hidden: list[str] = []
        self.unusable: dict[str, str] = {}
        self.count = self.outside = 0
        # A folder with the identities of all above it, which a link may not lead to, and whether it
        # is, or is in, one like train.
        self.waiting: deque[tuple[str, Identities, bool]] = deque([("", (), False)])

    def look_into(self, folder: str, above: Identities, inside: bool) -> None:
        """Add what is in ``folder``."""
        path = self.root / folder
        try:
            state = path.stat()
            identity = (state.st_dev, state.st_ino)
            if identity in above:
                self.unusable[folder] = "is a link to a folder above it"
                return
            with os.scandir(path) as entries:
                for entry in entries:
                    self.count += 1
                    self.outside += not inside
                    if self.outside > MOST_OUTSIDE:
                        raise too_many(self.root, MOST_OUTSIDE, " beside train/ and test/")
                    if self.count > MOST:
                        raise too_many(self.root, MOST)
                    self._add(folder, entry, (*above, identity), inside)
        except OSError as error:
            if not folder:
                raise DataError(f"cannot read {shown(path)}: {cause(error)}") from error
            self.unusable[folder] = f"cannot be read: {cause(error)}"
            return
        if folder:
            self.folders.append(folder)

    def _add(self, folder: str, entry: os.DirEntry[str], above: Identities, inside: bool) -> None:
        name = f"{folder}/{entry.name}" if folder else entry.name
        if is_leftover(entry.name, folder=True):
            self.hidden += [name] if is_hidden(entry.name) else []
            return
        try:
            if entry.is_dir():
                if len(above) > DEEPEST:
                    raise too_deep(self.root, name)
                self.waiting.append((name, above, inside or split_of(entry.name) is not None))
            elif is_leftover(entry.name):
                return
            elif entry.is_file():
                self.files.append(name)
            else:
                self.unusable[name] = _why(entry)
        except OSError as error:
            self.unusable[name] = f"cannot be reached: {cause(error)}"


def too_many(path: Path, count: int, beside: str = "") -> DataError:
    """For a folder or archive ``path`` that has more than ``count`` files."""
    return DataError(
        f"{shown(path)} has more than {count:,} files and folders{beside}: too many for a "
        "data set; give the folder of the data set itself"
    )


def too_deep(path: Path, name: str) -> DataError:
    """For a folder or archive ``path`` with more than `DEEPEST` folders in each other."""
    return DataError(
        f"{shown(path)}: {shown(name)} is more than {DEEPEST} folders deep, too deep for a data "
        "set: remove it, or give another folder"
    )


def _why(entry: os.DirEntry[str]) -> str:
    """Why ``entry`` is neither file nor folder."""
    kinds = {
        stat.S_ISFIFO: "is a FIFO, no file",
        stat.S_ISSOCK: "is a socket, no file",
        stat.S_ISBLK: "is a device, no file",
        stat.S_ISCHR: "is a device, no file",
    }
    try:
        mode = entry.stat().st_mode
    except FileNotFoundError:
        return f"is a link to {shown(os.readlink(entry.path))}, which is not there"
    except OSError as error:
        return f"is a link that leads nowhere: {cause(error)}"
    return next((text for fits, text in kinds.items() if fits(mode)), "is no file")
