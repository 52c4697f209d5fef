"""Checkpoints: what a run needs to go on, in files that prove to be undamaged.

A file is a line of text and an .npz archive behind it, which `numpy.load` reads without pickle:

    fractrain-checkpoint <format> <SHA-256 of the format's digits and the archive, hexadecimal>

Arrays are those of the `TrainerState`; the array ``document`` holds JSON in UTF-8:
``fingerprint`` of the run, ``trainer`` (the state's document) and ``run`` (what the run adds).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from host.atomic_files import failures_named, remove_temporaries, write_whole
from host.training.trainer import TrainerState
from hw.contract.errors import DataError

FORMAT = 1
KEPT = 2
"""Files kept, the newest: one that is damaged leaves another."""

MAGIC = b"fractrain-checkpoint"
DOCUMENT = "document"
SUFFIX = ".checkpoint"
DAMAGED = ".damaged"


class DamagedError(Exception):
    """A checkpoint that cannot be used; the text says why."""


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

    Raises `DamagedError` for anything that is not, bit for bit, what `encode` wrote for a run of
    this ``fingerprint``; `DataError` for an undamaged file of another format.
    """
    line, _, body = content.partition(b"\n")
    words = line.split(b" ")
    if len(words) != 3 or words[0] != MAGIC or words[2] != _digest(words[1], body):
        raise DamagedError("its content is not what its SHA-256 says")
    if words[1] != b"%d" % FORMAT:
        raise DataError(f"its format is {words[1].decode()!r}, this program reads {FORMAT}")
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        document = json.loads(arrays.pop(DOCUMENT).tobytes())
    except (ValueError, KeyError, zipfile.BadZipFile) as error:  # by another hand, with its hash
        raise DamagedError(f"it holds no checkpoint: {error}") from error
    if document["fingerprint"] != fingerprint:
        raise DamagedError("it is of a run with other options")
    return Checkpoint(TrainerState(arrays, document["trainer"]), document["run"])


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
        with failures_named(self.folder):
            self.folder.mkdir(exist_ok=True)
        path = self.folder / f"step-{checkpoint.step:08d}{SUFFIX}"
        write_whole(path, encode(checkpoint, self._fingerprint))
        with failures_named(self.folder):
            for old in self._paths()[KEPT:]:
                old.unlink()

    def load(self, note: Callable[[str], None], *, last_step: int) -> Checkpoint | None:
        """The newest undamaged one of at most ``last_step`` steps; None if there is none.

        Others that are newer are put aside (renamed), and ``note`` is told of each.
        """
        remove_temporaries(self.folder)
        for path in self._paths():
            try:
                return self._read(path, last_step)
            except DamagedError as error:
                aside = path.with_name(path.name + DAMAGED)
                with failures_named(path):
                    path.replace(aside)
                note(f"{path} is not used: {error}; it is now {aside.name}")
        return None

    def _read(self, path: Path, last_step: int) -> Checkpoint:
        try:
            checkpoint = decode(path.read_bytes(), self._fingerprint)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
        if checkpoint.step > last_step:
            raise DamagedError(f"it is at step {checkpoint.step}, the log ends at {last_step}")
        return checkpoint

    def _paths(self) -> list[Path]:
        """Newest first."""
        return sorted(self.folder.glob(f"step-*{SUFFIX}"), reverse=True)
