"""The bins of whole steps: convolutions, chunks, x̂, skips, memory, as far as coverage tells them
apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fractrain.host.graph.geometry import Geometry
from fractrain.host.graph.integer_options import IntegerOptions
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Pass, Precision
from tests.coverage.bins import BUSES, PASSES, STRIDES, WIDTHS, precision_class, width_class
from tests.coverage.points import Point
from tests.coverage.whole_steps.cases import Block, StepCase

__all__ = ["COUNTS", "MEMORIES", "STEP_POINTS", "Bin", "Layer", "bins_of", "kind_of", "layers_of"]

Bin = tuple[str, tuple[str, ...]]
MEMORIES = tuple(each for each in BUSES if each != "slow port")
KERNELS = "3x3", "1x1"
STATES = "1 bit", "narrow", "wide", "mixed", "skipped"
KINDS = "identity", "wider", "halved"
RAN = "run", "skip"
COUNTS = "1", "2", "3+"


def _convolved(pass_: str, kernel: str, stride: str, width: str, state: str) -> bool:
    """A shortcut is never skipped."""
    return kernel == "3x3" or state != "skipped"


STEP_POINTS: Mapping[str, Point] = {
    "convolutions": Point(
        "of whole steps; output rows as parts of a block",
        {
            "pass": PASSES,
            "kernel": KERNELS,
            "stride": STRIDES,
            "width": WIDTHS,
            "precision": STATES,
        },
        ("pass", "kernel", "stride"),
        ("width", "precision"),
        _convolved,
    ),
    "normalized": Point(
        "bits of x̂, of what ran",
        {"place": ("inside", "end"), "bits": tuple(map(str, range(4, 12)))},
        ("place",),
        ("bits",),
        lambda place, bits: place == "inside" or int(bits) <= 8,
    ),
    "chunks": Point(
        "of a stage, and whether the last one is short",
        {
            "stage": ("first", "later"),
            "chunks": COUNTS,
            "last": ("full", "short"),
            "blocks": RAN,
        },
        ("stage", "blocks"),
        ("chunks", "last"),
        lambda stage, chunks, last, blocks: chunks != "1" or last == "full",
    ),
    "blocks": Point(
        "a block and the one behind it",
        {"kind": ("first convolution", *KINDS), "ran": RAN, "next": KINDS, "next ran": RAN},
        ("kind", "ran"),
        ("next", "next ran"),
        lambda kind, ran, following, after: kind != "first convolution" or ran == "run",
    ),
    "memory": Point(
        "how memory behaves, where blocks run, are skipped, or both",
        {"memory": MEMORIES, "blocks": ("all run", "some", "none")},
        ("memory",),
        ("blocks",),
    ),
    "residual": Point(
        "bits of r, by what it is added to",
        {"bits": ("8", "9..11"), "block": KINDS, "ran": RAN},
        ("bits",),
        ("block", "ran"),
    ),
    "channels": Point(
        "of a block's output, and whether they fill groups",
        {"groups": ("1", "2", "3+"), "filled": ("yes", "no"), "gates": ("none", "learn")},
        ("groups",),
        ("filled", "gates"),
    ),
    "bits": Point(
        "of operands, of what ran",
        {"operand": ("activation", "weight", "error"), "bits": tuple(map(str, range(1, 13)))},
        ("operand",),
        ("bits",),
        lambda operand, bits: operand == "error" or int(bits) <= 8,
    ),
}


def kind_of(block: Block, before: int) -> str:
    """Of a block behind one of so many filters."""
    if block.stride == 2:
        return "halved"
    return "identity" if block.filters == before else "wider"


def bins_of(p: Parameters, case: StepCase) -> Iterator[Bin]:
    """All that ``case`` hits: the point, and its values."""
    for layer in layers_of(case):
        yield from _convolutions(p, layer)
    yield from _chunks(case)
    yield from _blocks(p, case)


@dataclass(frozen=True)
class Layer:
    """A convolution of a case; ``first``: of the pictures."""

    kernel: str
    stride: int
    output: tuple[int, int]
    channels: int
    filters: int
    precision: Precision
    first: bool = False


def layers_of(case: StepCase) -> Iterator[Layer]:
    """In order: the first convolution; of each block two, and that of its shortcut."""
    size, filters = case.size, case.filters
    yield Layer("3x3", 1, size, 3, filters, case.outside, first=True)
    for block in case.blocks:
        output = -(-size[0] // block.stride), -(-size[1] // block.stride)
        yield Layer("3x3", block.stride, output, filters, block.filters, block.precision)
        yield Layer("3x3", 1, output, block.filters, block.filters, block.precision)
        if kind_of(block, filters) != "identity":
            yield Layer("1x1", block.stride, output, filters, block.filters, case.outside)
        size, filters = output, block.filters


def _convolutions(p: Parameters, layer: Layer) -> Iterator[Bin]:
    geometry = Geometry(1, 1, 1, layer.output, (1, 1), 1, 0)
    width, precision = width_class(geometry, p.array.rows), layer.precision
    for pass_ in Pass:
        if pass_ is Pass.ERROR and layer.first:
            continue
        state = precision_class(precision.bits(pass_.row), precision.bits(pass_.column))
        state = "skipped" if precision.activation == 0 else state
        yield "convolutions", (pass_.label, layer.kernel, str(layer.stride), width, state)


def _chunks(case: StepCase) -> Iterator[Bin]:
    size, filters, where = case.size, case.filters, "first"
    for block in case.blocks:
        if kind_of(block, filters) != "identity":
            where = "later"
        size = -(-size[0] // block.stride), -(-size[1] // block.stride)
        filters = block.filters
        chunk = IntegerOptions(chunk_rows=case.rows).chunk(case.batch, *size)
        count = COUNTS[min(-(-case.batch // chunk), 3) - 1]
        last = "short" if case.batch % chunk else "full"
        yield "chunks", (where, count, last, RAN[block.skipped])


def _blocks(p: Parameters, case: StepCase) -> Iterator[Bin]:
    before, filters = ("first convolution", "run"), case.filters
    for block in case.blocks:
        now = kind_of(block, filters), RAN[block.skipped]
        yield "blocks", (*before, *now)
        yield "residual", ("8" if case.residual_bits == 8 else "9..11", *now)
        groups = COUNTS[min(-(-block.filters // p.block.channels), 3) - 1]
        filled = "no" if block.filters % p.block.channels else "yes"
        yield "channels", (groups, filled, "learn" if case.learns else "none")
        before, filters = now, block.filters
        if not block.skipped:
            precision = block.precision
            for operand in Operand:
                yield "bits", (operand.name.lower(), str(precision.bits(operand)))
            yield "normalized", ("inside", str(case.inner[precision.activation - 1]))
            yield "normalized", ("end", str(case.outer[precision.activation - 1]))
    skips = sum(each.skipped for each in case.blocks)
    some = "all run" if not skips else "none" if skips == len(case.blocks) else "some"
    yield "memory", (case.bus, some)
