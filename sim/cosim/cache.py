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

    ``build`` is in the checkout if this file lies in one (whatever the current directory), else in
    the current directory.
    """
    if configured := os.environ.get("FRACTRAIN_BUILD"):
        return Path(configured).absolute()
    checkout = Path(__file__).resolve().parents[2]
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / "build"


def content_hash(*parts: str) -> str:
    """Hash of ``parts``; it tells lists with the same concatenation apart."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:24]


def cached_folder(root: Path, key: str, build: Callable[[Path], None]) -> Path:
    """The folder ``root/key``, made by ``build`` if it is not there yet.

    ``build`` gets an empty folder to fill. The folder takes its final name when ``build`` has
    returned, so a build that fails, or is killed, leaves nothing that looks complete. If two
    processes want the same key at once, one builds and the other waits. The renaming breaks
    absolute paths inside the folder: ``build`` must not leave any that matter.

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
            shutil.rmtree(partial, ignore_errors=True)  # left by a build that failed
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
    """Remove the remains of killed or failed builds of any key, up to 150 MB each."""
    for partial in root.glob("*.partial"):
        with partial.with_suffix(".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # another process builds it
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; the kernel releases it however the process ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with activity("waiting for another process that makes the same"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
