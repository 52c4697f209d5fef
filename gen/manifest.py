"""The manifest of a build: the generated files, their origin, and the ports of the hardware."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fractrain.gen.port import Port
from fractrain.hw.contract.documents import ListOf, Section, TableOf, read_document
from fractrain.hw.contract.errors import DataError, ParameterError
from fractrain.hw.contract.parameters import Parameters, parse_parameters
from fractrain.hw.contract.values import Anything, OneOf, OneWord, Text, Unquoted, Whole

__all__ = [
    "FILES",
    "MANIFEST_NAME",
    "SHA256",
    "FileEntry",
    "Manifest",
    "read_checked",
    "read_manifest",
]

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
    """What users of the generated files need to know.

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


SHA256 = Text("[0-9a-f]{64}", "64 hexadecimal digits")
INSIDE = Text(r"(?!/|(.*/)?\.\.(/|$)).+", "a path inside the folder")
FILES = ListOf(Section({"path": INSIDE, "sha256": SHA256, "size_bytes": Unquoted(Whole(0, 2**62))}))
PORTS = ListOf(
    Section(
        {
            "name": Text(),
            "direction": OneWord(("input", "output")),
            "width": Unquoted(Whole(1, 2**20)),
        }
    )
)
SCHEMA = Section(
    {
        "format": OneOf((FORMAT,)),
        "top": Text(),
        "flavour": Text(),
        "build_hash": SHA256,
        "parameters": Anything(),
        "ports": PORTS,
        "latencies": TableOf(Unquoted(Whole(0, 2**62))),
        "tools": TableOf(Text()),
        "files": FILES,
    }
)


def read_manifest(path: Path) -> Manifest:
    """Read what `Manifest.to_json` wrote; `DataError` for anything else."""
    document = read_checked(path, SCHEMA, f"a manifest of a build ({FORMAT})")
    ports = tuple(Port(**each) for each in document.pop("ports"))
    return Manifest(**document, ports=ports)


def read_checked(path: Path, schema: Section, what: str) -> dict[str, Any]:
    """The document in the JSON file ``path`` without its format, its parameters and files as such.

    Raises `DataError` that says that it is not ``what``, and why.
    """
    try:
        document: dict[str, Any] = read_document(json.loads(path.read_bytes()), schema, str(path))
        document["parameters"] = parse_parameters(document["parameters"], source=str(path))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        why = f": {error}" if isinstance(error, ParameterError) else ""
        raise DataError(f"{path} is not {what}{why}") from error
    document["files"] = tuple(FileEntry(**each) for each in document["files"])
    del document["format"]
    return document
