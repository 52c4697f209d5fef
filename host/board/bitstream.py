"""The bitstream for the board: its folder, its manifest, and the note of what was loaded since
boot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from fractrain.gen.bitstream_manifest import (
    BITSTREAM_MANIFEST_NAME,
    BitstreamManifest,
    read_bitstream_manifest,
)
from fractrain.host.board.system import System
from fractrain.hw.contract.errors import DataError

__all__ = ["Bitstream", "LoadedNote", "drop_note", "find_bitstream", "read_note", "write_note"]

FIRMWARE = "lib/firmware"
INSTALLED = f"{FIRMWARE}/fractrain"
FOLDER_VARIABLE = "FRACTRAIN_BITSTREAM"
NOTE = "/run/fractrain/loaded.json"
"""In a file system that is empty after every boot, as the FPGA is."""


@dataclass(frozen=True)
class Bitstream:
    """A bitstream in ``folder``, as `gen.bitstream` publishes it."""

    folder: Path
    manifest: BitstreamManifest

    def checked_bin(self) -> bytes:
        """The file for the FPGA manager; `DataError` unless it matches the manifest, bit for
        bit."""
        return self.manifest.content(self.folder, self.manifest.bin_name)

    def describe(self) -> str:
        """What it is, in a line."""
        found = self.manifest
        return (
            f"{found.config}, {found.clock_mhz:g} MHz, build hash {found.build_hash[:8]}, "
            f"{found.tool}"
        )


def find_bitstream(system: System) -> Bitstream:
    """The bitstream in the folder ``FRACTRAIN_BITSTREAM``, else the installed one.

    Raises `DataError` if there is none, or its manifest cannot be read.
    """
    given = system.environment.get(FOLDER_VARIABLE)
    folder = Path(given) if given else system.root / INSTALLED
    path = folder / BITSTREAM_MANIFEST_NAME
    if not path.exists():
        raise DataError(
            f"no bitstream: there is no {path}; `make bitstream` makes the folder, "
            f"board/zynq/install.sh puts it there, and {FOLDER_VARIABLE} names another one"
        )
    return Bitstream(folder, read_bitstream_manifest(path))


@dataclass(frozen=True)
class LoadedNote:
    """The note of what this driver has loaded and set since boot: build hash, and FCLK0 in MHz."""

    build_hash: str
    clock_mhz: float


def read_note(system: System) -> LoadedNote | None:
    """The note; None if there is none, or an unreadable one."""
    try:
        document = json.loads(system.read_text(NOTE))
        return LoadedNote(str(document["build_hash"]), float(document["clock_mhz"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def drop_note(system: System) -> None:
    """Remove the note before anything that may make it wrong: a process that trusts a wrong note
    reads a register that never answers.

    Raises `DataError` if it cannot be removed; the caller must then change nothing.
    """
    try:
        system.remove(NOTE)
    except OSError as error:
        raise DataError(
            f"cannot remove {NOTE}, by which others go: {error.strerror}; run `fractrain board "
            "load` as root"
        ) from error


def write_note(system: System, note: LoadedNote) -> None:
    """Write the note, for users without access to the clock's registers; do nothing without the
    right."""
    try:
        system.replace_text(NOTE, json.dumps(vars(note)) + "\n")
    except OSError:
        pass
