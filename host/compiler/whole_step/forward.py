"""A chunk forward through a stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fractrain.host.compiler.sliding import Parity
from fractrain.host.compiler.whole_step.chunk import FORWARD, OTHERS, StageWriter, stash_span
from fractrain.host.compiler.whole_step.convolving import Planes, Taker
from fractrain.host.compiler.whole_step.memory_map import PIXEL_PLANES, SUM_BYTES, Stash
from fractrain.host.compiler.whole_step.network import Block, Layer, Segment, Stem
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
        self._rows: Planes | None = None

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
        if self._rows is None:
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
        assert rows is not None
        self._convolve(segment, y, rows, range(self.count))
        self.chip.planes.give(rows.address)
        self._rows = None
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
        """Records of the chunk; the moments are free."""
        stage, padded, layer = self.stage, self.grid.padded, y.layer
        norm, norms = stage.record(segment.name, norm_key(segment, layer))
        out, statistics = stage.statistics(layer, self.number, backward=False)
        command = Channel(
            **FORWARD,
            slot=layer.slot,
            pixels=self.count * self.grid.height * self.grid.width,
            channel_groups=self.grid.groups,
            norm=norm,
            chunk=y.records,
            moments=y.moments,
            address=out,
        )
        moments = "moments", y.moments, y.moments + padded
        self.chip.add(command, [moments, norms], [self._recorded(y), statistics])
        self.chip.moments.give(y.moments)

    def _form_inside(self, segment: Block, y: Narrowed) -> Planes:
        stage = self.stage
        entry, stash = stage.shape(self.count), stage.stash(segment.first)
        norm, norms = stage.record(segment.name, norm_key(segment, segment.first))
        peak, peaks = stage.peak(segment.inside.name)
        rows = stage.planes(self.count, stage.graph.slots[segment.slot].widest.activation)
        command = Form(
            **FORWARD,
            slot=segment.slot,
            shape=entry,
            planed=True,
            stash_normalized=True,
            kept_slot=segment.slot,
            form_slot=segment.slot,
            source=y.lines,
            norm=norm,
            chunk=y.records,
            planes=rows.address,
            stash=stash.at(self.images.start),
            peak=peak,
        )
        reads = [self._staged(y), norms, self._recorded(y)]
        self.chip.add(command, reads, [rows.span, stash_span(stash, self.images), peaks])
        return rows

    def _normalize(self, y: Narrowed) -> None:
        """In place."""
        layer, stash = y.layer, self.stage.stash(y.layer)
        command = Normalize(
            **FORWARD,
            slot=layer.slot,
            shape=self.stage.shape(self.count),
            kept_slot=layer.slot,
            source=y.lines,
            destination=y.lines,
            chunk=y.records,
            stashed=True,
            stash=stash.at(self.images.start),
        )
        writes = [self._staged(y), stash_span(stash, self.images)]
        self.chip.add(command, [self._recorded(y)], writes)

    def _end(
        self, segment: Segment, y: Narrowed, *, last: bool, around: Narrowed | None = None
    ) -> None:
        """The segment's output, and, of a block, what it is where the block is skipped; y is
        free."""
        stage, output, layer = self.stage, segment.output, y.layer
        entry, stash = stage.shape(self.count), stage.stash(layer)
        norm, norms = stage.record(segment.name, norm_key(segment, layer))
        peak, peaks = stage.peak(output.form.name)
        reads = [self._staged(y), norms, self._recorded(y)]
        writes = [stash_span(stash, self.images), peaks]
        fields: dict[str, Any] = {
            **FORWARD,
            "slot": layer.slot,
            "shape": entry,
            "end": True,
            "stash_activations": output.form_slot is not None,
            "stash_residual": output.top,
            "pooled": output.pooled,
            "kept_slot": layer.slot,
            "form_slot": OTHERS if output.form_slot is None else output.form_slot,
            "residual_bits": self._residual_bits,
            "source": y.lines,
            "norm": norm,
            "chunk": y.records,
            "stash": stash.at(self.images.start),
            "peak": peak,
        }
        if output.pooled:
            fields["pool"] = self._pool(segment)
            writes.append((f"pooled {segment.name}", self.images.start, self.images.stop))
        fields |= self._second(segment, around, reads)
        fields |= self._made(output.form_slot, last=last, writes=writes)
        stays = isinstance(segment, Block) and segment.shortcut is None
        kept = bool(fields["kept"])
        whole: dict[str, Any] = {"normalized": True, "stash_normalized": True, "stash_mask": True}
        host = segment is stage.memory.network.segments[-1]
        skippable = isinstance(segment, Block)
        form = Form(**fields, **whole)
        self.chip.add(form, reads, writes, signal_host=host and not skippable)
        if skippable:
            bare: dict[str, Any] = {"normalized": False, "skipped": True, "stash_mask": not stays}
            form = Form(**fields | {"kept": kept and not stays}, **bare)
            self.chip.add(form, reads, writes, signal_host=host)
        self._give(y)

    @property
    def _residual_bits(self) -> int:
        options = self.stage.graph.options.integers
        assert options is not None
        return options.residual_bits

    def _second(
        self, segment: Segment, around: Narrowed | None, reads: list[Span]
    ) -> dict[str, Any]:
        """What is added to the batch norm."""
        if isinstance(segment, Stem):
            return {"second": Second.NONE}
        if segment.shortcut is None:
            assert self._side is not None
            record, span = self.stage.record(segment.name, ScaleKey(segment.output.form.name))
            reads += [span, ("side", self._side, self._side + self.lines)]
            second, address = Second.RESIDUAL, self._side
        else:
            assert around is not None
            record, span = self.stage.record(segment.name, norm_key(segment, segment.shortcut))
            reads += [span, self._staged(around)]
            second, address = Second.SHORTCUT, around.lines
        return {"second": second, "second_address": address, "second_record": record}

    def _made(self, form_slot: int | None, *, last: bool, writes: list[Span]) -> dict[str, Any]:
        """What stays on the chip for the next segment of the stage."""
        if last or form_slot is None:
            return {"planed": False, "kept": False}
        self._rows = self.stage.planes(
            self.count, self.stage.graph.slots[form_slot].widest.activation
        )
        if self._side is None:
            self._side = self.chip.side.take(self.lines)
        writes += [self._rows.span, ("side", self._side, self._side + self.lines)]
        places = {"planes": self._rows.address, "side": self._side}
        return {"planed": True, "kept": True, **places}

    def _pool(self, segment: Segment) -> int:
        region = self.stage.memory.pooled[segment.name]
        return region.address + SUM_BYTES * self.images.start * self.grid.padded

    def _staged(self, y: Narrowed) -> Span:
        return "staging", y.lines, y.lines + self.lines

    def _recorded(self, y: Narrowed) -> Span:
        return "records", y.records, y.records + self.grid.padded
