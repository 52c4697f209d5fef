"""Errors of a chunk that no convolution makes: behind the pooling, and from memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fractrain.host.compiler.whole_step.chunk import ERROR, OTHERS, StageWriter
from fractrain.host.compiler.whole_step.network import Segment
from fractrain.host.compiler.whole_step.sheets import LATE, SAME, late_key
from fractrain.host.compiler.whole_step.stream import Span
from fractrain.host.graph.machine_records import ScaleKey
from fractrain.hw.contract.commands import Carry, Fill, Recalled, Spill

FETCHED_PARTS, RECALLED_PARTS = 8, 4
"""Of E, and of x̂, between which the fetch stage may bring something else."""


@dataclass(frozen=True)
class Held:
    """Places of E at a segment's output, in the staging memory; of x̂ and mask of a batch norm
    there, in the side memory; of their moments."""

    e: int
    x: int
    moments: int


class CarryWriter:
    """Of chunk ``number`` of ``stage``."""

    def __init__(self, stage: StageWriter, number: int) -> None:
        self.stage, self.number, self.chip, self.grid = stage, number, stage.chip, stage.grid
        self.images = stage.chunks[number]
        self.count = len(self.images)
        self.lines = stage.grid.lines(self.count)

    def hold(self) -> Held:
        """Room for E at the output of a segment, and for x̂ there."""
        chip = self.chip
        lines, side = chip.staging.take(self.lines), chip.side.take(self.lines)
        return Held(lines, side, chip.moments.take(self.grid.padded))

    def fetch(self, segment: Segment, held: Held) -> Iterator[None]:
        """E at the output of ``segment`` from memory, unless it comes from behind the pooling; x̂
        there. In parts, between which the fetch stage may bring something else."""
        if self._is_last(segment):
            slot = segment.output.mask_slot
            yield from self.recall_parts(segment, held.x, slot, RECALLED_PARTS, masked=True)
            return
        size = -(-self.count // FETCHED_PARTS)
        for first in range(0, self.count, size):
            part = range(first, min(first + size, self.count))
            self.move(Fill, self.stage, self.images, held.e, part)
            yield
        slot = segment.last.slot
        yield from self.recall_parts(segment, held.x, slot, RECALLED_PARTS, masked=False)

    def enter(self, segment: Segment, held: Held) -> None:
        """E of what was fetched, with the moments of its last convolution's batch norm."""
        if self._is_last(segment):
            self._spread(segment, held)
        else:
            self.carry(segment, SAME, held, {"slot": segment.last.slot, "totals": True})

    def _is_last(self, segment: Segment) -> bool:
        return segment is self.stage.memory.network.segments[-1]

    def recall(self, segment: Segment, side: int, slot: int, *, masked: bool) -> None:
        """x̂ of the segment's last convolution, if ``slot`` has bits."""
        for _ in self.recall_parts(segment, side, slot, 1, masked=masked):
            pass

    def recall_parts(
        self, segment: Segment, side: int, slot: int, count: int, *, masked: bool
    ) -> Iterator[None]:
        """The same in ``count`` parts."""
        kept = {"slot": slot, "kept_slot": segment.last.slot}
        return self.stage.recall_parts(
            self.stage.stash(segment.last),
            self.images,
            Recalled.END,
            side,
            count,
            masked=masked,
            **kept,
        )

    def _spread(self, segment: Segment, held: Held) -> None:
        """Of the pooling: a value for each image and channel, which the host writes. It gives its
        token in front of the first chunk."""
        memory, groups, p = self.stage.memory, self.grid.groups, self.chip.p
        self.stage.sheet(LATE, wait_host=self.number == 0)
        lines = self.count * groups
        values = self.chip.staging.take(lines)
        fill = Fill(
            **ERROR,
            address=memory.spread.address + self.images.start * groups * p.line_bytes,
            lines=lines,
            destination=values,
        )
        span = "staging", values, values + lines
        self.chip.add(fill, [("spread", self.images.start, self.images.stop)], [span])
        fields = {"spread": True, "slot": OTHERS, "totals": True, "source": values}
        fields |= {"masked": True, "mask_slot": segment.output.mask_slot}
        self.carry(segment, late_key(memory.network), held, fields, LATE, span)
        self.chip.staging.give(values)

    def carry(
        self,
        segment: Segment,
        scale: ScaleKey | str,
        held: Held,
        fields: dict[str, Any],
        sheet: str = "",
        source: Span | None = None,
    ) -> None:
        """E of ``segment``'s output, in place unless there is a ``source``; records of its own
        ``sheet`` unless one is given."""
        record, records = self.stage.record(sheet or segment.name, scale)
        peak, peaks = self.stage.peak(segment.output.join.name)
        command = Carry(
            **ERROR,
            **{"source": held.e} | fields,
            shape=self.stage.shape(self.count),
            destination=held.e,
            scale=record,
            side_address=held.x,
            moments=held.moments,
            peak=peak,
        )
        staged = "staging", held.e, held.e + self.lines
        reads = [records, ("side", held.x, held.x + self.lines), source or staged]
        moments = "moments", held.moments, held.moments + self.grid.padded
        self.chip.add(command, reads, [staged, moments, peaks])

    def move(
        self,
        kind: type[Fill | Spill],
        stage: StageWriter,
        images: range,
        lines: int,
        part: range | None = None,
    ) -> None:
        """E of ``images`` of an output of ``stage``, between memory and ``lines`` on the chip; of
        only ``part`` of these images."""
        grid, p, channels = stage.grid, self.chip.p, self.chip.p.block.channels
        region = stage.memory.errors[stage.stage.number]
        per_image = grid.blocks * channels
        part = range(len(images)) if part is None else part
        first, count = lines + per_image * part.start, per_image * len(part)
        stride = per_image * len(images)
        side = "destination" if kind is Fill else "source"
        places: dict[str, Any] = {side: first, f"{side}_run_stride": stride}
        command = kind(
            **ERROR,
            address=region.address + (images.start + part.start) * per_image * p.line_bytes,
            runs=grid.groups,
            lines=count,
            run_stride=per_image * stage.memory.images,
            **places,
        )
        begin, end = images.start + part.start, images.start + part.stop
        memory: list[Span] = [(f"E {stage.stage.number}", begin, end)]
        chip: list[Span] = [
            ("staging", first + group * stride, first + group * stride + count)
            for group in range(grid.groups)
        ]
        reads, writes = (memory, chip) if kind is Fill else (chip, memory)
        self.chip.add(command, reads, writes)
