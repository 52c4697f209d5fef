"""What a step must leave in the stash, byte by byte, from golden's values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractrain.host.compiler.whole_step import WholeStep
from fractrain.host.compiler.whole_step.memory_map import Stash
from fractrain.host.compiler.whole_step.network import Block, Segment
from fractrain.host.execution import Run
from fractrain.host.graph import operations as ops
from fractrain.host.graph.operations import Operation, width
from fractrain.host.machine.vector_machine import VectorMachine
from fractrain.hw.contract.errors import MismatchError
from fractrain.hw.contract.numerics import MIN_RESIDUAL_BITS
from fractrain.hw.contract.precision import Precision

ANYTHING = 0x5C
"""Bytes of the stash before the step."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class _Formed:
    """By place of the batch norm, x̂ and its bits; activations, r and mask, None where there are
    none."""

    kept: dict[int, tuple[Any, int]]
    activations: Any
    residual: Any
    mask: Any


class FormedValues:
    """What golden's `Form`s make, by name. `observe` is the executor's observer."""

    def __init__(self) -> None:
        self.by_name: dict[str, _Formed] = {}

    def observe(self, operation: Operation, run: Run) -> None:
        if not isinstance(operation, ops.Form):
            return

        def integers(tensor: Any) -> Any:
            found = run.optional(tensor)
            return None if found is None else np.array(getattr(found, "integers", found))

        kept = {}
        for place, tensor in enumerate(operation.kept):
            each = run.optional(tensor)
            if each is not None:
                kept[place] = np.array(each.x), each.form.bits
        parts = operation.a, operation.r, operation.mask
        self.by_name[operation.name] = _Formed(kept, *map(integers, parts))


class StashCheck:
    """Fills the stash of ``step`` in the memory of ``machine``, and checks it after the step."""

    def __init__(self, step: WholeStep, machine: VectorMachine) -> None:
        self._step, self._machine = step, machine
        for each in step.memory.stash.values():
            self._bytes(each)[:] = ANYTHING
            machine.written(self._first(each), each.size)

    def check(self, formed: FormedValues, table: Sequence[Precision]) -> int:
        """Bytes that are right: planes that golden's values fill, and all others as they were.

        Raises `MismatchError` for the first plane with a wrong one.
        """
        compared = 0
        for segment in self._step.memory.network.segments:
            for stash, parts in self._segment(segment, formed, table):
                compared += self._compare(stash, parts)
        return compared

    def _segment(
        self, segment: Segment, formed: FormedValues, table: Sequence[Precision]
    ) -> Iterator[tuple[Stash, list[tuple[int, Any, int]]]]:
        """Each stash, with (first plane, values, bits) of what is in it."""
        memory = self._step.memory
        planes, output = memory.stash_planes, segment.output
        end = formed.by_name[output.form.name]
        if isinstance(segment, Block):
            inside = formed.by_name.get(segment.inside.name)
            kept = {} if inside is None else inside.kept
            yield memory.stash[segment.first.name], [(0, *each) for each in kept.values()]
            if segment.shortcut is not None:
                x = end.kept[segment.shortcut.part]
                yield memory.stash[segment.shortcut.name], [(0, *x)]
        parts: list[tuple[int, Any, int]] = []
        if segment.last.part in end.kept:
            parts.append((0, *end.kept[segment.last.part]))
        if end.mask is not None:
            parts.append((planes.mask, end.mask, 1))
        if output.form_slot is not None and end.activations is not None:
            parts.append((planes.activations, end.activations, width(output.form.bits, table)))
        if output.top:
            options = memory.network.graph.options.integers
            assert options is not None
            top = end.residual >> (options.residual_bits - MIN_RESIDUAL_BITS)
            parts.append((planes.residual, top, MIN_RESIDUAL_BITS))
        yield memory.stash[segment.last.name], parts

    def _compare(self, stash: Stash, parts: list[tuple[int, Any, int]]) -> int:
        self._machine.seen(self._first(stash), stash.size)
        plane_bytes = stash.plane_stride * stash.grid.parameters.word_bytes
        wanted = np.full(stash.size, ANYTHING, np.uint8)
        for first, values, bits in parts:
            layout = stash.grid.layout(stash.images, bits)
            part = wanted[first * plane_bytes :][: bits * plane_bytes]
            layout.pack(np.asarray(values).astype(np.int64), part, bits)
        wrong = np.flatnonzero(self._bytes(stash) != wanted)
        if len(wrong):
            plane, byte = divmod(int(wrong[0]), plane_bytes)
            raise MismatchError(
                f"{stash.name}, plane {plane} of {stash.planes}, byte {byte}: not golden's; "
                f"{len(wrong)} of {stash.size} bytes differ"
            )
        return stash.size

    def _first(self, stash: Stash) -> int:
        return stash.address - self._step.base_address

    def _bytes(self, stash: Stash) -> Bytes:
        return self._machine.memory(self._step.memory_bytes)[self._first(stash) :][: stash.size]
