"""The machine's tables of a step: bits of its slots, and of x̂."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.graph.choice import SKIP, is_skip
from fractrain.host.graph.step import StepGraph
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.numerics import MIN_NORMALIZED_BITS
from fractrain.hw.contract.precision import Operand, Precision

Tables = tuple[list[Precision], list[KeptBits]]


def tables_of(graph: StepGraph, table: Sequence[Precision]) -> Tables:
    """The machine's, of the precisions of the graph's slots: whatever skips has 0 bits of
    everything; bits of x̂ follow from those of the activations.

    Raises `ParameterError` for more bits than there is room for.
    """
    options = graph.options.integers
    assert options is not None
    precisions, kept = [], []
    for slot, each in zip(graph.slots, table, strict=True):
        widest = slot.widest
        if any(each.bits(operand) > widest.bits(operand) for operand in Operand):
            allowed = f"at most {widest}, as its graph has"
            raise ParameterError(f"precision of slot {slot.name}", str(each), allowed)
        if is_skip(each):
            precisions.append(SKIP)
            kept.append(KeptBits(MIN_NORMALIZED_BITS, MIN_NORMALIZED_BITS))
            continue
        precisions.append(each)
        place = each.activation - 1
        kept.append(KeptBits(options.inner[place], options.outer[place]))
    return precisions, kept


def usual_tables(graph: StepGraph) -> Tables:
    """Of each slot the median bits of what it can have: what its program is put in order for."""
    table = []
    for slot in graph.slots:
        given = [each for each in slot.precisions if not is_skip(each)]
        bits = (sorted(each.bits(operand) for each in given) for operand in Operand)
        table.append(Precision(*(each[(len(each) - 1) // 2] for each in bits)) if given else SKIP)
    return tables_of(graph, table)
