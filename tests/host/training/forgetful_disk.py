"""A disk that keeps nothing that it was not told to keep, as the rules of POSIX allow it.

A file's content is durable once the file was synced, a name once its folder was. What a power
failure leaves is one of many things; `ForgetfulDisk.left` gives the two extremes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ["ForgetfulDisk"]

Names = dict[str, int]


class ForgetfulDisk:
    """Everything in the folder ``root``; ``failing`` is called wherever power might fail."""

    def __init__(self, root: Path, failing: Callable[[], None]) -> None:
        self.root, self._failing = root, failing
        self._content: dict[int, bytes] = {}
        self._names: dict[int, Names] = {}
        self._links: dict[int, str] = {}
        self._held: list[int] = []
        self._looking = False
        self._remember(root)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """In the block it is noted what is made durable."""
        with (
            mock.patch.object(os, "fsync", self._fsync),
            mock.patch.multiple(
                os,
                replace=self._changing(os.replace),
                unlink=self._changing(os.unlink),
                truncate=self._changing(os.truncate),
            ),
        ):
            try:
                yield
            finally:
                for descriptor in self._held:
                    os.close(descriptor)

    def left(self, into: Path, *, all_names: bool) -> None:
        """Make the folder ``into`` what a power failure leaves now: no content but what was synced,
        and of the names either only those that were synced, or all (a disk may well write a name
        before what it names)."""
        self._copy(self.root, self.root.stat().st_ino, into, all_names)

    # -- what is noted -------------------------------------------------------------------------

    def _fsync(self, descriptor: int) -> None:
        self.look()
        self._held.append(os.dup(descriptor))  # its inode's number is not given to another file
        self._remember(Path(f"/proc/self/fd/{descriptor}").resolve())
        self.look()

    def _changing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **named: Any) -> Any:
            result = call(*arguments, **named)
            self.look()
            return result

        return changed

    def look(self) -> None:
        """Power might fail now; not while it is looked at what that would leave."""
        if not self._looking:
            self._looking = True
            self._failing()
            self._looking = False

    def _remember(self, path: Path) -> None:
        number = path.stat().st_ino
        if path.is_dir():
            self._names[number] = self._listed(path)
        else:
            self._content[number] = path.read_bytes()

    def _listed(self, folder: Path) -> Names:
        """Names now; the inode of a link says where it points, which is durable with its name."""
        names = {}
        for entry in list(os.scandir(folder)):
            names[entry.name] = entry.inode()
            if entry.is_symlink():
                self._links[entry.inode()] = os.readlink(entry.path)
        return names

    # -- what is left --------------------------------------------------------------------------

    def _copy(self, now: Path, number: int, into: Path, all_names: bool) -> None:
        into.mkdir()
        names = dict(self._names.get(number, {}))
        if all_names and now.is_dir():
            names = self._listed(now)
        for name, inode in names.items():
            place, target = now / name, into / name
            if inode in self._links:
                target.symlink_to(self._links[inode])
            elif inode in self._names or _is_folder(place, inode):
                self._copy(place, inode, target, all_names)
            else:
                target.write_bytes(self._content.get(inode, b""))


def _is_folder(path: Path, number: int) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return found.st_ino == number and stat.S_ISDIR(found.st_mode)
