"""The vector unit's components, each synthesized alone: `python -m fractrain.gen.synthesis.vector`.

With names, these only; `unit` is all of it. The table is that of docs/vector_unit.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from amaranth.lib import wiring

from fractrain.gen.synthesis.figures import Figures, measure
from fractrain.gen.synthesis.yosys import synthesize
from fractrain.gen.verilog import emit
from fractrain.hw.contract.numerics import CONVOLVED_BITS, MIN_RESIDUAL_BITS, WIDE_ERROR_BITS
from fractrain.hw.contract.parameters import Parameters, load_parameters, parse_parameters
from fractrain.hw.contract.tables import markdown_table
from fractrain.hw.contract.vector_parameters import VECTOR_DEFAULTS
from fractrain.hw.vector.apply import Applier
from fractrain.hw.vector.byte_queue import ByteQueue
from fractrain.hw.vector.carry import CarryTail
from fractrain.hw.vector.channel import ChannelWalk
from fractrain.hw.vector.channel_table import ChannelTable
from fractrain.hw.vector.channel_unit import ChannelUnit
from fractrain.hw.vector.digit_rows import DigitRows
from fractrain.hw.vector.form import Former
from fractrain.hw.vector.join import Joiner
from fractrain.hw.vector.lanes import VectorLanes
from fractrain.hw.vector.line_decoder import LineDecoder
from fractrain.hw.vector.line_pool import LinePool
from fractrain.hw.vector.line_reader import LineReader
from fractrain.hw.vector.line_store import LineStore
from fractrain.hw.vector.line_walker import LineWalker
from fractrain.hw.vector.moments import MomentUnit
from fractrain.hw.vector.move import Mover
from fractrain.hw.vector.normalize import Keeper, Normalizer
from fractrain.hw.vector.peak import Peak
from fractrain.hw.vector.peaks import PeakMemory
from fractrain.hw.vector.plane_sender import PlaneSender
from fractrain.hw.vector.plane_turn import PlaneTurn
from fractrain.hw.vector.quantize import WeightQuantizer
from fractrain.hw.vector.quantize_command import Quantize
from fractrain.hw.vector.random_bytes import RandomBytes
from fractrain.hw.vector.read_ahead import ReadAhead
from fractrain.hw.vector.reduce import Reducer
from fractrain.hw.vector.report import Report
from fractrain.hw.vector.result_issue import ResultIssue
from fractrain.hw.vector.result_lanes import ResultLanes
from fractrain.hw.vector.result_places import ResultPlaces
from fractrain.hw.vector.result_walk import ResultWalk
from fractrain.hw.vector.spill import Spill
from fractrain.hw.vector.unit import VectorUnit
from fractrain.hw.vector.update import Updater
from fractrain.hw.vector.update_command import Update
from fractrain.hw.vector.weight_statistics import WeightStatistics
from fractrain.hw.vector.write_behind import WriteBehind

__all__ = ["COMPONENTS", "VectorPart", "figures_of", "table"]

CACHE = Path("build/synth")
HEADS = ("component", "is", "LUT", "packed", "of it memory", "FF", "DSP", "BRAM36", "levels")


@dataclass(frozen=True)
class VectorPart:
    """``make``: the component with its primitives; ``text``: what was synthesized."""

    make: Callable[[], wiring.Component]
    text: str


LANES, SOME_LANES = 32, 8
BLOCK_CHANNELS = 16
CHANNELS = 64
"""As many as fit the channels of a chunk in the last stage of a ResNet for CIFAR-10."""


def _machine() -> Parameters:
    """zc706 with a vector unit."""
    document = load_parameters("zc706").to_mapping()
    document["vector"] = asdict(VECTOR_DEFAULTS[BLOCK_CHANNELS])
    return parse_parameters(document, source="zc706 with a vector unit")


COMPONENTS = {
    "peak_37": VectorPart(
        lambda: Peak(LANES, CONVOLVED_BITS, primitives=True), "32 lanes of 37 bits, for sums"
    ),
    "peak_39": VectorPart(
        lambda: Peak(LANES, WIDE_ERROR_BITS, primitives=True), "32 lanes of 39 bits, for z and W"
    ),
    "reducer": VectorPart(
        lambda: Reducer(LANES, CHANNELS, primitives=True), "32 lanes, sums of 64 channels"
    ),
    "normalizer": VectorPart(lambda: Normalizer(SOME_LANES, primitives=True), "8 lanes"),
    "keeper": VectorPart(lambda: Keeper(SOME_LANES), "8 lanes"),
    "former": VectorPart(lambda: Former(SOME_LANES, primitives=True), "8 lanes"),
    "lanes": VectorPart(
        lambda: VectorLanes(SOME_LANES, primitives=True), "8 lanes, residual of 16 bits"
    ),
    "lanes_8": VectorPart(
        lambda: VectorLanes(SOME_LANES, MIN_RESIDUAL_BITS, primitives=True),
        "8 lanes, residual of 8 bits",
    ),
    "joiner": VectorPart(lambda: Joiner(4, primitives=True), "4 pixels, numbers of 37 bits"),
    "mover": VectorPart(lambda: Mover(SOME_LANES, primitives=True), "8 errors of another tensor"),
    "applier": VectorPart(lambda: Applier(SOME_LANES, primitives=True), "8 lanes"),
    "updater": VectorPart(lambda: Updater(2, primitives=True), "2 lanes"),
    "quantizer": VectorPart(lambda: WeightQuantizer(2, primitives=True), "2 lanes"),
    "weight_statistics": VectorPart(
        lambda: WeightStatistics(SOME_LANES, primitives=True), "8 lanes"
    ),
    "channel_unit": VectorPart(lambda: ChannelUnit(primitives=True), "one"),
    "random_bytes": VectorPart(RandomBytes, "32 bytes a cycle"),
    "plane_turn": VectorPart(
        lambda: PlaneTurn(LANES, BLOCK_CHANNELS, primitives=True), "32 pixels, 16 channels"
    ),
    "digit_rows": VectorPart(lambda: DigitRows(_machine()), "32 pixels, 16 digits"),
    "line_walker": VectorPart(lambda: LineWalker(_machine()), "one"),
    "line_reader": VectorPart(lambda: LineReader(_machine(), primitives=True), "32 pixels"),
    "channel_table": VectorPart(lambda: ChannelTable(_machine()), "two groups of 16 channels"),
    "byte_queue": VectorPart(lambda: ByteQueue(_machine()), "33 lines of random bytes"),
    "plane_sender": VectorPart(lambda: PlaneSender(_machine()), "words of 512 bits, 33 waiting"),
    "line_store": VectorPart(lambda: LineStore(_machine()), "32 pixels, 33 lines waiting"),
    "line_pool": VectorPart(lambda: LinePool(_machine()), "32 pixels, sums of 16 channels"),
    "line_decoder": VectorPart(LineDecoder, "with the shape table"),
    "read_ahead": VectorPart(lambda: ReadAhead(_machine()), "a queue of 32 words of 512 bits"),
    "write_behind": VectorPart(lambda: WriteBehind(_machine()), "a queue of 512 blocks"),
    "spill": VectorPart(lambda: Spill(_machine()), "a command of its own"),
    "report": VectorPart(lambda: Report(_machine()), "a command of its own"),
    "quantize": VectorPart(lambda: Quantize(_machine(), primitives=True), "4 lanes"),
    "update": VectorPart(lambda: Update(_machine(), primitives=True), "4 lanes"),
    "channel_walk": VectorPart(
        lambda: ChannelWalk(_machine(), primitives=True), "CHANNEL, with its unit"
    ),
    "moments": VectorPart(
        lambda: MomentUnit(_machine(), primitives=True), "reducer of two users, 512 channels"
    ),
    "peaks": VectorPart(lambda: PeakMemory(_machine()), "1,024 peaks"),
    "result_walk": VectorPart(lambda: ResultWalk(_machine()), "lines of NARROW and JOIN"),
    "result_places": VectorPart(lambda: ResultPlaces(_machine()), "their addresses"),
    "result_issue": VectorPart(lambda: ResultIssue(_machine()), "their turns"),
    "result_lanes": VectorPart(
        lambda: ResultLanes(_machine(), primitives=True), "32 joiners, and what is around them"
    ),
    "carry_tail": VectorPart(
        lambda: CarryTail(_machine(), 8, primitives=True), "32 pixels, 32 lines waiting"
    ),
}
WHOLE = {"unit": VectorPart(lambda: VectorUnit(_machine(), primitives=True), "all of it")}
"""Takes ten minutes, and is asked for by name only."""


def figures_of(name: str, progress: Callable[[str], None] = lambda stage: None) -> Figures:
    """Of the component ``name`` alone, a minute or less; kept in build/synth."""
    top = f"vector_{name}"
    return measure(synthesize(emit(_part(name).make(), top), top, CACHE, progress))


def _part(name: str) -> VectorPart:
    return (COMPONENTS | WHOLE)[name]


def table(names: Sequence[str]) -> str:
    """The figures of components as a table."""
    rows = []
    for name in names:
        found = figures_of(name)
        rows.append(
            (
                f"`{name}`",
                _part(name).text,
                *(f"{each:,}" for each in (found.luts, found.packed_luts, found.memory_luts)),
                *(f"{each:,}" for each in (found.flip_flops, found.dsps)),
                f"{found.bram36:g}",
                f"{max(found.logic_levels, found.levels_after_memory)}",
            )
        )
    return markdown_table(HEADS, rows)


if __name__ == "__main__":
    for each in sys.argv[1:]:
        if each not in COMPONENTS | WHOLE:
            allowed = ", ".join(COMPONENTS | WHOLE)
            sys.exit(f"component: got {each!r}, allowed: {allowed}")
    print(table(sys.argv[1:] or list(COMPONENTS)))
