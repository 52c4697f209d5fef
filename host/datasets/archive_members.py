"""The members of a tar archive, with links followed and sizes checked."""

from __future__ import annotations

import bisect
import posixpath
import tarfile
from pathlib import Path

from fractrain.host.datasets.leftovers import is_hidden, is_leftover
from fractrain.host.datasets.listing import DEEPEST, MOST, Listing, too_deep, too_many
from fractrain.host.datasets.wording import shown
from fractrain.hw.contract.errors import DataError

__all__ = ["Directory", "StrictInfo", "member_name"]

MOST_UNPACKED = 100
FREE_TO_UNPACK = 1 << 30
"""An archive may unpack to so many times its own size, plus so many bytes. Images hardly shrink;
zeros shrink to a thousandth, and reading them would take minutes."""

FLAWS = {
    "empty header": "it ends without the mark of its end",
    "truncated header": "it ends within an entry",
}

LARGEST = 1 << 60
LARGEST_EXTENSION = 1 << 20
EXTENSIONS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)

LONGEST_CHAIN = 40
"""Links that lead to each other, as in Linux."""


class StrictInfo(tarfile.TarInfo):
    """An entry; a damaged or truncated one is an error, where `tarfile` would see the end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> StrictInfo:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(FLAWS.get(str(error), f"an entry has a {error}")) from error

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> StrictInfo:
        info = super().frombuf(buf, encoding, errors)
        # Long names and the like are read as soon as they are met.
        largest = LARGEST_EXTENSION if info.type in EXTENSIONS else LARGEST
        if not 0 <= info.size <= largest:
            raise tarfile.ReadError(f"an entry of {info.size:,} bytes")
        return info


def member_name(member: tarfile.TarInfo) -> str:
    """Relative, without ``.`` and ``..``: an archive's names may begin with ``./`` or ``/``."""
    return posixpath.normpath(f"/{member.name}").lstrip("/")


class Directory:
    """The members of the archive ``path``, which has ``size`` bytes, one after the other."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.limit = FREE_TO_UNPACK + MOST_UNPACKED * size
        self.count = self.unpacked = 0
        self.files: set[str] = set()
        self.folders: set[str] = set()
        self.hidden: set[str] = set()
        self.links: dict[str, str] = {}
        self.unusable: dict[str, str] = {}

    def add(self, member: tarfile.TarInfo) -> None:
        """Add ``member``; `DataError` if the archive gets too large."""
        self.count += 1
        self.unpacked += member.size
        if self.count > MOST:
            raise too_many(self.path, MOST)
        if self.unpacked > self.limit:
            raise DataError(
                f"{shown(self.path)} unpacks to more than {self.limit:,} bytes, "
                f"{shown(member.name)} alone to {member.size:,}: images do not shrink so far"
            )
        name = member_name(member)
        *above, last = name.split("/")
        if len(above) > DEEPEST:
            raise too_deep(self.path, name)
        if any(is_leftover(each, folder=True) for each in above) or not last:
            return
        if is_leftover(last, folder=member.isdir()):
            self.hidden |= {name} if is_hidden(last) else set()
            return
        self.folders.update("/".join(above[:end]) for end in range(1, len(above) + 1))
        self._sort_in(name, member)

    def _sort_in(self, name: str, member: tarfile.TarInfo) -> None:
        """The last of several members of one name counts, as in unpacking."""
        self.files.discard(name)
        self.links.pop(name, None)
        self.unusable.pop(name, None)
        if member.isfile():
            self.files.add(name)
        elif member.isdir():
            self.folders.add(name)
        elif member.islnk():
            self.links[name] = posixpath.normpath(f"/{member.linkname}").lstrip("/")
        elif member.issym():
            folder = posixpath.dirname(name)
            self.links[name] = posixpath.normpath(posixpath.join("/", folder, member.linkname))[1:]
        else:
            self.unusable[name] = "is a device or FIFO, no file"

    def listing(self) -> Listing:
        """All members, with the targets of links."""
        targets = {name: file for name in self.links if (file := self._file(name))}
        names = sorted(self.files | targets.keys())
        for name in self.links.keys() - targets.keys():
            found = self._folder(name, names)
            targets |= {new: targets.get(old, old) for new, old in found.items()}
            if len(targets) > MOST:
                raise too_many(self.path, MOST)
            if found:
                self.folders.add(name)
            else:
                target = shown(self.links[name])
                self.unusable[name] = f"is a link to {target}, no other file or folder in it"
        return Listing(
            tuple(sorted(self.files | targets.keys())),
            tuple(sorted(self.folders)),
            tuple(sorted(self.hidden)),
            dict(sorted(self.unusable.items())),
            targets,
        )

    def _end(self, link: str) -> str:
        """The end of the chain of links from ``link``."""
        for _ in range(LONGEST_CHAIN):
            if link not in self.links:
                break
            link = self.links[link]
        return link

    def _file(self, link: str) -> str | None:
        """The file that ``link`` leads to, if it is a file."""
        end = self._end(link)
        return end if end in self.files else None

    def _folder(self, link: str, names: list[str]) -> dict[str, str]:
        """New names → ``names``, if ``link`` leads to a folder."""
        inside = f"{self._end(link)}/"
        found = {}
        for index in range(bisect.bisect_left(names, inside), len(names)):
            if not names[index].startswith(inside):
                break
            found[f"{link}/{names[index].removeprefix(inside)}"] = names[index]
        return {} if link.startswith(inside) else found  # a folder in itself has no end
