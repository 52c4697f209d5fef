"""How a convolution lies on Eyeriss' array: one row of a filter and one of an output in each PE.

A *set* of K × O PEs makes one output map from one input map. A set that is too large is folded,
across the array's rows (filters) and its columns (outputs); if several fit, they are replicated,
for several input or output channels. What goes through the array at once is a *pass*; three loops,
over input channels, output channels and images, repeat it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fractrain.sim.machines.work import Layer

INPUTS, OUTPUTS, IMAGES = range(3)
"""The loops."""

FILTERS, INPUT_MAPS, OUTPUT_MAPS = range(3)
"""The tensors. Numbered so that tensor t does not depend on loop `UNRELATED[t]`."""

UNRELATED = (IMAGES, OUTPUTS, INPUTS)

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Passes:
    """All passes of a layer with one way to replicate sets. Triples are of loops or tensors.

    trips : of the three loops
    cycles : of all passes
    buffer_unit : words of each tensor in the global buffer, for one pass
    register_unit : words of each tensor in a PE's registers
    dram_words : of each tensor, if each is moved once
    buffer_words : the same between buffer and array
    array_words : the same, counted for each PE that takes part
    """

    trips: Triple
    cycles: int
    buffer_unit: Triple
    register_unit: Triple
    dram_words: Triple
    buffer_words: Triple
    array_words: Triple


def all_passes(layer: Layer, height: int, width: int, *, copies: bool) -> Iterator[Passes]:
    """Ways to replicate with the fewest passes, on ``height`` × ``width`` PEs.

    ``copies``: a word that reaches several replicated sets counts for each of them in the array,
    as it does for several PEs of one set.
    """
    fold_rows, repeat_rows = _fold(layer.kernel, height)
    fold_columns, repeat_columns = _fold(layer.output, width)
    # what fits below each other takes the parts of a row that was too wide
    moved = min(repeat_rows, fold_columns)
    fold_columns, repeat_rows = -(-fold_columns // moved), repeat_rows // moved
    found = [
        (inputs, outputs)
        for inputs, outputs in (
            (min(rows, layer.inputs), min(repeat_rows // rows * repeat_columns, layer.outputs))
            for rows in divisors(repeat_rows)
        )
    ]
    fewest = min(_passes(layer, *each) for each in found)
    for inputs, outputs in found:
        if _passes(layer, inputs, outputs) == fewest:
            yield _describe(layer, (fold_rows, fold_columns), (inputs, outputs), copies=copies)


def divisors(number: int) -> list[int]:
    """Of ``number``, rising."""
    small = [each for each in range(1, int(number**0.5) + 1) if number % each == 0]
    return sorted({*small, *(number // each for each in small)})


def _fold(needed: int, available: int) -> tuple[int, int]:
    """``(parts, copies)``: of something in more pieces than there are places, or the reverse."""
    if needed > available:
        return -(-needed // available), 1
    return 1, available // needed


def _passes(layer: Layer, inputs: int, outputs: int) -> int:
    """Of a layer, without those of images."""
    return -(-layer.inputs // inputs) * -(-layer.outputs // outputs)


def _describe(
    layer: Layer, folds: tuple[int, int], replicas: tuple[int, int], *, copies: bool
) -> Passes:
    fold_rows, fold_columns = folds
    inputs, outputs = replicas
    kernel, size, stride = layer.kernel, layer.output, layer.stride
    images = layer.batch * fold_columns
    trips = -(-layer.inputs // inputs), -(-layer.outputs // outputs), images
    part = -(-size // fold_columns)  # rows of an output in a pass
    width = (size - 1) * stride + kernel
    pes = -(-kernel // fold_rows) * part * fold_rows
    # parts of an input overlap: each row of outputs needs its own rows, and kernel − stride more
    rows_read = (size - fold_columns) * stride + kernel * fold_columns
    pairs = layer.inputs * layer.outputs
    dram = (
        kernel**2 * pairs,
        rows_read * width * layer.inputs * layer.batch,
        size**2 * layer.outputs * layer.batch,
    )
    return Passes(
        trips=trips,
        cycles=fold_rows * kernel * size * trips[INPUTS] * trips[OUTPUTS] * images,
        buffer_unit=(
            kernel**2 * inputs * outputs,
            ((part - 1) * stride + kernel) * width * inputs,
            part * size * outputs,
        ),
        register_unit=(kernel, kernel, 1),
        dram_words=dram,
        # a folded filter goes over the maps once for each part
        buffer_words=(dram[0], dram[1] * fold_rows, dram[2] * fold_rows),
        array_words=(
            kernel * pes * pairs,
            width * pes * layer.inputs * images * (outputs if copies else 1),
            size * pes * layer.outputs * images * (inputs if copies else 1),
        ),
    )
