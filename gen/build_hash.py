"""The build hash: identifies the hardware to the host."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from pathlib import Path

from fractrain import hw
from fractrain.hw.contract.parameters import Parameters

__all__ = ["build_hash", "hash_register"]

REGISTER_DIGITS = 8
BOARDS = "targets/boards/"


def build_hash(parameters: Parameters, sources: Path | None = None) -> str:
    """SHA-256, in hex, of everything that determines the hardware:

    the ``parameters``, the Python sources of ``hw`` (or of the folder ``sources``) with
    their relative names, and the version of Amaranth. The boards' files are left out: they say
    what a machine runs on, by its target's name in the parameters, and a new board changes none.
    Each part goes in with its length, so different inputs give different bytes.
    """
    root = sources or Path(str(hw.__file__)).parent
    files = {file.relative_to(root).as_posix(): file for file in root.rglob("*.py")}
    files = {name: file for name, file in files.items() if not name.startswith(BOARDS)}
    digest = hashlib.sha256()
    parts = [
        json.dumps(parameters.to_mapping(), sort_keys=True).encode(),
        importlib.metadata.version("amaranth").encode(),
    ]
    for name in sorted(files):
        parts += [name.encode(), files[name].read_bytes()]
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def hash_register(digest: str) -> int:
    """The 32 bits of ``digest`` that the hardware shows in its BUILD_HASH register."""
    return int(digest[:REGISTER_DIGITS], 16)
