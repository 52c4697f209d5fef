"""The parameters of a machine: the content of a configuration file, validated once and frozen.

The same object makes the gateware, the accelerators' limits, the host's packing and its programs,
so they cannot disagree about a size.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from fractrain.hw.contract.configuration_checks import check_combinations
from fractrain.hw.contract.documents import Section, read_document
from fractrain.hw.contract.errors import ParameterError, did_you_mean
from fractrain.hw.contract.parameter_fields import choice, follows, named, number, real
from fractrain.hw.contract.precision import MAX_BITS, SUM_BITS
from fractrain.hw.contract.vector_parameters import VectorParameters
from fractrain.hw.contract.window import SLOTS
from fractrain.hw.contract.yaml_files import read_yaml
from fractrain.hw.targets.registry import targets
from fractrain.hw.targets.target import Target

DEFAULT_PRESET = "zc706"
"""The default machine of commands."""

WHOLE_STEP_PRESET = "zc706-vector"
"""That of commands about whole training steps."""

CHANNELS = (8, 16)
"""Of a block: whole 64-bit beats of memory, and a whole number of blocks to a burst."""

SPATIAL_BITS = (1, 2, 4, 8)
DOT_STYLES = ("lut6", "inferred")
ACCUMULATOR_STYLES = ("dsp48e1", "behavioural")


@dataclass(frozen=True)
class ArrayParameters:
    """The MAC array: ``rows`` x ``columns`` units (M x N) of ``lanes`` (K) bit-products for each
    pair of planes, for operands of up to ``max_bits``, ``spatial_bits`` planes of each at a time.

    The first four follow from the other parameters of a machine; an array on its own, in a test
    bench, may have any.
    """

    rows: int = follows("2 * block.channels")
    columns: int = follows("block.channels")
    lanes: int = follows(f"{SLOTS} * block.channels, a 3 x 3 window")
    max_bits: int = follows("precision.max_bits")
    spatial_bits: int = choice(*SPATIAL_BITS)
    cluster_rows: int = number(1, 16)
    cluster_columns: int = number(1, 16)
    dot: str = choice(*DOT_STYLES)
    accumulator: str = choice(*ACCUMULATOR_STYLES)

    @property
    def column_clusters(self) -> int:
        """Clusters along the columns."""
        return self.columns // self.cluster_columns

    @property
    def results_per_beat(self) -> int:
        """Results that leave in one cycle: one column of every cluster."""
        return self.rows * self.column_clusters

    @property
    def beats_per_tile(self) -> int:
        """Cycles in which the results of a tile leave."""
        return self.cluster_columns

    @property
    def max_shift(self) -> int:
        """Greatest shift of a pass: of the most significant digits of the widest operands."""
        return 2 * (self.max_bits - self.spatial_bits)


@dataclass(frozen=True)
class BlockParameters:
    """The unit of storage and transfer: ``channels`` lanes x ``array.rows`` pixels x one plane."""

    channels: int = choice(*CHANNELS)


@dataclass(frozen=True)
class PrecisionParameters:
    """Limits of run-time precision, and the size of the table that holds it."""

    max_bits: int = number(1, MAX_BITS)
    slots: int = number(1, 256)


@dataclass(frozen=True)
class BufferParameters:
    """Sizes of the on-chip memories.

    plane_words : digits of blocks in the plane memory
    column_words : digits of slices in the column memory
    gradient_words : beats of sums in the gradient memory
    patterns : entries of the feeder's pattern table
    """

    column_words: int = number(4, 65536)
    plane_words: int = number(16, 65536)
    gradient_words: int = number(1, 65536)
    patterns: int = number(4, 128)


@dataclass(frozen=True)
class QueueParameters:
    """Depths of the queues: commands decoded ahead of each stage, tiles waiting to leave."""

    commands: int = number(2, 256)
    result_tiles: int = number(2, 64)


@dataclass(frozen=True)
class MemoryParameters:
    """The way to DDR: ``ports`` AXI3 masters of 64 bits, ``outstanding`` bursts each and way."""

    ports: int = number(1, 4)
    outstanding: int = number(1, 16)


@dataclass(frozen=True)
class Parameters:
    """Everything that is fixed when a machine is generated: a core, and the target that carries it.
    ``vector``: its vector unit, None without one.

    Build one with `load_parameters` or `parse_parameters`; a combination of values that the
    hardware cannot do raises `ParameterError`, and so does, however it is made, an array whose
    sizes do not follow from the rest: the feeders know 3 x 3 taps of one block each, tiles of one
    block of output channels, and two pairs of (tap, channels) beside each other in the gradient.
    """

    array: ArrayParameters
    block: BlockParameters
    precision: PrecisionParameters
    buffers: BufferParameters
    queues: QueueParameters
    memory: MemoryParameters
    target: Target = named(targets)
    clock_mhz: float = real(1, 1000)
    vector: VectorParameters | None = None

    def __post_init__(self) -> None:
        for name, value in _array_of(self.block, self.precision).items():
            given = getattr(self.array, name)
            if given != value:
                allowed = f"{value}, which is {_FOLLOWS[name]}"
                raise ParameterError(f"array.{name}", given, allowed)

    # -- derived sizes, each used by hardware and software alike ---------------------------

    @property
    def lane_groups(self) -> int:
        """Blocks side by side in one plane of a slice: ``lanes / channels``."""
        return SLOTS

    @property
    def block_bits(self) -> int:
        """Bits of one block: ``channels * rows``."""
        return self.block.channels * self.array.rows

    @property
    def block_bytes(self) -> int:
        """Bytes of one block, the width of the load stream."""
        return self.block_bits // 8

    @property
    def word_bytes(self) -> int:
        """Bytes of one digit of a block, ``spatial_bits`` planes: the unit of memory traffic."""
        return self.block_bytes * self.array.spatial_bits

    @property
    def column_word_parts(self) -> int:
        """Words of memory for the ``lane_groups`` half-blocks of a column word."""
        return -(-self.lane_groups // 2)

    @property
    def column_clusters(self) -> int:
        """Clusters along the columns of the array."""
        return self.array.column_clusters

    @property
    def results_per_beat(self) -> int:
        """Results that leave in one cycle: one column of every cluster."""
        return self.array.results_per_beat

    @property
    def beats_per_tile(self) -> int:
        """Cycles in which the results of a tile leave: ``cluster_columns``."""
        return self.array.beats_per_tile

    @property
    def bit_products_per_cycle(self) -> int:
        """One-bit multiply-adds per cycle: ``M * N * K * spatial_bits**2``."""
        array = self.array
        return array.rows * array.columns * array.lanes * array.spatial_bits**2

    @property
    def line_bytes(self) -> int:
        """Bytes of a line of 16-bit numbers, P pixels of one channel."""
        return 2 * self.array.rows

    def digits(self, bits: int) -> int:
        """Buffer words of a ``bits``-wide operand per slice: ``ceil(bits / spatial_bits)``."""
        return -(-bits // self.array.spatial_bits)

    def to_mapping(self) -> dict[str, Any]:
        """Plain nested dictionary, as the configuration file has it."""
        document = dataclasses.asdict(self) | {"target": self.target.name}
        for name in _FOLLOWS:
            del document["array"][name]
        if self.vector is None:
            del document["vector"]
        return document


_FOLLOWS: Mapping[str, str] = {
    each.name: each.metadata["follows"]
    for each in dataclasses.fields(ArrayParameters)
    if "follows" in each.metadata
}
"""Fields of the array that no file gives → their sources."""

_DELETED: Mapping[str, str] = {
    **{f"array.{name}": f"it is always {source}" for name, source in _FOLLOWS.items()},
    "precision.accumulator_bits": f"it is always {SUM_BITS}",
}
"""Fields of older files, and why they are gone."""


def _array_of(block: BlockParameters, precision: PrecisionParameters) -> dict[str, int]:
    """The fields of the array that follow from the rest."""
    channels = block.channels
    return {
        "rows": 2 * channels,
        "columns": channels,
        "lanes": SLOTS * channels,
        "max_bits": precision.max_bits,
    }


def parse_parameters(document: object, *, source: str = "configuration") -> Parameters:
    """Validate a parsed YAML ``document``; errors carry the YAML path and ``source``."""
    parameters = _parse(document, source)
    check_combinations(parameters, source)
    return parameters


def preset_names() -> list[str]:
    """Names of the configurations that come with the project, sorted."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in resources.files("fractrain.configs").iterdir()
        if entry.name.endswith(".yaml")
    )


def load_parameters(config: str | Path) -> Parameters:
    """Read a configuration: the name of a preset (``tiny``) or the path of a YAML file.

    Raises `DataError` if there is no such file or it is not YAML, `ParameterError` for what
    it says.
    """
    name = str(config)
    if name in preset_names():
        return _preset(name)
    return _read(Path(config), name)


@functools.cache
def _preset(name: str) -> Parameters:
    return _read(resources.files("fractrain.configs") / f"{name}.yaml", f"configs/{name}.yaml")


def _read(path: Traversable, source: str) -> Parameters:
    hint = did_you_mean(source, preset_names())
    document = read_yaml(
        path,
        source=source,
        takes=", ".join(each.name for each in dataclasses.fields(Parameters)),
        advice="; give the path of a YAML file or one of the presets: "
        f"{', '.join(preset_names())}{hint and f'; {hint}'}",
    )
    return parse_parameters(document, source=source)


# -- validation -----------------------------------------------------------------------------


def _parse(document: object, source: str) -> Parameters:
    """Build `Parameters` from a mapping with exactly the fields of a file."""
    _refuse_deleted(document, source)
    values = read_document(document, _schema(Parameters), source)
    kinds = _kinds(Parameters)
    for each in dataclasses.fields(Parameters):
        if not each.metadata and each.name != "array" and each.name in values:
            values[each.name] = kinds[each.name](**values[each.name])
    array = values["array"] | _array_of(values["block"], values["precision"])
    return Parameters(**(values | {"array": ArrayParameters(**array)}))


def _schema(kind: type) -> Section:
    """Schema of the fields of ``kind`` that a file gives; it may leave out those with a default."""
    kinds = _kinds(kind)
    given = [each for each in dataclasses.fields(kind) if "follows" not in each.metadata]
    return Section(
        {
            each.name: each.metadata["rule"] if each.metadata else _schema(kinds[each.name])
            for each in given
        },
        [each.name for each in given if each.default is dataclasses.MISSING],
    )


def _kinds(kind: type) -> dict[str, Any]:
    """Types of the fields of ``kind``: of an optional one, the type that it has if it is there."""
    hints = typing.get_type_hints(kind)
    return {
        name: next((each for each in typing.get_args(hint) if each is not type(None)), hint)
        for name, hint in hints.items()
    }


def _refuse_deleted(document: object, source: str) -> None:
    """Refuse all obsolete fields of an older file at once."""
    found = {}
    for path in _DELETED:
        section, _, key = path.partition(".")
        inner = document.get(section) if isinstance(document, Mapping) else None
        if isinstance(inner, Mapping) and key in inner:
            found[path] = inner[key]
    for path, given in found.items():
        raise ParameterError(
            path,
            given,
            f"nothing, as {_DELETED[path]}",
            where=f"{path} in {source}",
            hint=f"delete {', '.join(found)}",
        )
