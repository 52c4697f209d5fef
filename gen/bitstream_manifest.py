"""The manifest of a bitstream: its hardware, the tools that made it, and their results.

The board reads it, so this needs only the standard library and PyYAML.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from fractrain.gen.manifest import FILES, SHA256, FileEntry, read_checked
from fractrain.hw.contract.documents import Section, TableOf
from fractrain.hw.contract.errors import DataError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.values import Anything, OneOf, OneWord, Optional, Real, Text, Unquoted
from fractrain.hw.targets.target import Target

__all__ = [
    "BITSTREAM_MANIFEST_NAME",
    "FLOWS",
    "BitstreamManifest",
    "Slack",
    "Utilization",
    "output_name",
    "read_bitstream_manifest",
]

BITSTREAM_MANIFEST_NAME = "bitstream.json"
FORMAT = "fractrain-bitstream/1"
FLOWS = ("vivado", "openxc7")


def output_name(target: Target, suffix: str) -> str:
    """Name of a file for ``target``, by what it is.

    ``.bit``: the bitstream as the tools write it, with its header, for JTAG and ``fpga loadb`` of
    U-Boot. ``.bin``: the same for Linux's FPGA manager, without header, the bytes of each word
    reversed. ``.xsa``: the hardware platform, of Vivado's flow only.
    """
    return f"fractrain_{target.name}{suffix}"


@dataclass(frozen=True)
class Utilization:
    """Used resources of the FPGA; ``bram36`` counts half a block as 0.5, ``memory_lut`` the LUTs
    that are memory or shift register (None: the flow does not say)."""

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
    """What users and the driver need to know of a bitstream.

    Members
    -------
    config : the configuration's name, as ``--config`` gave it, without folder and suffix
    build_hash : SHA-256 in hex, of which the register BUILD_HASH shows the first 32 bits
    parameters : of the machine inside
    clock_mhz : the clock that it was made for (FCLK_CLK0), as the tool sets it
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
    def bin_name(self) -> str:
        """The file for Linux's FPGA manager."""
        return output_name(self.parameters.target, ".bin")

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


FIGURE = Unquoted(Real(-1e12, 1e12))
KNOWN_FIGURE = Optional(FIGURE)
SCHEMA = Section(
    {
        "format": OneOf((FORMAT,)),
        "config": Text(),
        "build_hash": SHA256,
        "parameters": Anything(),
        "clock_mhz": FIGURE,
        "flow": OneWord(FLOWS),
        "tool": Text(),
        "utilization": Section(
            {
                **dict.fromkeys(("lut", "ff", "bram36", "dsp"), FIGURE),
                "memory_lut": KNOWN_FIGURE,
            },
            needed=("lut", "ff", "bram36", "dsp"),
        ),
        "slack_ns": Section({"setup": KNOWN_FIGURE, "hold": KNOWN_FIGURE}),
        "files": FILES,
        "resources": TableOf(TableOf(KNOWN_FIGURE)),
        "strategy": Text(),
    },
    needed=(
        *("format", "config", "build_hash", "parameters", "clock_mhz", "flow", "tool"),
        *("utilization", "slack_ns", "files"),
    ),
)


def read_bitstream_manifest(path: Path) -> BitstreamManifest:
    """Read what `BitstreamManifest.to_json` wrote; `DataError` for anything else."""
    document = read_checked(path, SCHEMA, f"a manifest of a bitstream ({FORMAT})")
    document["utilization"] = Utilization(**document["utilization"])
    document["slack_ns"] = Slack(**document["slack_ns"])
    return BitstreamManifest(**document)
