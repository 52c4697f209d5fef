"""A chunk back through a group of segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from fractrain.host.compiler.whole_step.carrying import CarryWriter, Held
from fractrain.host.compiler.whole_step.chunk import ERROR, GRADIENT, StageWriter
from fractrain.host.compiler.whole_step.convolving import Planes
from fractrain.host.compiler.whole_step.entering import ChunkPhases
from fractrain.host.compiler.whole_step.errors import ErrorWriter, Joined
from fractrain.host.compiler.whole_step.gradients import LayerGradient, Stashed
from fractrain.host.compiler.whole_step.groups import Stretch
from fractrain.host.compiler.whole_step.memory_map import PIXEL_PLANES, Stash
from fractrain.host.compiler.whole_step.network import Block, Layer, Segment, Stem
from fractrain.host.compiler.whole_step.overlap import ALL, AT_ONCE, PARTS_BELOW, Overlap
from fractrain.host.compiler.whole_step.parts import parts_of
from fractrain.host.compiler.whole_step.sheets import SAME, norm_key
from fractrain.host.compiler.whole_step.weights import Updating
from fractrain.host.graph.machine_records import ScaleKey
from fractrain.hw.contract.commands import Earlier, Recalled, Recompute


class BackwardChunk:
    """Chunk ``number`` of the stage of ``group``; ``below``: the stage before. ``updating``: where
    gradients are added up, and what becomes of them behind the last chunk."""

    def __init__(
        self,
        stage: StageWriter,
        below: StageWriter | None,
        group: Stretch,
        number: int,
        updating: Updating,
        overlap: Overlap,
    ) -> None:
        self.stage, self.below, self.group, self.number = stage, below, group, number
        self.chip, self.grid, self.overlap = stage.chip, stage.grid, overlap
        self.updating, self.last = updating, number == len(stage.chunks) - 1
        self.errors, self.carrying = ErrorWriter(stage, number), CarryWriter(stage, number)
        self.images, self.lines = stage.chunks[number], self.errors.lines
        self.count = len(self.images)
        self._pending: tuple[Layer, LayerGradient] | None = None
        self.fetched = self.entered = False
        """Whether E is there, and the errors behind the group."""
        self._inside_x: int | None = None
        self._output_x: int | None = None
        self._recomputed: Planes | None = None
        self.following: ChunkPhases | None = None
        """The next chunk, where there is room for what it begins with."""
        self._others: Callable[[], None] | None = None
        self.recomputes_ahead = False
        self.onward: BackwardChunk | None = None
        """The chunk of the stage before that goes on with its E, which stays on the chip."""
        self.handed: Held | None = None
        """That, of the other one."""

    def is_apart(self, other: BackwardChunk) -> bool:
        """Whether what it fetches is in memory before ``other`` ends."""
        return not range(
            max(self.images.start, other.images.start), min(self.images.stop, other.images.stop)
        )

    def phases(self) -> Iterator[None]:
        """Parts of what comes from memory; the errors behind the group (then it has `entered`);
        all up to its last gradient; that one."""
        first = self.group.segments[0]
        held = self.handed
        if held is None:
            held = self.carrying.hold()
            yield from self.carrying.fetch(first, held)
        self.fetched = True
        yield
        self.carrying.enter(first, held)
        e_last = self._apply_last(first, held)
        if self.overlap.recalls_ahead and isinstance(first, Block):
            yield
            yield from self._recall_inside_parts(first)
            if self.recomputes_ahead:
                self._recomputed = self._recompute(first)
        self.entered = True
        yield
        for segment in self.group.segments:
            if segment is not first and self.overlap.next_segment:
                e_last = self._apply_last(segment, held)
                self._end_pending()
            elif segment is not first:
                self._end_pending()
                e_last = self._apply_last(segment, held)
            held = self._segment(segment, held, e_last)
        yield
        self._end_pending()
        yield

    def _apply_last(self, segment: Segment, held: Held) -> Planes:
        """The quantized error of the segment's last convolution; x̂ and moments are free."""
        e = self.errors.apply(segment, segment.last, held, end=True)
        self.chip.side.give(held.x)
        return e

    def _end_pending(self) -> None:
        """The last gradient of the segment before."""
        assert self._pending is not None
        layer, gradient = self._pending
        self._finish(layer, gradient)
        self._pending = None

    # -- segments -----------------------------------------------------------------------------

    def _segment(self, segment: Segment, held: Held, e_last: Planes) -> Held:
        """All but its last gradient, which is pending; the error at its input, if that stays."""
        if isinstance(segment, Stem):
            self.chip.staging.give(held.e)
            pixels = self.stage.memory.pixels
            gradient = self._gradient_of(segment.layer, pixels, 0, PIXEL_PLANES, e_last)
            if self.overlap.recalls_ahead:
                gradient.begin()
            self._pending = segment.layer, gradient
            return held
        e_first = self._inside(segment, e_last)
        memory = self.stage.memory
        stash, plane = memory.input_of(segment), memory.stash_planes.activations
        bits = self.stage.graph.slots[segment.slot].widest.activation
        gradient = self._gradient_of(segment.first, stash, plane, bits, e_first)
        self._following = gradient
        if segment.shortcut is None:
            held = self._identity(segment, held, e_first)
        else:
            self._shortcut(segment, segment.shortcut, held, e_first)
        self._pending = segment.first, gradient
        return held

    # -- between the convolutions ----------------------------------------------------------

    def _inside(self, segment: Block, e_last: Planes) -> Planes:
        """Activations and mask again, the error there, the gradient of the second convolution; the
        error of the first one."""
        stage, slot = self.stage, segment.slot
        x = self._recall_inside(segment)
        a = self._recomputed or self._recompute(segment)
        self._inside_x = self._recomputed = None
        y = self.chip.staging.take(self.lines)
        held = Held(y, x, self.chip.moments.take(self.grid.padded))
        joined = Joined(stage, self.count, held, segment.inside_join, segment.name, slot)
        self.errors.windows(segment.second, e_last, [joined])
        if self.overlap.recalls_ahead:
            self._recall_output(segment)
        if not self.overlap.next_segment:
            self._resident_gradient(segment.second, a, e_last)
        e_first = self.errors.apply(segment, segment.first, held, end=False)
        if self.overlap.next_segment:
            self._resident_gradient(segment.second, a, e_last)
        self.chip.side.give(x)
        self.chip.staging.give(y)
        return e_first

    def _recall_inside(self, segment: Block) -> int:
        """Where x̂ between the convolutions is."""
        if self._inside_x is None:
            list(self._recall_inside_parts(segment))
        assert self._inside_x is not None
        return self._inside_x

    def _recall_inside_parts(self, segment: Block) -> Iterator[None]:
        x = self._inside_x = self.chip.side.take(self.lines)
        stash, slot = self.stage.stash(segment.first), segment.slot
        return self.stage.recall_parts(
            stash, self.images, Recalled.INSIDE, x, slot=slot, kept_slot=slot
        )

    def _recall_output(self, segment: Block) -> int:
        """Where x̂ is that the block's end needs: of the block before, and its mask, or of the
        shortcut."""
        if self._output_x is None:
            x = self._output_x = self.chip.side.take(self.lines)
            shortcut = segment.shortcut
            if shortcut is None:
                before = self.stage.memory.network.before(segment)
                self.carrying.recall(before, x, before.output.mask_slot, masked=True)
            else:
                stash, slot = self.stage.stash(shortcut), shortcut.slot
                self.stage.recall(stash, self.images, Recalled.END, x, slot=slot, kept_slot=slot)
        return self._output_x

    def _fetch_ahead(self, segment: Block) -> None:
        """For what follows ``segment``."""
        if not self.overlap.recalls_ahead:
            return
        self._following.begin()
        place = self.group.segments.index(segment) + 1
        following = self.group.segments[place] if place < len(self.group.segments) else None
        if isinstance(following, Block):
            self._recall_inside(following)
            if self.overlap.next_segment and self._following.is_small:
                self._recomputed = self._recompute(following)
        elif self.following is not None:
            self._others = self.following.enter_part
            if self.overlap.next_segment and self._following.is_small:
                self.following.recomputes_ahead()
            for _ in range(AT_ONCE if self._following.is_small else ALL):
                self.following.fetch_part()

    def _recompute(self, segment: Block) -> Planes:
        """Activations between the convolutions, and their mask, part by part as x̂ comes."""
        x, bits = self._recall_inside(segment), self.stage.graph.slots[segment.slot].widest
        a = self.stage.planes(self.count, bits.activation)
        record, records = self.stage.record(segment.name, norm_key(segment, segment.first))
        channels, blocks = self.chip.p.block.channels, self.grid.blocks
        for part in parts_of(self.grid.groups, self.count):
            first = x + channels * blocks * part.first(self.count)
            command = Recompute(
                **ERROR,
                slot=segment.slot,
                shape=self.stage.shape(len(part.images), len(part.groups), of=self.count),
                kept_slot=segment.slot,
                form_slot=segment.slot,
                side=first,
                norm=record + channels * part.groups.start,
                planes=a.address + a.group_stride * part.groups.start + blocks * part.images.start,
            )
            lines = "side", first, first + channels * blocks * part.size
            self.chip.add(command, [records, lines], [a.span, lines])
        return a

    # -- at the block's input --------------------------------------------------------------

    def _identity(self, segment: Block, held: Held, e_first: Planes) -> Held:
        """E there, in place of that at the output, which goes around the block. Where the group
        ``ends`` it goes to memory."""
        before = self.stage.memory.network.before(segment)
        ends = segment is self.group.segments[-1]
        join, slot = before.output.join, before.output.mask_slot
        moments = self.chip.moments.take(self.grid.padded)
        found = Held(held.e, self._recall_output(segment), moments)
        self._output_x = None
        joined = Joined(
            self.stage,
            self.count,
            found,
            join,
            before.name,
            slot,
            totals=not ends or self.stage.keeps_moments,
            earlier=Earlier.STREAM,
        )
        self.errors.windows(segment.first, e_first, [joined])
        self._fetch_ahead(segment)
        fields = {"slot": segment.slot, "skipped": True, "totals": joined.totals}
        fields |= {"masked": True, "mask_slot": slot}
        self.carrying.carry(before, ScaleKey(join.name, len(join.sums)), found, fields)
        if ends:
            self.carrying.spill(self.stage, self.images, found.e)
            self.chip.staging.give(found.e)
            self.chip.side.give(found.x)
            if joined.totals:
                self.stage.summed[self.number] = found.moments
            else:
                self.chip.moments.give(found.moments)
        return found

    def _shortcut(self, segment: Block, shortcut: Layer, held: Held, e_first: Planes) -> None:
        """E of the stage before, chunk by chunk of that, to memory."""
        stage, memory = self.stage, self.stage.memory
        moments = self.chip.moments.take(self.grid.padded)
        around = Held(held.e, self._recall_output(segment), moments)
        self._output_x = None
        slot = shortcut.slot
        self.carrying.carry(segment, SAME, around, {"slot": slot, "totals": True})
        e = self.errors.apply(segment, shortcut, around, end=True)
        self.chip.side.give(around.x)
        self.chip.staging.give(around.e)
        assert self.below is not None
        if self.onward is not None:
            self.onward.handed = replace(self.onward.carrying.hold(), summed=True)
        for images in self._parts_below(self.below):
            self._before_shortcut(segment, shortcut, e, e_first, self.below, images)
        if self.following is not None and self.overlap.recalls_ahead:
            self._others = self.following.fetch_part
        before = memory.input_of(segment)
        bits = stage.graph.slots[slot].widest.activation
        self._finish(
            shortcut, self._gradient_of(shortcut, before, memory.stash_planes.residual, bits, e)
        )
        if self.following is not None and self.overlap.recalls_ahead:
            self._others = self.following.enter_part  # its errors take the place of the shortcut's

    def _parts_below(self, below: StageWriter) -> Iterator[range]:
        """Images of the stage before whose errors are made at a time: parts of its chunks, so that
        one goes to memory beside the next. At last all of the chunk that goes on with them; its
        lines are held from the beginning, so there is less room for the others."""
        mine = [each for each in below.chunks if each.start in self.images]
        chunks = [each for each in mine if not self._goes_on(each)]
        parts = PARTS_BELOW[self.onward is not None] if self.overlap.recalls_ahead else 1
        for images in chunks:
            size = -(-len(images) // parts)
            for first in range(images.start, images.stop, size):
                yield range(first, min(first + size, images.stop))
        if self.onward is not None:
            yield self.onward.images

    def _goes_on(self, images: range) -> bool:
        """Whether E of ``images`` of the stage before stays on the chip."""
        return self.onward is not None and images.start in self.onward.images

    def _before_shortcut(
        self,
        segment: Block,
        shortcut: Layer,
        e: Planes,
        e_first: Planes,
        below: StageWriter,
        images: range,
    ) -> None:
        """Two convolutions: the shortcut's part first; alone where the block is skipped."""
        chip, before, count = self.chip, self.stage.memory.network.before(segment), len(images)
        join, slot = before.output.join, before.output.mask_slot
        held, totals = self._hold_below(below, images)
        tiles = self.grid if shortcut.geometry.stride > 1 else below.grid
        part_lines = chip.staging.take(2 * below.grid.padded * tiles.blocks * count)
        kept = {"slot": slot, "kept_slot": before.last.slot}
        stash = below.stash(before.last)
        below.recall(stash, images, Recalled.END, held.x, masked=True, **kept)
        self.carrying.clear(segment, before, below, count, held.e)
        names = [each.name for each in join.sums]
        assert segment.first.error is not None and shortcut.error is not None
        own, around = (
            names.index(each.result.name) for each in (segment.first.error, shortcut.error)
        )
        both = Joined(
            below,
            count,
            held,
            join,
            before.name,
            slot,
            scale=own,
            totals=totals,
            start=images.start == below.chunks[below.chunk_of(images.start)].start,
            part_lines=part_lines,
            earlier=Earlier.PART,
        )
        other = replace(both, scale=around, slot=segment.slot, earlier=Earlier.NONE)
        where = range(images.start - self.images.start, images.stop - self.images.start)
        joined = [replace(other, part=True), replace(other, skipped=True)]
        self.errors.windows(shortcut, e.part(where), joined)
        self.errors.windows(segment.first, e_first.part(where), [both])
        if not self._goes_on(images):
            self.carrying.spill(below, images, held.e)
        chip.staging.give(part_lines)
        if not self._goes_on(images):  # the lines are read until they are in memory
            self._let_go(below, images, held, totals=totals)

    def _hold_below(self, below: StageWriter, images: range) -> tuple[Held, bool]:
        """Room for E of ``images`` of the stage before, and whether its moments are kept: until it
        is back, or as it is handed on."""
        if self.onward is not None and self.onward.handed is not None and self._goes_on(images):
            return self.onward.handed, True
        chip, chunk = self.chip, below.chunk_of(images.start)
        lines = below.grid.lines(len(images))
        y, x = chip.staging.take(lines), chip.side.take(lines)
        found = below.summed.get(chunk)
        begins = images.start == below.chunks[chunk].start
        totals = found is not None or (begins and below.keeps_moments)
        if found is None:
            found = chip.moments.take(below.grid.padded)
        return Held(y, x, found), totals

    def _let_go(self, below: StageWriter, images: range, held: Held, *, totals: bool) -> None:
        """E is in memory."""
        self.chip.staging.give(held.e)
        self.chip.side.give(held.x)
        if totals:
            below.summed[below.chunk_of(images.start)] = held.moments
        else:
            self.chip.moments.give(held.moments)

    # -- gradients -------------------------------------------------------------------------

    def _resident_gradient(self, layer: Layer, a: Planes, e: Planes) -> None:
        """Of activations that are on the chip."""
        self._finish(layer, LayerGradient(self.stage.convolving, layer, a, e, self.images.start))

    def _gradient_of(
        self, layer: Layer, stash: Stash, plane: int, bits: int, e: Planes
    ) -> LayerGradient:
        """Of activations that come from memory."""
        a = Stashed(stash, plane, bits, GRADIENT | {"slot": layer.slot})
        return LayerGradient(self.stage.convolving, layer, a, e, self.images.start)

    def _finish(self, layer: Layer, gradient: LayerGradient) -> None:
        beat = self.updating.at(layer)
        stem = isinstance(self.group.segments[-1], Stem) and layer is self.group.segments[-1].layer
        gradient.finish(beat, add=self.number > 0, others=self._others, every=1 if stem else 2)
        if self.last:
            self.updating.end(layer)
