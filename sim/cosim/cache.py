"""A cache of compiled simulations, one folder for each content hash."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fractrain.hw.contract.errors import DataError
from fractrain.sim.progress import activity


def build_root() -> Path:
    """Folder of everything that is generated: ``$FRACTRAIN_BUILD``, else ``build``.

    ``build`` is that of the project if this file lies in a checkout (whatever the current
    directory), else that of the current directory.
    """
    if configured := os.environ.get("FRACTRAIN_BUILD"):
        return Path(configured).absolute()
    checkout = Path(__file__).resolve().parents[2]
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / "build"


def content_hash(*parts: str) -> str:
    """Hash of ``parts``; no two different lists of parts share one by mere concatenation."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:24]


def cached_folder(root: Path, key: str, build: Callable[[Path], None]) -> Path:
    """The folder ``root/key``, made by ``build`` if it is not there yet.

    ``build`` gets an empty folder to fill. It only takes its final name once ``build`` has
    returned, so a build that fails, or is killed, leaves nothing that looks complete. Of two
    processes that want the same key at once, one builds and the other waits. An absolute
    path inside the folder is wrong after the renaming: ``build`` must not leave any that matter.

    Raises `DataError` if nothing can be written to ``root``.
    """
    final = root / key
    if final.is_dir():
        return final
    _make_writable(root)
    _sweep(root)
    with _locked(root / f"{key}.lock"):
        if not final.is_dir():
            partial = root / f"{key}.partial"
            shutil.rmtree(partial, ignore_errors=True)  # it failed, and nobody swept it since
            partial.mkdir()
            build(partial)
            partial.rename(final)
    return final


def _make_writable(root: Path) -> None:
    """Make the folder ``root``; `DataError` that names it if nothing can be written there."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=root).close()
    except OSError as error:
        raise DataError(
            f"cannot write to the build folder {root}: {error.strerror}; "
            "set FRACTRAIN_BUILD to a folder that can be written"
        ) from error


def _sweep(root: Path) -> None:
    """Remove what killed or failed builds left behind, of any key: it can be 150 MB each."""
    for partial in root.glob("*.partial"):
        with partial.with_suffix(".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # somebody is at it
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; the kernel releases it when the process ends, however it ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with activity("waiting for another process that makes the same"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
