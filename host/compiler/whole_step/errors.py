"""Errors of a chunk: JOIN behind a convolution, CHANNEL and APPLY before a batch norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.compiler.sliding import Parity
from fractrain.host.compiler.whole_step.carrying import Held
from fractrain.host.compiler.whole_step.chunk import ERROR, StageWriter
from fractrain.host.compiler.whole_step.convolving import Planes, Taker
from fractrain.host.compiler.whole_step.network import Layer, Segment
from fractrain.host.compiler.whole_step.sheets import norm_key
from fractrain.host.compiler.whole_step.stream import Span
from fractrain.host.graph import operations as ops
from fractrain.host.graph.machine_records import ScaleKey
from fractrain.hw.contract.commands import Apply, Channel, Earlier, Join, Set
from fractrain.hw.contract.precision import Pass
from fractrain.hw.contract.records import RECORD_BYTES


@dataclass(frozen=True)
class Joined:
    """A JOIN to E of ``join``, of ``images`` of an output of ``stage``, as it is ``held``, with
    records of ``sheet``, of which ``scale`` is the part; masked if ``mask_slot`` has bits.

    ``part``: what it leaves is in ``part_lines``; PART is read there, STREAM in place. ``slot``:
    instead of the convolution's own.
    """

    stage: StageWriter
    images: int
    held: Held
    join: ops.Join
    sheet: str
    mask_slot: int
    scale: int = 0
    totals: bool = True
    slot: int | None = None
    skipped: bool = False
    part: bool = False
    part_lines: int = 0
    earlier: Earlier = Earlier.NONE
    start: bool = True

    def takers(
        self, layer: Layer, group: int, tiling: dict[str, Any], parity: Parity | None
    ) -> Taker:
        """The command for a group of channels."""
        stage, channels = self.stage, self.stage.p.block.channels
        record, records = stage.record(self.sheet, ScaleKey(self.join.name, self.scale))
        peak, peaks = stage.peak(self.join.name)
        size = channels * stage.grid.blocks * self.images
        lines, side = self.held.e + group * size, self.held.x + group * size
        tiles = tiling["images"] * tiling["tiles_y"] * tiling["tiles_x"]
        part_size = 2 * tiles * channels
        part = self.part_lines + group * part_size
        earlier = self.earlier
        if earlier is Earlier.PART and parity not in (None, (0, 0)):
            earlier = Earlier.NONE  # where no other convolution reaches
        moments = self.held.moments + group * channels
        fields: dict[str, Any] = {
            "slot": layer.slot if self.slot is None else self.slot,
            "skipped": self.skipped,
            "scale": record,
            "earlier": earlier,
            "earlier_address": part if earlier is Earlier.PART else lines,
            "moments": moments,
            "peak": peak,
        }
        staged, parts = ("staging", lines, lines + size), ("staging", part, part + part_size)
        reads: list[Span] = [records]
        if self.part:
            command = Join(**ERROR, **tiling, **fields | {"part": True, "address": part})
            return command, reads, [parts]
        fields |= {"address": lines, "masked": True, "mask_slot": self.mask_slot}
        fields |= {"side_address": side, "totals": self.totals}
        fields |= {"start": self.start and parity in (None, (0, 0))}
        if parity is not None:
            fields |= {"interleaved": True, "image_blocks": stage.grid.blocks}
            fields |= {"odd_row": bool(parity[0]), "odd_column": bool(parity[1])}
        reads += [("side", side, side + size), staged]
        reads += [parts] if earlier is Earlier.PART else []
        command = Join(**ERROR, **tiling, **fields)
        return command, reads, [staged, ("moments", moments, moments + channels), peaks]


class ErrorWriter:
    """Of chunk ``number`` of ``stage``."""

    def __init__(self, stage: StageWriter, number: int) -> None:
        self.stage, self.number, self.chip = stage, number, stage.chip
        self.images = stage.chunks[number]
        self.count = len(self.images)
        self.lines = stage.grid.lines(self.count)

    def windows(self, layer: Layer, e: Planes, joined: Sequence[Joined]) -> None:
        """The error of ``layer``; of ``joined`` one takes the tiles."""

        def place(group: int, tiling: dict[str, Any], parity: Parity | None) -> list[Taker]:
            return [each.takers(layer, group, tiling, parity) for each in joined]

        weights = self.stage.memory.weights[layer.name]
        self.stage.convolving.windows(Pass.ERROR, layer, e, weights, place)

    def apply(self, segment: Segment, layer: Layer, held: Held, *, end: bool) -> Planes:
        """The quantized error of ``layer``, in planes that are held from now on, from E and x̂ as
        they are ``held``; the moments are free."""
        stage, padded = self.stage, self.stage.grid.padded
        chunk = self.chip.records.take(padded)
        span = "records", chunk, chunk + padded
        self._bring(layer, chunk)
        given: dict[str, Any] = {"slot": layer.slot, "end": end, "kept_slot": layer.slot}
        self._channel(segment, layer, chunk, held.moments, given)
        self.chip.moments.give(held.moments)
        rows = stage.planes(self.count, stage.graph.slots[layer.slot].widest.error)
        peak, peaks = stage.peak(layer.apply.name)
        command = Apply(
            **ERROR,
            **given,
            shape=stage.shape(self.count),
            source=held.e,
            side=held.x,
            chunk=chunk,
            planes=rows.address,
            tensor=layer.apply.number,
            first_image=self.images.start,
            peak=peak,
        )
        staged = "staging", held.e, held.e + self.lines
        reads = [staged, ("side", held.x, held.x + self.lines), span]
        self.chip.add(command, reads, [rows.span, peaks])
        self.chip.records.give(chunk)
        return rows

    def _bring(self, layer: Layer, chunk: int) -> None:
        """What CHANNEL has found forward."""
        channels, p = self.stage.p.block.channels, self.stage.p
        for group in range(self.stage.grid.groups):
            address, statistics = self.stage.statistics(layer, self.number, group, backward=False)
            first = chunk + group * channels
            command = Set(
                address=address,
                words=RECORD_BYTES * channels // p.word_bytes,
                destination=first,
            )
            self.chip.add(command, [statistics], [("records", first, first + channels)])

    def _channel(
        self, segment: Segment, layer: Layer, chunk: int, moments: int, given: dict[str, Any]
    ) -> None:
        stage, grid = self.stage, self.stage.grid
        norm, norms = stage.record(segment.name, norm_key(segment, layer))
        scale, scales = stage.record(segment.name, ScaleKey(layer.apply.name))
        channels = self.stage.p.block.channels
        for group in range(grid.groups):
            first = channels * group
            address, statistics = stage.statistics(layer, self.number, group, backward=True)
            command = Channel(
                **ERROR,
                **given,
                backward=True,
                pixels=self.count * grid.height * grid.width,
                channel_groups=1,
                scale=scale,
                norm=norm + first,
                chunk=chunk + first,
                moments=moments + first,
                address=address,
            )
            span = "records", chunk + first, chunk + first + channels
            summed = "moments", moments + first, moments + first + channels
            self.chip.add(command, [summed, norms, scales, span], [span, statistics])
