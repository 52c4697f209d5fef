"""Random whole steps, aimed at what a coverage still lacks."""

from __future__ import annotations

from fractrain.host.compiler.whole_step import DoesNotFit
from fractrain.hw.contract import numerics
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.sim.functional import Order
from tests.coverage.drawing import Random, draw_bus
from tests.coverage.points import Coverage
from tests.coverage.whole_steps.bins import MEMORIES, bins_of, layers_of
from tests.coverage.whole_steps.cases import Block, StepCase

__all__ = ["DoesNotFit", "Steps", "passes_of"]

DRAWS = 300
"""Of cases, of which the one is taken that hits most empty bins for its passes."""
MOST_PASSES = 60_000
"""Of the array, of a step, about."""
USUAL_PASSES = 6_000
"""So many more cost as much again as everything else in a case."""
KINDS = "1 bit", "narrow", "narrow", "wide", "mixed", "skipped", "skipped"
SIDE_BITS = 11
MOST_BLOCKS = 4
QUARTER = 4
"""Of the pixels of a block."""


class Steps:
    """Cases for machines of ``p``, the same ones for the same ``seed`` and holes."""

    def __init__(self, p: Parameters, coverage: Coverage, seed: int) -> None:
        self.p, self.coverage = p, coverage
        self._seed, self._count = seed, 0

    def next(self) -> StepCase:
        """The next one."""
        self._count += 1
        random = Random(self._seed, self._count)
        empty = {
            (name, each) for name in self.coverage.points for each in self.coverage.empty(name)
        }
        best, most = None, -1.0
        for _ in range(DRAWS):
            case = draw_case(random, self.p)
            cost = passes_of(case)
            if cost > MOST_PASSES:
                continue
            worth = len(empty.intersection(bins_of(self.p, case))) / (1 + cost / USUAL_PASSES)
            if worth > most:
                best, most = case, worth
        assert best is not None
        return best


def passes_of(case: StepCase) -> int:
    """Of the array, about: blocks of pixels and groups of channels by the bits of both operands."""
    total = 0
    for layer in layers_of(case):
        a, w, e = layer.precision.activation, layer.precision.weight, layer.precision.error
        height, width = layer.output
        blocks = -(-height * width * layer.stride // 16) * case.batch
        groups = -(-layer.channels // 8) * -(-layer.filters // 8)
        total += blocks * groups * (a * w + e * w + a * e)
    return total


def draw_case(random: Random, p: Parameters) -> StepCase:
    """Any network that the machine takes, and all that a step of it depends on."""
    width = random.choice([4, 8, 8, 16, 16, 32, 64])
    height = random.choice([2, 4, 8] if width > 16 else [4, 8, 16])
    count = p.block.channels
    filters = random.choice([count, count, count - 4, count + 4, 2 * count])
    blocks, before, rows = [], filters, width
    for _ in range(random.number(1, MOST_BLOCKS)):
        block = _draw_block(random, before, count, halved=_can_halve(width, rows))
        blocks.append(block)
        before, rows = block.filters, rows // block.stride
    bus = random.choice(MEMORIES)
    model, stalls = draw_bus(random, p, bus)
    least = numerics.MIN_NORMALIZED_BITS
    return StepCase(
        filters,
        tuple(blocks),
        (height, width),
        random.number(1, 6),
        _draw_precision(random, random.choice(KINDS[:-2])),
        random.choice([4, 8, 16, 32, 64, None]),
        tuple(random.number(least, SIDE_BITS) for _ in range(8)),
        tuple(random.number(least, 8) for _ in range(8)),
        random.choice([8, 8, random.number(9, SIDE_BITS)]),
        random.chance(0.3),
        bus,
        model,
        stalls,
        random.number(0, 2**31),
        random.choice(list(Order)),
    )


def _can_halve(width: int, rows: int) -> bool:
    """Rows of the last stage are a quarter of a block at least, those before twice as wide each;
    rows wider than a block are to be filled."""
    least = rows // 2
    return rows > 1 and (least >= QUARTER or QUARTER * (width // least) <= 4 * QUARTER)


def _draw_block(random: Random, before: int, count: int, *, halved: bool) -> Block:
    precision = _draw_precision(random, random.choice(KINDS))
    kind = random.choice(["identity", "wider", "halved"] if halved else ["identity", "wider"])
    if kind == "identity":
        return Block(before, 1, precision)
    more = min(before + random.choice([4, count]), 3 * count)
    if kind == "wider":
        return Block(more if more != before else count, 1, precision)
    return Block(random.choice([before, more]), 2, precision)


def _draw_precision(random: Random, kind: str) -> Precision:
    """Bits of a class, as many as hardware mode takes."""
    if kind == "skipped":
        return Precision(0, 0, 0)
    if kind == "1 bit":
        return Precision(1, 1, 1)
    if kind == "mixed":
        narrow, wide = random.number(1, 4), random.number(5, 8)
        a, w = (narrow, wide) if random.chance(0.5) else (wide, narrow)
        return Precision(a, w, random.number(2, numerics.MAX_ERROR_BITS))
    low, high = (1, 4) if kind == "narrow" else (5, 8)
    bits = [random.number(low, high) for _ in range(3)]
    return Precision(*bits) if kind == "wide" else Precision(bits[0], bits[1], max(2, bits[2]))
