"""Checkpoints: the state of a run, in files with a checksum.

A file is a line of text and an .npz archive behind it, which `numpy.load` reads without pickle:

    fractrain-checkpoint <format> <SHA-256 of the format's digits and the archive, hexadecimal>

Arrays are those of the `TrainerState`; the array ``document`` holds JSON in UTF-8:
``fingerprint`` of the run, ``trainer`` (the state's document) and ``run`` (what the run adds: its
journals among it, as they were then).
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fractrain.host.files.atomic import make_folder, remove_temporaries, write_whole
from fractrain.host.files.regular import read_regular
from fractrain.host.training.trainer import TrainerState
from fractrain.hw.contract.errors import DataError

FORMAT = 2
KEPT = 2
"""Files kept, the newest: one that is damaged leaves another."""

MAGIC = b"fractrain-checkpoint"
DOCUMENT = "document"
SUFFIX = ".checkpoint"
NAME = re.compile(rf"step-([0-9]{{8,18}}){re.escape(SUFFIX)}")


class UnusableError(Exception):
    """A checkpoint that cannot be used; the text says why. It is put aside with the ``suffix``
    when an older one is."""

    suffix = ".unused"


class DamagedError(UnusableError):
    """One whose content is certainly lost."""

    suffix = ".damaged"


@dataclass(frozen=True)
class Checkpoint:
    """A trainer's state after ``state.document["step"]`` steps, and what the run adds to it."""

    state: TrainerState
    run: dict[str, Any]

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.state.document["step"])


def encode(checkpoint: Checkpoint, fingerprint: str) -> bytes:
    """The content of a file."""
    document = {
        "fingerprint": fingerprint,
        "trainer": checkpoint.state.document,
        "run": checkpoint.run,
    }
    text = np.frombuffer(json.dumps(document).encode("utf-8"), np.uint8)
    archive = io.BytesIO()
    arrays: dict[str, Any] = {**checkpoint.state.arrays, DOCUMENT: text}
    np.savez(archive, **arrays)
    body = archive.getvalue()
    version = b"%d" % FORMAT
    return b"%s %s %s\n" % (MAGIC, version, _digest(version, body)) + body


def decode(content: bytes, fingerprint: str) -> Checkpoint:
    """The checkpoint that ``content`` holds.

    Raises `DamagedError` for anything that is not, bit for bit, what `encode` wrote;
    `UnusableError` for an undamaged file of another format, or of a run with another
    ``fingerprint``.
    """
    line, _, body = content.partition(b"\n")
    words = line.split(b" ")
    if len(words) != 3 or words[0] != MAGIC or words[2] != _digest(words[1], body):
        raise DamagedError("its content is not what its SHA-256 says")
    if words[1] != b"%d" % FORMAT:
        raise UnusableError(f"its format is {words[1].decode()!r}, this program reads {FORMAT}")
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        document = json.loads(arrays.pop(DOCUMENT).tobytes())
        state, run = TrainerState(arrays, document["trainer"]), document["run"]
        of_this_run = document["fingerprint"] == fingerprint
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:  # by another hand
        raise DamagedError(f"it holds no checkpoint: {error}") from error
    if not of_this_run:
        raise UnusableError("it is of a run with other options")
    return Checkpoint(state, run)


def _digest(version: bytes, body: bytes) -> bytes:
    digest = hashlib.sha256(version)
    digest.update(body)
    return digest.hexdigest().encode()


class Checkpoints:
    """The checkpoints of one run in ``folder``, for the one process that has the run."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self._fingerprint = folder, fingerprint

    def save(self, checkpoint: Checkpoint) -> None:
        """Write it, durably, and remove all but the newest `KEPT`."""
        make_folder(self.folder)
        path = self.folder / f"step-{checkpoint.step:08d}{SUFFIX}"
        write_whole(path, encode(checkpoint, self._fingerprint))
        for old in self._paths()[KEPT:]:
            with suppress(OSError):  # it takes room, and nothing else
                old.unlink()

    def load(
        self, note: Callable[[str], None], fits: Callable[[Checkpoint], None] = lambda found: None
    ) -> Checkpoint | None:
        """The newest that is undamaged and ``fits``, which raises `UnusableError` for one that
        does not; None if there is none at all, or all that there are are damaged.

        Newer ones are put aside (renamed) if an older one is used or all are damaged, and ``note``
        is told of each. Otherwise nothing is changed, and `DataError` says what is wrong with the
        newest that is not damaged: to begin anew would lose what may still be saved.
        """
        remove_temporaries(self.folder)
        passed: list[tuple[Path, UnusableError]] = []
        found = None
        for path in self._paths():
            try:
                found = self._read(path)
                fits(found)
                break
            except UnusableError as error:
                found = None
                passed.append((path, error))
        for path, reason in passed:
            if found is None and not isinstance(reason, DamagedError):
                raise DataError(
                    f"{path} cannot be used: {reason}; nothing was changed: mend that and try "
                    "again, or train the run anew (--overwrite)"
                ) from reason
        for path, reason in passed:
            note(f"{path} is not used: {reason}{_put_aside(path, reason.suffix)}")
        return found

    def _read(self, path: Path) -> Checkpoint:
        try:
            checkpoint = decode(read_regular(path), self._fingerprint)
        except OSError as error:
            raise UnusableError(f"cannot read it: {error.strerror}") from error
        if checkpoint.step != _step(path):
            raise DamagedError(f"it holds step {checkpoint.step}, not that of its name")
        return checkpoint

    def _paths(self) -> list[Path]:
        """Newest first; `DataError` if the folder cannot be listed."""
        try:
            names = [path for path in self.folder.iterdir() if NAME.fullmatch(path.name)]
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not self.folder.is_symlink():
                return []
            raise DataError(f"cannot read {self.folder}: {error.strerror}") from error
        return sorted(names, key=_step, reverse=True)


def _step(path: Path) -> int:
    """By the file's name."""
    found = NAME.fullmatch(path.name)
    assert found is not None
    return int(found[1])


def _put_aside(path: Path, suffix: str) -> str:
    """Rename it; what the note says of that. What cannot be renamed stays, and is passed over
    again."""
    aside = path.with_name(path.name + suffix)
    try:
        path.replace(aside)
    except OSError:
        return ""
    return f"; it is now {aside.name}"
