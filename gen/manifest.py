"""The manifest of a build: what was generated, from what, and how to talk to it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fractrain.gen.port import Port
from fractrain.hw.contract.errors import DataError
from fractrain.hw.contract.parameters import Parameters, parse_parameters

__all__ = ["MANIFEST_NAME", "FileEntry", "Manifest", "read_manifest"]

MANIFEST_NAME = "manifest.json"
FORMAT = "fractrain-build/1"


@dataclass(frozen=True)
class FileEntry:
    """A file of the build, its path relative to the manifest."""

    path: str
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, path: str, content: bytes) -> FileEntry:
        return cls(path, hashlib.sha256(content).hexdigest(), len(content))


@dataclass(frozen=True)
class Manifest:
    """Everything that a user of the generated files must know.

    ``latencies`` are in cycles; ``tools`` are the versions that the bytes depend on;
    ``build_hash`` is the whole SHA-256, of which BUILD_HASH holds the first 32 bits.
    """

    top: str
    flavour: str
    build_hash: str
    parameters: Parameters
    ports: tuple[Port, ...]
    latencies: dict[str, int]
    tools: dict[str, str]
    files: tuple[FileEntry, ...]

    def to_json(self) -> str:
        document = {"format": FORMAT} | {
            each.name: getattr(self, each.name) for each in dataclasses.fields(self)
        }
        document["parameters"] = self.parameters.to_mapping()
        return json.dumps(document, indent=2, default=dataclasses.asdict) + "\n"


def read_manifest(path: Path) -> Manifest:
    """Read what `Manifest.to_json` wrote; `DataError` for anything else."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if document.pop("format") != FORMAT:
            raise ValueError("format")
        document["parameters"] = parse_parameters(document["parameters"], source=str(path))
        document["ports"] = tuple(Port(**each) for each in document["ports"])
        document["files"] = tuple(FileEntry(**each) for each in document["files"])
        return Manifest(**document)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a manifest of a build ({FORMAT})") from error
