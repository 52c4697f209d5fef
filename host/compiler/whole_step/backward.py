"""A chunk back through a group of units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fractrain.host.compiler.whole_step.chunk import ERROR, GRADIENT, OTHERS, StageWriter
from fractrain.host.compiler.whole_step.convolving import Planes
from fractrain.host.compiler.whole_step.errors import ErrorWriter, Joined
from fractrain.host.compiler.whole_step.groups import Group
from fractrain.host.compiler.whole_step.memory_map import PIXEL_PLANES, Stash
from fractrain.host.compiler.whole_step.network import Block, Layer, Stem, Unit
from fractrain.host.compiler.whole_step.sheets import CLEAR, LATE, SAME, late_key
from fractrain.host.graph.machine_records import ScaleKey
from fractrain.hw.contract.commands import Carry, Earlier, Fill, Recalled, Recompute, Spill
from fractrain.hw.contract.precision import Pass


@dataclass(frozen=True)
class Overlap:
    """What stands beside the last gradient of a unit: errors of the ``next_chunk``, and those of
    the next unit (``next_unit``). Either takes planes of its own."""

    next_chunk: bool = True
    next_unit: bool = True


class BackwardChunk:
    """Chunk ``number`` of the stage of ``group``. ``sums``: beats of the gradient memory, by layer.

    Held from unit to unit: E at its output in the staging memory; x̂ and mask of its last batch norm
    in the side memory; their moments.
    """

    def __init__(
        self,
        stage: StageWriter,
        below: StageWriter | None,
        group: Group,
        number: int,
        sums: Mapping[str, int],
        overlap: Overlap,
    ) -> None:
        self.stage, self.below, self.group, self.number = stage, below, group, number
        self.chip, self.grid, self.overlap, self.sums = stage.chip, stage.grid, overlap, sums
        self.errors = ErrorWriter(stage, number)
        self.images, self.lines = stage.chunks[number], self.errors.lines
        self.count = len(self.images)
        self._pending: Callable[[], None] | None = None

    def phases(self) -> Iterator[None]:
        """The errors behind the group; all up to its last gradient; that one."""
        for place, unit in enumerate(self.group.units):
            if place == 0:
                self._enter(unit)
                self._apply_last(unit)
                yield
            elif self.overlap.next_unit:
                self._apply_last(unit)
                self._end_pending()
            else:
                self._end_pending()
                self._apply_last(unit)
            self._unit(unit, ends=place == len(self.group.units) - 1)
        yield
        self._end_pending()
        yield

    def _end_pending(self) -> None:
        assert self._pending is not None
        self._pending()
        self._pending = None

    # -- E behind the group ------------------------------------------------------------------

    def _enter(self, unit: Unit) -> None:
        """E at the output of the group's last unit, with its moments."""
        self.e = self.chip.staging.take(self.lines)
        self.x = self.chip.side.take(self.lines)
        self.moments = self.chip.moments.take(self.grid.padded)
        stash, last = self.stage.stash(unit.last), unit is self._network_units[-1]
        kept = {"kept_slot": unit.last.slot}
        if last:
            self._spread(unit, stash, kept)
            return
        stage = self.stage
        stage.recall(stash, self.images, Recalled.END, self.x, slot=unit.last.slot, **kept)
        self._lines(Fill, self.stage, self.images, self.e)
        self._carry(unit, SAME, {"slot": unit.last.slot, "totals": True}, self.e, self.x, self.moments)

    @property
    def _network_units(self) -> list[Unit]:
        return self.stage.memory.network.units

    def _spread(self, unit: Unit, stash: Stash, kept: dict[str, Any]) -> None:
        """Of the pooling: a value for each image and channel, which the host writes."""
        memory, groups, p = self.stage.memory, self.grid.groups, self.chip.p
        sheet = self.stage.sheet(LATE, wait_host=self.number == 0)
        mask_slot = unit.output.mask_slot
        self.stage.recall(
            stash, self.images, Recalled.END, self.x, slot=mask_slot, masked=True, **kept
        )
        values = self.chip.staging.take(self.count * groups)
        fill = Fill(
            **ERROR,
            address=memory.spread.address + self.images.start * groups * p.line_bytes,
            lines=self.count * groups,
            destination=values,
        )
        span = "staging", values, values + self.count * groups
        self.chip.add(fill, [("spread", self.images.start, self.images.stop)], [span])
        assert sheet == self.stage.sheet(LATE)
        fields = {"spread": True, "slot": OTHERS, "totals": True, "source": values}
        fields |= {"masked": True, "mask_slot": mask_slot}
        self._carry(unit, late_key(memory.network), fields, self.e, self.x, self.moments, LATE, span)
        self.chip.staging.give(values)

    def _carry(
        self,
        unit: Unit,
        scale: ScaleKey | str,
        fields: dict[str, Any],
        e: int,
        x: int,
        moments: int,
        sheet: str = "",
        source: tuple[str, int, int] | None = None,
    ) -> None:
        """E of ``unit``'s output, in place unless there is a ``source``."""
        join = unit.output.join.name
        record, records = self.stage.record(sheet or unit.name, scale)
        peak, peaks = self.stage.peak(join)
        command = Carry(
            **ERROR,
            **{"source": e} | fields,
            shape=self.stage.shape(self.count),
            destination=e,
            scale=record,
            side_address=x,
            moments=moments,
            peak=peak,
        )
        staged = "staging", e, e + self.lines
        reads = [records, ("side", x, x + self.lines), source or staged]
        self.chip.add(
            command, reads, [staged, ("moments", moments, moments + self.grid.padded), peaks]
        )

    def _lines(
        self, kind: type[Fill | Spill], stage: StageWriter, images: range, lines: int
    ) -> None:
        """E of ``images`` of an output of ``stage``, between memory and the chip."""
        grid, p, channels = stage.grid, self.chip.p, self.chip.p.block.channels
        region = stage.memory.errors[stage.stage.number]
        count = grid.blocks * channels * len(images)
        side = "destination" if kind is Fill else "source"
        places: dict[str, Any] = {side: lines, f"{side}_run_stride": count}
        command = kind(
            **ERROR,
            address=region.address + images.start * grid.blocks * channels * p.line_bytes,
            runs=grid.groups,
            lines=count,
            run_stride=grid.blocks * channels * stage.memory.images,
            **places,
        )
        memory = [(f"E {stage.stage.number}", images.start, images.stop)]
        chip = [("staging", lines, lines + grid.groups * count)]
        reads, writes = (memory, chip) if kind is Fill else (chip, memory)
        self.chip.add(command, reads, writes)

    # -- a unit ----------------------------------------------------------------------------

    def _apply_last(self, unit: Unit) -> None:
        """The quantized error of the unit's last convolution; x̂ is free."""
        self._e_last = self.errors.apply(unit, unit.last, self.e, self.x, self.moments, end=True)
        self.chip.side.give(self.x)

    def _unit(self, unit: Unit, *, ends: bool) -> None:
        if isinstance(unit, Stem):
            self.chip.staging.give(self.e)
            stash, e = self.stage.memory.pixels, self._e_last
            self._pending = lambda: self._gradient_of(unit.layer, stash, 0, PIXEL_PLANES, e)
            return
        e_first = self._inside(unit)
        if unit.shortcut is None:
            self._identity(unit, e_first, ends=ends)
        else:
            self._shortcut(unit, unit.shortcut, e_first)
        memory = self.stage.memory
        stash = memory.stash[self._before(unit).last.name]
        bits = self.stage.graph.slots[unit.slot].widest.activation
        plane = memory.stash_planes.activations
        self._pending = lambda: self._gradient_of(unit.first, stash, plane, bits, e_first)

    def _before(self, unit: Unit) -> Unit:
        units = self._network_units
        return units[units.index(unit) - 1]

    def _inside(self, unit: Block) -> Planes:
        """a and mask between the convolutions again, the error there; both ways of the second
        convolution. The error of the first one."""
        stage, side, slot = self.stage, self.chip.side, unit.slot
        x = side.take(self.lines)
        stash = stage.stash(unit.first)
        stage.recall(stash, self.images, Recalled.INSIDE, x, slot=slot, kept_slot=slot)
        a = stage.planes(self.count, stage.graph.slots[slot].widest.activation)
        self._recompute(unit, x, a)
        y = self.chip.staging.take(self.lines)
        moments = self.chip.moments.take(self.grid.padded)
        joined = Joined(
            stage, self.count, y, x, unit.inside_join, unit.name, moments, mask_slot=slot
        )
        self.errors.windows(unit.second, self._e_last, [joined])
        e_second = self._e_last

        def gradient() -> None:
            pieces = stage.convolving.error_pieces(self.count, e_second.layout)
            for piece in pieces:
                self._gradient(unit.second, a.part(piece), e_second.part(piece), piece.start == 0)
            self.chip.planes.give(a.address)
            self.chip.planes.give(e_second.address)

        if not self.overlap.next_unit:
            gradient()
        e_first = self.errors.apply(unit, unit.first, y, x, moments, end=False)
        if self.overlap.next_unit:
            gradient()
        side.give(x)
        self.chip.staging.give(y)
        return e_first

    def _recompute(self, unit: Block, x: int, a: Planes) -> None:
        record, records = self.stage.record(unit.name, self.errors.norm(unit, unit.first))
        command = Recompute(
            **ERROR,
            slot=unit.slot,
            shape=self.stage.shape(self.count),
            kept_slot=unit.slot,
            form_slot=unit.slot,
            side=x,
            norm=record,
            planes=a.address,
        )
        lines = "side", x, x + self.lines
        self.chip.add(command, [records, lines], [a.span, lines])

    def _identity(self, unit: Block, e_first: Planes, *, ends: bool) -> None:
        """E at the block's input, in place of that at its output, which goes around it."""
        stage, before = self.stage, self._before(unit)
        slot = before.output.mask_slot
        self.x = self.chip.side.take(self.lines)
        fields = {"slot": slot, "kept_slot": before.last.slot}
        stage.recall(
            stage.stash(before.last), self.images, Recalled.END, self.x, masked=True, **fields
        )
        self.moments = self.chip.moments.take(self.grid.padded)
        joined = Joined(
            stage,
            self.count,
            self.e,
            self.x,
            before.output.join,
            before.name,
            self.moments,
            mask_slot=slot,
            totals=not ends,
            earlier=Earlier.STREAM,
        )
        self.errors.windows(unit.first, e_first, [joined])
        carried = {"slot": unit.slot, "skipped": True, "totals": not ends}
        carried |= {"masked": True, "mask_slot": slot}
        stream = ScaleKey(before.output.join.name, 1)
        self._carry(before, stream, carried, self.e, self.x, self.moments)
        if ends:
            self._lines(Spill, stage, self.images, self.e)
            self.chip.staging.give(self.e)
            self.chip.side.give(self.x)
            self.chip.moments.give(self.moments)

    # -- a block with a shortcut -----------------------------------------------------------

    def _shortcut(self, unit: Block, shortcut: Layer, e_first: Planes) -> None:
        """E at the block's input, for the chunks of the stage before, in memory."""
        stage, memory = self.stage, self.stage.memory
        x, moments = self.chip.side.take(self.lines), self.chip.moments.take(self.grid.padded)
        kept = {"slot": shortcut.slot, "kept_slot": shortcut.slot}
        stage.recall(stage.stash(shortcut), self.images, Recalled.END, x, **kept)
        self._carry(unit, SAME, {"slot": shortcut.slot, "totals": True}, self.e, x, moments)
        e = self.errors.apply(unit, shortcut, self.e, x, moments, end=True)
        self.chip.side.give(x)
        self.chip.staging.give(self.e)
        assert self.below is not None
        for images in self.below.chunks:
            if images.start in self.images:
                self._before_shortcut(unit, shortcut, e, e_first, images)
        stash = memory.stash[self._before(unit).last.name]
        bits = stage.graph.slots[shortcut.slot].widest.activation
        self._gradient_of(shortcut, stash, memory.stash_planes.residual, bits, e)

    def _before_shortcut(
        self, unit: Block, shortcut: Layer, e: Planes, e_first: Planes, images: range
    ) -> None:
        """Two convolutions: the shortcut's part first; alone where the block is skipped."""
        below, before = self.below, self._before(unit)
        assert below is not None
        chip, join, slot = self.chip, before.output.join, before.output.mask_slot
        lines = below.grid.lines(len(images))
        y, x = chip.staging.take(lines), chip.side.take(lines)
        part = chip.staging.take(self._part_lines(shortcut, below, len(images)))
        moments = chip.moments.take(below.grid.padded)
        fields = {"slot": slot, "kept_slot": before.last.slot}
        below.recall(below.stash(before.last), images, Recalled.END, x, masked=True, **fields)
        self._clear(unit, before, below, images, y)
        names = [each.name for each in join.sums]
        assert unit.first.error is not None and shortcut.error is not None
        own, other = (
            names.index(each.result.name) for each in (unit.first.error, shortcut.error)
        )
        place = below, len(images), y, x, join, before.name, moments
        common: dict[str, Any] = {"mask_slot": slot, "totals": False, "part_lines": part}
        part_of = range(images.start - self.images.start, images.stop - self.images.start)
        self.errors.windows(
            shortcut,
            e.part(part_of),
            [
                Joined(*place, scale=other, slot=unit.slot, part=True, **common),
                Joined(*place, scale=other, slot=unit.slot, skipped=True, **common),
            ],
        )
        both = Joined(*place, scale=own, earlier=Earlier.PART, **common)
        self.errors.windows(unit.first, e_first.part(part_of), [both])
        self._lines(Spill, below, images, y)
        for address in (y, part):
            chip.staging.give(address)
        chip.side.give(x)
        chip.moments.give(moments)

    def _part_lines(self, shortcut: Layer, below: StageWriter, images: int) -> int:
        """Two for each channel of the tiles that the shortcut's error makes."""
        height, width = shortcut.geometry.output
        grid = self.grid if shortcut.geometry.stride > 1 else below.grid
        assert (height, width) == (grid.height, grid.width)
        return 2 * below.grid.padded * grid.blocks * images

    def _clear(
        self, unit: Block, before: Unit, below: StageWriter, images: range, y: int
    ) -> None:
        """Zeros, of which the shortcut's error writes every fourth."""
        record, records = below.record(before.name, CLEAR)
        peak, peaks = below.peak(before.output.join.name)
        command = Carry(
            **ERROR,
            slot=unit.slot,
            skipped=True,
            shape=below.shape(len(images)),
            source=y,
            destination=y,
            scale=record,
            peak=peak,
        )
        lines = "staging", y, y + below.grid.lines(len(images))
        self.chip.add(command, [records, lines], [lines, peaks])

    # -- gradients -------------------------------------------------------------------------

    def _gradient_of(
        self, layer: Layer, stash: Stash, plane: int, bits: int, e: Planes
    ) -> None:
        """Of activations that come from memory in pieces; the errors are free."""
        convolving = self.stage.convolving
        header = GRADIENT | {"slot": layer.slot}
        pieces = convolving.pieces(stash.grid.layout(1, bits), self.count, errors=e.layout)
        for piece in pieces:
            first = self.images.start + piece.start
            a = convolving.load(stash, first, len(piece), plane, bits, header)
            self._gradient(layer, a, e.part(piece), piece.start == 0)
            self.chip.planes.give(a.address)
        self.chip.planes.give(e.address)

    def _gradient(self, layer: Layer, a: Planes, e: Planes, first: bool) -> None:
        add = self.number > 0 or not first
        self.stage.convolving.gradient(layer, a, e, self.sums[layer.name], add=add)
