"""A chunk forward through a stage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fractrain.host.compiler.sliding import Parity
from fractrain.host.compiler.whole_step.chunk import FORWARD, OTHERS, StageWriter, stash_span
from fractrain.host.compiler.whole_step.convolving import Planes, Taker
from fractrain.host.compiler.whole_step.memory_map import PIXEL_PLANES, SUM_BYTES, Stash
from fractrain.host.compiler.whole_step.network import Block, Layer, Stem, Unit
from fractrain.host.compiler.whole_step.sheets import norm_key
from fractrain.host.compiler.whole_step.stream import Span
from fractrain.host.graph.machine_records import ScaleKey
from fractrain.hw.contract.commands import Channel, Form, Narrow, Normalize, Second
from fractrain.hw.contract.precision import Pass


class ForwardChunk:
    """Chunk ``number`` of a stage. Held from unit to unit: r in the side memory, activations in the
    plane memory."""

    def __init__(self, stage: StageWriter, number: int) -> None:
        self.stage, self.number = stage, number
        self.chip, self.grid = stage.chip, stage.grid
        self.images = stage.chunks[number]
        self.count = len(self.images)
        self.lines = self.grid.lines(self.count)
        self._side: int | None = None
        self._rows: Planes | None = None

    def phases(self) -> Iterator[None]:
        """One for each turn of the array, with what the vector unit makes of it."""
        units = self.stage.stage.units
        for place, unit in enumerate(units):
            last = place == len(units) - 1
            if isinstance(unit, Stem):
                self._stem(unit, last=last)
                yield
                continue
            self._inside(unit)
            yield
            if unit.shortcut is None:
                self._identity(unit, last=last)
            else:
                self._shortcut(unit, unit.shortcut, last=last)
            yield
        if self._side is not None:
            self.chip.side.give(self._side)

    # -- units -----------------------------------------------------------------------------

    def _stem(self, unit: Stem, *, last: bool) -> None:
        stash = self.stage.memory.pixels
        y = self._from_memory(unit, unit.layer, stash, 0, PIXEL_PLANES)
        chunk = self._channel(unit, unit.layer)
        self._end(unit, unit.layer, y, chunk, last=last)
        self._give(y, chunk)

    def _inside(self, unit: Block) -> None:
        """First convolution and what is between both; activations of the block's input come from
        memory where it has another shape."""
        if self._rows is None:
            memory, layer = self.stage.memory, unit.first
            before = memory.stash[self._before(unit).last.name]
            bits = self.stage.graph.slots[unit.slot].widest.activation
            y = self._from_memory(unit, layer, before, memory.stash_planes.activations, bits)
        else:
            y = self._resident(unit, unit.first, self._rows)
        chunk = self._channel(unit, unit.first)
        self._rows = self._form_inside(unit, y, chunk)
        self._give(y, chunk)

    def _identity(self, unit: Block, *, last: bool) -> None:
        assert self._rows is not None
        y = self._resident(unit, unit.second, self._rows)
        chunk = self._channel(unit, unit.second)
        self._end(unit, unit.second, y, chunk, last=last)
        self._give(y, chunk)

    def _shortcut(self, unit: Block, shortcut: Layer, *, last: bool) -> None:
        """The shortcut is normalized beside the second convolution."""
        memory = self.stage.memory
        before = memory.stash[self._before(unit).last.name]
        bits = self.stage.graph.slots[shortcut.slot].widest.activation
        around = self._from_memory(unit, shortcut, before, memory.stash_planes.residual, bits)
        chunk = self._channel(unit, shortcut)
        self._normalize(shortcut, around, chunk)
        self.chip.records.give(chunk)
        assert self._rows is not None
        y = self._resident(unit, unit.second, self._rows)
        chunk = self._channel(unit, unit.second)
        self._end(unit, unit.second, y, chunk, last=last, around=around)
        self._give(y, chunk)
        self.chip.staging.give(around)

    def _before(self, unit: Block) -> Unit:
        units = self.stage.memory.network.units
        return units[units.index(unit) - 1]

    def _give(self, y: int, chunk: int) -> None:
        self.chip.staging.give(y)
        self.chip.records.give(chunk)

    # -- convolutions ----------------------------------------------------------------------

    def _from_memory(self, unit: Unit, layer: Layer, stash: Stash, plane: int, bits: int) -> int:
        """y of a tensor that comes in pieces; its lines."""
        y, convolving = self.chip.staging.take(self.lines), self.stage.convolving
        self._moments = self.chip.moments.take(self.grid.padded)
        header = FORWARD | {"slot": layer.slot}
        pieces = convolving.pieces(stash.grid.layout(1, bits), self.count)
        for piece in pieces:
            first = self.images.start + piece.start
            rows = convolving.load(stash, first, len(piece), plane, bits, header)
            self._convolve(unit, layer, rows, y, piece)
            self.chip.planes.give(rows.address)
        return y

    def _resident(self, unit: Unit, layer: Layer, rows: Planes) -> int:
        """y of a tensor that is on the chip for the last time."""
        y = self.chip.staging.take(self.lines)
        self._moments = self.chip.moments.take(self.grid.padded)
        self._convolve(unit, layer, rows, y, range(self.count))
        self.chip.planes.give(rows.address)
        self._rows = None
        return y

    def _convolve(self, unit: Unit, layer: Layer, rows: Planes, y: int, part: range) -> None:
        stage, channels = self.stage, self.chip.p.block.channels
        scale, record = stage.record(unit.name, ScaleKey(layer.narrow.name))
        peak, peaks = stage.peak(layer.narrow.name)
        group_lines = channels * self.grid.blocks * self.count

        def place(group: int, tiling: dict[str, Any], parity: Parity | None) -> list[Taker]:
            first = y + group * group_lines + channels * self.grid.blocks * part.start
            moments = self._moments + group * channels
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

    def _channel(self, unit: Unit, layer: Layer) -> int:
        """Chunk records of a layer, held from now on; its moments are read."""
        stage, padded = self.stage, self.grid.padded
        chunk = self.chip.records.take(padded)
        norm, norms = stage.record(unit.name, norm_key(unit, layer))
        out, statistics = stage.statistics(layer, self.number, backward=False)
        options = stage.graph.options.integers
        assert options is not None
        command = Channel(
            **FORWARD,
            slot=layer.slot,
            pixels=self.count * self.grid.height * self.grid.width,
            channel_groups=self.grid.groups,
            share=options.mixing,
            norm=norm,
            chunk=chunk,
            moments=self._moments,
            address=out,
        )
        moments = "moments", self._moments, self._moments + padded
        self.chip.add(command, [moments, norms], [("records", chunk, chunk + padded), statistics])
        self.chip.moments.give(self._moments)
        return chunk

    def _form_inside(self, unit: Block, y: int, chunk: int) -> Planes:
        stage = self.stage
        entry, stash = stage.shape(self.count), stage.stash(unit.first)
        norm, norms = stage.record(unit.name, norm_key(unit, unit.first))
        peak, peaks = stage.peak(unit.inside.name)
        rows = stage.planes(self.count, stage.graph.slots[unit.slot].widest.activation)
        command = Form(
            **FORWARD,
            slot=unit.slot,
            shape=entry,
            planed=True,
            stash_normalized=True,
            kept_slot=unit.slot,
            form_slot=unit.slot,
            source=y,
            norm=norm,
            chunk=chunk,
            planes=rows.address,
            stash=stash.at(self.images.start),
            peak=peak,
        )
        reads = [self._staged(y), norms, self._chunk_span(chunk)]
        self.chip.add(command, reads, [rows.span, stash_span(stash, self.images), peaks])
        return rows

    def _normalize(self, layer: Layer, lines: int, chunk: int) -> None:
        stash = self.stage.stash(layer)
        command = Normalize(
            **FORWARD,
            slot=layer.slot,
            shape=self.stage.shape(self.count),
            kept_slot=layer.slot,
            source=lines,
            destination=lines,
            chunk=chunk,
            stashed=True,
            stash=stash.at(self.images.start),
        )
        writes = [self._staged(lines), stash_span(stash, self.images)]
        self.chip.add(command, [self._chunk_span(chunk)], writes)

    def _end(
        self,
        unit: Unit,
        layer: Layer,
        y: int,
        chunk: int,
        *,
        last: bool,
        around: int | None = None,
    ) -> None:
        """The unit's output, and, of a block, what it is where the block is skipped."""
        stage, output = self.stage, unit.output
        entry, stash = stage.shape(self.count), stage.stash(layer)
        norm, norms = stage.record(unit.name, norm_key(unit, layer))
        peak, peaks = stage.peak(output.form.name)
        reads = [self._staged(y), norms, self._chunk_span(chunk)]
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
            "source": y,
            "norm": norm,
            "chunk": chunk,
            "stash": stash.at(self.images.start),
            "peak": peak,
        }
        if output.pooled:
            fields["pool"] = self._pool(unit)
            writes.append((f"pooled {unit.name}", self.images.start, self.images.stop))
        fields |= self._second(unit, around, reads)
        fields |= self._made(output.form_slot, last=last, writes=writes)
        stays = isinstance(unit, Block) and unit.shortcut is None
        kept = bool(fields["kept"])
        whole: dict[str, Any] = {"normalized": True, "stash_normalized": True, "stash_mask": True}
        host = unit is stage.memory.network.units[-1]
        skippable = isinstance(unit, Block)
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

    def _second(self, unit: Unit, around: int | None, reads: list[Span]) -> dict[str, Any]:
        """What is added to the batch norm."""
        if isinstance(unit, Stem):
            return {"second": Second.NONE}
        if unit.shortcut is None:
            assert self._side is not None
            record, span = self.stage.record(unit.name, ScaleKey(unit.output.form.name))
            reads += [span, ("side", self._side, self._side + self.lines)]
            second, address = Second.RESIDUAL, self._side
        else:
            assert around is not None
            record, span = self.stage.record(unit.name, norm_key(unit, unit.shortcut))
            reads += [span, self._staged(around)]
            second, address = Second.SHORTCUT, around
        return {"second": second, "second_address": address, "second_record": record}

    def _made(self, form_slot: int | None, *, last: bool, writes: list[Span]) -> dict[str, Any]:
        """What stays on the chip for the next unit of the stage."""
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

    def _pool(self, unit: Unit) -> int:
        region = self.stage.memory.pooled[unit.name]
        return region.address + SUM_BYTES * self.images.start * self.grid.padded

    def _staged(self, address: int) -> Span:
        return "staging", address, address + self.lines

    def _chunk_span(self, chunk: int) -> Span:
        return "records", chunk, chunk + self.grid.padded
