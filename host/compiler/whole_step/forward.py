"""A chunk forward through a stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fractrain.host.compiler.sliding import Parity
from fractrain.host.compiler.whole_step.chunk import FORWARD, OTHERS, StageWriter
from fractrain.host.compiler.whole_step.convolving import Planes, Taker
from fractrain.host.compiler.whole_step.memory_map import PIXEL_PLANES, SUM_BYTES, Stash
from fractrain.host.compiler.whole_step.network import Block, Layer, Segment, Stem
from fractrain.host.compiler.whole_step.parts import Part, parts_of
from fractrain.host.compiler.whole_step.sheets import norm_key
from fractrain.host.compiler.whole_step.stream import Span
from fractrain.host.compiler.whole_step.weights import Quantizing
from fractrain.host.graph.machine_records import ScaleKey
from fractrain.hw.contract.commands import Channel, Form, Narrow, Normalize, Second
from fractrain.hw.contract.precision import Pass


@dataclass(frozen=True)
class Narrowed:
    """y of ``layer`` at ``lines`` of the staging memory, its ``moments``, and the ``records`` that
    CHANNEL makes of these, all of them held."""

    layer: Layer
    lines: int
    moments: int
    records: int


class ForwardChunk:
    """Chunk ``number`` of a stage. Held from segment to segment: r in the side memory, activations
    in the plane memory."""

    def __init__(self, stage: StageWriter, number: int, weights: Quantizing) -> None:
        self.stage, self.number, self.weights = stage, number, weights
        self.chip, self.grid = stage.chip, stage.grid
        self.images = stage.chunks[number]
        self.count = len(self.images)
        self.lines = self.grid.lines(self.count)
        self._side: int | None = None
        self._rows: list[Planes] = []
        """Of some images each, one behind the other."""

    def phases(self) -> Iterator[None]:
        """One for each turn of the array, with what the vector unit makes of it."""
        segments = self.stage.stage.segments
        for place, segment in enumerate(segments):
            last = place == len(segments) - 1
            self.weights.until(segment)
            if isinstance(segment, Stem):
                self._stem(segment, last=last)
                self.weights.ahead(segment)
                yield
                continue
            self._inside(segment)
            self.weights.ahead(segment)
            yield
            if segment.shortcut is None:
                self._identity(segment, last=last)
            else:
                self._shortcut(segment, segment.shortcut, last=last)
            self.weights.ahead(segment)
            yield
        if self._side is not None:
            self.chip.side.give(self._side)

    # -- segments -----------------------------------------------------------------------------

    def _stem(self, segment: Stem, *, last: bool) -> None:
        stash = self.stage.memory.pixels
        y = self._from_memory(segment, segment.layer, stash, 0, PIXEL_PLANES)
        self._end(segment, y, last=last)

    def _inside(self, segment: Block) -> None:
        """First convolution and what is between both; activations of the block's input come from
        memory where it has another shape."""
        if not self._rows:
            memory, layer = self.stage.memory, segment.first
            before = memory.input_of(segment)
            bits = self.stage.graph.slots[segment.slot].widest.activation
            y = self._from_memory(segment, layer, before, memory.stash_planes.activations, bits)
        else:
            y = self._resident(segment, segment.first)
        self._rows = self._form_inside(segment, y)
        self._give(y)

    def _identity(self, segment: Block, *, last: bool) -> None:
        self._end(segment, self._resident(segment, segment.second), last=last)

    def _shortcut(self, segment: Block, shortcut: Layer, *, last: bool) -> None:
        """The shortcut is normalized beside the second convolution."""
        memory = self.stage.memory
        before = memory.input_of(segment)
        bits = self.stage.graph.slots[shortcut.slot].widest.activation
        around = self._from_memory(segment, shortcut, before, memory.stash_planes.residual, bits)
        self._normalize(around)
        self._end(segment, self._resident(segment, segment.second), last=last, around=around)
        self._give(around)

    # -- convolutions ----------------------------------------------------------------------

    def _narrowed(self, layer: Layer) -> Narrowed:
        lines, padded = self.chip.staging.take(self.lines), self.grid.padded
        records = self.chip.records.take(padded)
        return Narrowed(layer, lines, self.chip.moments.take(padded), records)

    def _give(self, y: Narrowed) -> None:
        self.chip.staging.give(y.lines)
        self.chip.records.give(y.records)

    def _from_memory(
        self, segment: Segment, layer: Layer, stash: Stash, plane: int, bits: int
    ) -> Narrowed:
        """y of a tensor that comes in pieces."""
        y, convolving = self._narrowed(layer), self.stage.convolving
        header = FORWARD | {"slot": layer.slot}
        for piece in convolving.pieces(stash.grid.layout(1, bits), self.count):
            first = self.images.start + piece.start
            rows = convolving.load(stash, first, len(piece), plane, bits, header)
            self._convolve(segment, y, rows, piece)
            self.chip.planes.give(rows.address)
        self._channel(segment, y)
        return y

    def _resident(self, segment: Segment, layer: Layer) -> Narrowed:
        """y of the activations on the chip, which are free."""
        y, rows = self._narrowed(layer), self._rows
        assert rows
        first = 0
        for each in rows:
            self._convolve(segment, y, each, range(first, first + each.images))
            self.chip.planes.give(each.address)
            first += each.images
        self._rows = []
        self._channel(segment, y)
        return y

    def _convolve(self, segment: Segment, y: Narrowed, rows: Planes, part: range) -> None:
        stage, channels, layer = self.stage, self.chip.p.block.channels, y.layer
        scale, record = stage.record(segment.name, ScaleKey(layer.narrow.name))
        peak, peaks = stage.peak(layer.narrow.name)
        group_lines = channels * self.grid.blocks * self.count

        def place(group: int, tiling: dict[str, Any], parity: Parity | None) -> list[Taker]:
            first = y.lines + group * group_lines + channels * self.grid.blocks * part.start
            moments = y.moments + group * channels
            command = Narrow(
                **FORWARD,
                **tiling,
                slot=layer.slot,
                address=first,
                scale=scale,
                moments=moments,
                start=part.start == 0,
                peak=peak,
            )
            lines = "staging", first, first + channels * self.grid.blocks * len(part)
            written = [lines, ("moments", moments, moments + channels), peaks]
            return [(command, [record], written)]

        weights = stage.memory.weights[layer.name]
        stage.convolving.windows(Pass.FORWARD, layer, rows, weights, place)

    # -- the vector unit -------------------------------------------------------------------

    def _channel(self, segment: Segment, y: Narrowed) -> None:
        """Records of the chunk, a group of channels as soon as its moments are there; these are
        free."""
        stage, channels, layer = self.stage, self.chip.p.block.channels, y.layer
        norm, norms = stage.record(segment.name, norm_key(segment, layer))
        for group in range(self.grid.groups):
            first = channels * group
            out, statistics = stage.statistics(layer, self.number, group, backward=False)
            command = Channel(
                **FORWARD,
                slot=layer.slot,
                pixels=self.count * self.grid.height * self.grid.width,
                channel_groups=1,
                norm=norm + first,
                chunk=y.records + first,
                moments=y.moments + first,
                address=out,
            )
            moments = "moments", y.moments + first, y.moments + first + channels
            recorded = "records", y.records + first, y.records + first + channels
            self.chip.add(command, [moments, norms], [recorded, statistics])
        self.chip.moments.give(y.moments)

    def _parts(self, *, pooled: bool = False) -> list[Part]:
        """What is formed at a time; sums of an image are ``pooled`` over all channels."""
        return parts_of(self.grid.groups, self.count, whole=pooled)

    def _fields(self, y: Narrowed, part: Part, stash: Stash) -> dict[str, Any]:
        """Where a command finds ``part`` of ``y``, and where its stash is."""
        group = self.chip.p.word_bytes * stash.group_stride
        return {
            "shape": self.stage.shape(len(part.images), len(part.groups)),
            "source": self._staged(y, part)[1],
            "chunk": y.records + self.chip.p.block.channels * part.groups.start,
            "stash": stash.at(self.images.start + part.images.start) + group * part.groups.start,
        }

    def _planes(self, bits: int, parts: list[Part]) -> list[Planes]:
        """Room for activations: of the images of each of ``parts``."""
        found: list[Planes] = []
        for part in parts:
            if part.groups.start == 0:
                found.append(self.stage.planes(len(part.images), bits))
        return found

    @staticmethod
    def _into(rows: list[Planes], part: Part) -> tuple[int, Span]:
        """Address of ``part`` of them, and what a command writes there."""
        place = 0 if part.groups.start or part.images.start == 0 else -1
        found = rows[place]
        return found.address + found.group_stride * part.groups.start, found.span

    def _form_inside(self, segment: Block, y: Narrowed) -> list[Planes]:
        stage, channels = self.stage, self.chip.p.block.channels
        stash, parts = stage.stash(segment.first), self._parts()
        norm, norms = stage.record(segment.name, norm_key(segment, segment.first))
        peak, peaks = stage.peak(segment.inside.name)
        rows = self._planes(stage.graph.slots[segment.slot].widest.activation, parts)
        for part in parts:
            planes, span = self._into(rows, part)
            command = Form(
                **FORWARD,
                **self._fields(y, part, stash),
                slot=segment.slot,
                planed=True,
                stash_normalized=True,
                kept_slot=segment.slot,
                form_slot=segment.slot,
                norm=norm + channels * part.groups.start,
                planes=planes,
                peak=peak,
            )
            reads = [self._staged(y, part), norms, self._recorded(y, part)]
            self.chip.add(command, reads, [span, self._stashed(stash, part), peaks])
        return rows

    def _stashed(self, stash: Stash, part: Part) -> Span:
        first = self.images.start
        return stash.name, first + part.images.start, first + part.images.stop

    def _normalize(self, y: Narrowed) -> None:
        """In place."""
        layer, stash = y.layer, self.stage.stash(y.layer)
        for part in self._parts():
            fields = self._fields(y, part, stash)
            command = Normalize(
                **FORWARD,
                **fields,
                slot=layer.slot,
                kept_slot=layer.slot,
                destination=fields["source"],
                stashed=True,
            )
            writes = [self._staged(y, part), self._stashed(stash, part)]
            self.chip.add(command, [self._recorded(y, part)], writes)

    def _end(
        self, segment: Segment, y: Narrowed, *, last: bool, around: Narrowed | None = None
    ) -> None:
        """The segment's output, and, of a block, what it is where the block is skipped; y is
        free."""
        output = segment.output
        parts = self._parts(pooled=output.pooled)
        rows = self._rows_of(output.form_slot, parts, last=last)
        for part in parts:
            self._end_part(segment, y, part, around, rows)
        self._rows = rows
        self._give(y)

    def _end_part(
        self,
        segment: Segment,
        y: Narrowed,
        part: Part,
        around: Narrowed | None,
        rows: list[Planes],
    ) -> None:
        """A part of it; ``rows``: what stays on the chip for the next segment of the stage."""
        host = part.last and segment is self.stage.memory.network.segments[-1]
        stage, output, layer = self.stage, segment.output, y.layer
        stash, channels = stage.stash(layer), self.chip.p.block.channels
        norm, norms = stage.record(segment.name, norm_key(segment, layer))
        peak, peaks = stage.peak(output.form.name)
        reads = [self._staged(y, part), norms, self._recorded(y, part)]
        writes = [self._stashed(stash, part), peaks]
        fields: dict[str, Any] = {
            **FORWARD,
            **self._fields(y, part, stash),
            "slot": layer.slot,
            "end": True,
            "stash_activations": output.form_slot is not None,
            "stash_residual": output.top,
            "pooled": output.pooled,
            "kept_slot": layer.slot,
            "form_slot": OTHERS if output.form_slot is None else output.form_slot,
            "residual_bits": self._residual_bits,
            "norm": norm + channels * part.groups.start,
            "peak": peak,
        }
        if output.pooled:
            first = self.images.start + part.images.start
            fields["pool"] = self._pool(segment, first)
            writes.append((f"pooled {segment.name}", first, first + len(part.images)))
        fields |= self._second(segment, part, around, reads)
        fields |= self._made(rows, part, writes)
        stays = isinstance(segment, Block) and segment.shortcut is None
        kept = bool(fields["kept"])
        whole: dict[str, Any] = {"normalized": True, "stash_normalized": True, "stash_mask": True}
        skippable = isinstance(segment, Block)
        form = Form(**fields, **whole)
        self.chip.add(form, reads, writes, signal_host=host and not skippable)
        if skippable:
            bare: dict[str, Any] = {"normalized": False, "skipped": True, "stash_mask": not stays}
            form = Form(**fields | {"kept": kept and not stays}, **bare)
            self.chip.add(form, reads, writes, signal_host=host)

    @property
    def _residual_bits(self) -> int:
        options = self.stage.graph.options.integers
        assert options is not None
        return options.residual_bits

    def _second(
        self, segment: Segment, part: Part, around: Narrowed | None, reads: list[Span]
    ) -> dict[str, Any]:
        """What is added to the batch norm."""
        if isinstance(segment, Stem):
            return {"second": Second.NONE}
        if segment.shortcut is None:
            record, span = self.stage.record(segment.name, ScaleKey(segment.output.form.name))
            kept = self._kept(part)
            reads += [span, kept]
            second, address = Second.RESIDUAL, kept[1]
        else:
            assert around is not None
            record, span = self.stage.record(segment.name, norm_key(segment, segment.shortcut))
            record += self.chip.p.block.channels * part.groups.start
            staged = self._staged(around, part)
            reads += [span, staged]
            second, address = Second.SHORTCUT, staged[1]
        return {"second": second, "second_address": address, "second_record": record}

    def _rows_of(self, form_slot: int | None, parts: list[Part], *, last: bool) -> list[Planes]:
        """Room for activations and r, which stay on the chip for the next segment of the stage."""
        if last or form_slot is None:
            return []
        if self._side is None:
            self._side = self.chip.side.take(self.lines)
        return self._planes(self.stage.graph.slots[form_slot].widest.activation, parts)

    def _made(self, rows: list[Planes], part: Part, writes: list[Span]) -> dict[str, Any]:
        """What stays of ``part``."""
        if not rows:
            return {"planed": False, "kept": False}
        kept, (planes, span) = self._kept(part), self._into(rows, part)
        writes += [span, kept]
        return {"planed": True, "kept": True, "planes": planes, "side": kept[1]}

    def _pool(self, segment: Segment, image: int) -> int:
        region = self.stage.memory.pooled[segment.name]
        return region.address + SUM_BYTES * image * self.grid.padded

    def _staged(self, y: Narrowed, part: Part) -> Span:
        return self._lines_of("staging", y.lines, part)

    def _kept(self, part: Part) -> Span:
        """r."""
        assert self._side is not None
        return self._lines_of("side", self._side, part)

    def _lines_of(self, memory: str, first: int, part: Part) -> Span:
        image = self.chip.p.block.channels * self.grid.blocks
        first += image * (self.count * part.groups.start + part.images.start)
        return memory, first, first + image * len(part.images) * len(part.groups)

    def _recorded(self, y: Narrowed, part: Part) -> Span:
        channels = self.chip.p.block.channels
        first = y.records + channels * part.groups.start
        return "records", first, first + channels * len(part.groups)
