"""Paths for programs that take no others: make, the shell lines they write, loaders' lists.

A user's folder may have any name. Programs that break on a blank, a quote or a dollar sign get a
folder or a link with a plain name instead, among the temporary files.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fractrain.hw.contract.errors import DataError

__all__ = ["is_plain", "plain_path", "plain_tree", "plain_workspace", "temporary_root"]

PLAIN = re.compile(r"[A-Za-z0-9/._+@-]+")
"""Characters that shells, make, Tcl and the dynamic loader neither quote nor split."""

CANDIDATES = ("/tmp", "/var/tmp", "/dev/shm")
"""Where a plain folder can be made if TMPDIR is none."""


def is_plain(path: Path) -> bool:
    """Whether every program takes the absolute path of ``path``; none of it is a leading dash."""
    text = str(path.absolute())
    return PLAIN.fullmatch(text) is not None and "/-" not in text


@functools.cache
def temporary_root() -> Path:
    """A folder for temporary files with a plain path: TMPDIR, or one of `CANDIDATES`.

    Raises `DataError` if none can be written.
    """
    for name in (tempfile.gettempdir(), *CANDIDATES):
        folder = Path(name)
        if is_plain(folder) and folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return folder.absolute()
    raise DataError(
        f"no folder for temporary files whose path has letters, digits and ._+@- only: TMPDIR and "
        f"{', '.join(CANDIDATES)} cannot be used; set TMPDIR to one"
    )


@contextmanager
def plain_workspace(folder: Path) -> Iterator[Path]:
    """A folder to fill in place of ``folder``, which is empty: itself, if its path is plain.

    Otherwise a temporary one; its content moves to ``folder`` at the end, after a failure, too.
    """
    if is_plain(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="fractrain-", dir=temporary_root()) as temporary:
        try:
            yield Path(temporary)
        finally:
            for entry in Path(temporary).iterdir():
                shutil.move(entry, folder / entry.name)


@functools.cache
def plain_path(path: Path) -> Path:
    """``path``, or a link to it with a plain path, which lasts as long as this process."""
    if is_plain(path):
        return path.absolute()
    # compilers know files by their endings
    ending = path.suffix if PLAIN.fullmatch(path.suffix) else ""
    link = _new_place(ending)
    link.symlink_to(path.absolute())
    return link


@functools.cache
def plain_tree(folder: Path, copied: str) -> Path:
    """As `plain_path`, for a program that looks for the rest of its ``folder`` beside itself,
    through links: its file ``copied``, such as ``bin/program``, is a copy."""
    if is_plain(folder):
        return folder.absolute()
    place = _new_place()
    program = folder / copied
    (place / copied).parent.mkdir(parents=True)
    shutil.copy(program, place / copied)
    for around in program.relative_to(folder).parents:
        for entry in (folder / around).iterdir():
            link = place / around / entry.name
            if not link.exists():
                link.symlink_to(entry.absolute())
    return place


def _new_place(ending: str = "") -> Path:
    """A name that is not there yet, in the folder of this process's links."""
    links = _links()
    return links / f"{len(os.listdir(links))}{ending}"


@functools.cache
def _links() -> Path:
    """The folder of this process's links."""
    folder = Path(tempfile.mkdtemp(prefix="fractrain-links-", dir=temporary_root()))
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # not at the end of a child that has forked
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder
