"""Errors of a chunk that no convolution makes: behind the pooling, and from memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fractrain.host.compiler.whole_step.chunk import ERROR, OTHERS, StageWriter
from fractrain.host.compiler.whole_step.network import Block, Segment
from fractrain.host.compiler.whole_step.recording import HOST
from fractrain.host.compiler.whole_step.sheets import CLEAR, LATE, SAME, late_key
from fractrain.host.compiler.whole_step.stream import Span
from fractrain.host.graph.machine_records import ScaleKey
from fractrain.hw.contract.commands import Carry, Fill, Recalled, Spill

FETCHED_PARTS = 8
"""Of E, between which the fetch stage may bring something else."""
SPILLED_LINES = 1024
"""At a time, so that the vector unit may do something else."""


@dataclass(frozen=True)
class Held:
    """Places of E at a segment's output, in the staging memory; of x̂ and mask of a batch norm
    there, in the side memory; of their moments."""

    e: int
    x: int
    moments: int
    summed: bool = False
    """Whether the moments are there before E."""


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
        found = self.stage.summed.pop(self.number, None)
        if found is not None:
            return Held(lines, side, found, summed=True)
        return Held(lines, side, chip.moments.take(self.grid.padded))

    def fetch(self, segment: Segment, held: Held) -> Iterator[None]:
        """E at the output of ``segment`` from memory, unless it comes from behind the pooling; x̂
        there. In parts, between which the fetch stage may bring something else."""
        if self._is_last(segment):
            slot = segment.output.mask_slot
            yield from self.recall_parts(segment, held.x, slot, masked=True)
            return
        size = -(-self.count // FETCHED_PARTS)
        for first in range(0, self.count, size):
            part = range(first, min(first + size, self.count))
            self.fill(held.e, part)
            yield
        slot = segment.last.slot
        yield from self.recall_parts(segment, held.x, slot, masked=False)

    def enter(self, segment: Segment, held: Held) -> None:
        """E of what was fetched, with the moments of its last convolution's batch norm."""
        if self._is_last(segment):
            self._spread(segment, held)
        elif not held.summed:
            self.carry(segment, SAME, held, {"slot": segment.last.slot, "totals": True})

    def _is_last(self, segment: Segment) -> bool:
        return segment is self.stage.memory.network.segments[-1]

    def recall(self, segment: Segment, side: int, slot: int, *, masked: bool) -> None:
        """x̂ of the segment's last convolution, if ``slot`` has bits."""
        for _ in self.recall_parts(segment, side, slot, masked=masked):
            pass

    def recall_parts(
        self, segment: Segment, side: int, slot: int, *, masked: bool
    ) -> Iterator[None]:
        """The same, part by part."""
        kept = {"slot": slot, "kept_slot": segment.last.slot}
        return self.stage.recall_parts(
            self.stage.stash(segment.last),
            self.images,
            Recalled.END,
            side,
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
        self.chip.add(fill, [(HOST, 0, 1)], [span])
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

    def clear(
        self, segment: Block, before: Segment, below: StageWriter, images: int, y: int
    ) -> None:
        """Zeros for E of ``before`` in the stage ``below``, of which the error of the shortcut of
        ``segment`` writes every fourth."""
        record, records = below.record(before.name, CLEAR)
        peak, peaks = below.peak(before.output.join.name)
        command = Carry(
            **ERROR,
            slot=segment.slot,
            skipped=True,
            shape=below.shape(images),
            source=y,
            destination=y,
            scale=record,
            peak=peak,
        )
        lines = "staging", y, y + below.grid.lines(images)
        self.chip.add(command, [records, lines], [lines, peaks])

    def fill(self, lines: int, part: range) -> None:
        """E of ``part`` of the images from memory."""
        stage, grid, channels = self.stage, self.grid, self.chip.p.block.channels
        per_image = grid.blocks * channels
        stride, first = per_image * self.count, lines + per_image * part.start
        command = Fill(
            **ERROR,
            address=self._address(stage, self.images.start + part.start),
            runs=grid.groups,
            lines=per_image * len(part),
            run_stride=per_image * stage.memory.images,
            destination=first,
            destination_run_stride=stride,
        )
        begin = self.images.start
        places: list[Span] = [
            ("staging", first + group * stride, first + group * stride + per_image * len(part))
            for group in range(grid.groups)
        ]
        spans = [
            (f"E {stage.stage.number} {group}", begin + part.start, begin + part.stop)
            for group in range(grid.groups)
        ]
        self.chip.add(command, spans, places)

    def spill(self, stage: StageWriter, images: range, lines: int) -> None:
        """E of ``images`` of an output of ``stage`` to memory: some images of a group of channels
        at a time."""
        grid, p = stage.grid, self.chip.p
        per_image = grid.blocks * p.block.channels
        size = max(1, SPILLED_LINES // per_image)
        for group in range(grid.groups):
            for start in range(0, len(images), size):
                part = range(start, min(start + size, len(images)))
                first = lines + per_image * (group * len(images) + start)
                count = per_image * len(part)
                offset = group * per_image * stage.memory.images * p.line_bytes
                command = Spill(
                    **ERROR,
                    address=self._address(stage, images.start + start) + offset,
                    runs=1,
                    lines=count,
                    source=first,
                )
                begin = images.start + part.start
                span = f"E {stage.stage.number} {group}", begin, begin + len(part)
                self.chip.add(command, [("staging", first, first + count)], [span])

    @staticmethod
    def _address(stage: StageWriter, image: int) -> int:
        """Of the first line of an image's E, in the first group of channels."""
        region, p = stage.memory.errors[stage.stage.number], stage.p
        return region.address + image * stage.grid.blocks * p.block.channels * p.line_bytes
