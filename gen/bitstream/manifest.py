"""The manifest of a bitstream: which hardware it is, who made it, and how well it went.

The board reads it, so nothing here needs more than the standard library and PyYAML.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fractrain.gen.manifest import FileEntry
from fractrain.hw.contract.errors import DataError
from fractrain.hw.contract.parameters import Parameters, parse_parameters

__all__ = [
    "BIN_NAME",
    "BITSTREAM_MANIFEST_NAME",
    "BIT_NAME",
    "FLOWS",
    "XSA_NAME",
    "BitstreamManifest",
    "Slack",
    "Utilization",
    "read_bitstream_manifest",
]

BITSTREAM_MANIFEST_NAME = "bitstream.json"
BIT_NAME = "fractrain_zc706.bit"
"""The bitstream as the tools write it, with its header: JTAG, ``fpga loadb`` of U-Boot."""
BIN_NAME = "fractrain_zc706.bin"
"""The same for Linux's FPGA manager: no header, the bytes of each word turned round."""
XSA_NAME = "fractrain_zc706.xsa"
"""The hardware platform; Vivado's flow only."""

FORMAT = "fractrain-bitstream/1"
FLOWS = ("vivado", "openxc7")


@dataclass(frozen=True)
class Utilization:
    """What of the FPGA is used; ``bram36`` counts a half of a block as 0.5, ``memory_lut`` those of
    the LUTs that are memory or shift register (None: the flow does not say)."""

    lut: int
    ff: int
    bram36: float
    dsp: int
    memory_lut: int | None = None


@dataclass(frozen=True)
class Slack:
    """Worst slack of setup and of hold, in ns; `None` where the flow gives no evidence."""

    setup: float | None
    hold: float | None


@dataclass(frozen=True)
class BitstreamManifest:
    """Everything that a user or a driver must know of a bitstream.

    Members
    -------
    config : the configuration's name, as ``--config`` gave it, without folder and suffix
    build_hash : SHA-256 in hex, of which the register BUILD_HASH shows the first 32 bits
    parameters : of the machine inside
    clock_mhz : the clock that it was made for, as the tool will set it (FCLK_CLK0)
    flow : ``vivado`` or ``openxc7``
    tool : name and version of what placed and routed it
    utilization, slack_ns : as the flow reported them
    resources : figure → what is ``used``, the ``budget``, and what ``make synth`` had mapped
        (``synth``); None where it is not known. Bitstreams of earlier versions have none
    strategy : of the implementation (Vivado)
    files : everything else in the folder, paths relative to the manifest
    """

    config: str
    build_hash: str
    parameters: Parameters
    clock_mhz: float
    flow: str
    tool: str
    utilization: Utilization
    slack_ns: Slack
    files: tuple[FileEntry, ...]
    resources: dict[str, dict[str, float | None]] = field(default_factory=dict)
    strategy: str = ""

    @property
    def build_hash_register(self) -> int:
        """What the register BUILD_HASH of this bitstream shows."""
        return int(self.build_hash[:8], 16)

    def content(self, folder: Path, name: str) -> bytes:
        """The file ``name`` of the bitstream in ``folder``, compared with its checksum.

        Raises `DataError` if the manifest does not list it, or it is missing or damaged.
        """
        entry = next((each for each in self.files if each.path == name), None)
        if entry is None:
            raise DataError(
                f"{folder / BITSTREAM_MANIFEST_NAME} lists no {name}, only "
                f"{', '.join(each.path for each in self.files) or 'no file at all'}"
            )
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"{folder / name}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise DataError(
                f"{folder / name} is not the file that {BITSTREAM_MANIFEST_NAME} beside it lists "
                f"({len(content):,} bytes, listed are {entry.size_bytes:,}; checksums differ): "
                "copy the folder again, whole"
            )
        return content

    def to_json(self) -> str:
        document = {"format": FORMAT} | {
            each.name: getattr(self, each.name) for each in dataclasses.fields(self)
        }
        document["parameters"] = self.parameters.to_mapping()
        return json.dumps(document, indent=2, default=dataclasses.asdict) + "\n"


def read_bitstream_manifest(path: Path) -> BitstreamManifest:
    """Read what `BitstreamManifest.to_json` wrote; `DataError` for anything else."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if document.pop("format") != FORMAT:
            raise ValueError("format")
        document["parameters"] = parse_parameters(document["parameters"], source=str(path))
        document["utilization"] = Utilization(**document["utilization"])
        document["slack_ns"] = Slack(**document["slack_ns"])
        document["files"] = tuple(FileEntry(**each) for each in document["files"])
        manifest = BitstreamManifest(**document)
        _check(manifest)
        return manifest
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a manifest of a bitstream ({FORMAT})") from error


def _check(manifest: BitstreamManifest) -> None:
    """`ValueError` for what the types of Python's JSON would let through."""
    used = manifest.utilization
    numbers = [manifest.clock_mhz, used.lut, used.ff, used.bram36, used.dsp]
    optional = [used.memory_lut, *dataclasses.astuple(manifest.slack_ns)]
    optional += [value for row in manifest.resources.values() for value in row.values()]
    numbers += [each for each in optional if each is not None]
    if not all(
        isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
        for each in numbers
    ):
        raise ValueError("a figure is no number")
    if not all(
        isinstance(each, str) for each in (manifest.config, manifest.tool, manifest.strategy)
    ):
        raise ValueError("config, tool and strategy are texts")
    if not re.fullmatch(r"[0-9a-f]{64}", manifest.build_hash) or manifest.flow not in FLOWS:
        raise ValueError("build_hash or flow")
    for entry in manifest.files:
        if Path(entry.path).is_absolute() or ".." in Path(entry.path).parts:
            raise ValueError("a file outside the folder")
        if not re.fullmatch(r"[0-9a-f]{64}", entry.sha256) or not isinstance(entry.size_bytes, int):
            raise ValueError("a file's checksum or size")
