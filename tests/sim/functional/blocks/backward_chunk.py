"""A chunk back: the program of docs/whole_step.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fractrain.host.compiler.sliding import Parity
from fractrain.hw.contract.commands import (
    Apply,
    Carry,
    Channel,
    Earlier,
    Fill,
    Join,
    Recalled,
    Recompute,
    Set,
    Spill,
)
from fractrain.hw.contract.precision import Pass
from tests.sim.functional.blocks.chunk import ERROR, GRADIENT, Chunk
from tests.sim.functional.blocks.machine_block import PEAKS
from tests.sim.functional.blocks.memory_map import Stash
from tests.sim.functional.blocks.reference import BEFORE, BLOCK, NUMBERS, OTHERS
from tests.sim.functional.blocks.resident import Planes, Taker


class BackwardChunk(Chunk):
    """All commands between the error behind the block and the one before it."""

    def phases(self) -> Iterator[None]:
        """The errors behind, which may be beside the last gradients of the chunk before; up to
        these; these."""
        self._behind()
        if self.case.shortcut:
            self._shortcut()
        self._apply("second", "Y1", "X0", "e2", end=True)
        yield
        self._inside()
        self._gradient("second", self.planes("a2", "second"), "e2")
        self._apply("first", "Y0", "X0", "e1", end=False)
        header = GRADIENT | {"slot": BLOCK}
        self.load(self.planes("a", "first"), "in", Stash.ACTIVATIONS, header)
        given = {"kept_slot": BEFORE, "masked": True}
        self.recall("before", "X1", Recalled.END, slot=OTHERS, **given, **ERROR)
        target = self._before_shortcut() if self.case.shortcut else self._before_identity()
        self._lines(Spill, "first", target)
        yield
        if self.case.shortcut:
            header = GRADIENT | {"slot": OTHERS}
            self.load(self.planes("r", "first"), "in", Stash.RESIDUAL, header)
            self._gradient("shortcut", self.planes("r", "first"), "es")
        self._gradient("first", self.planes("a", "first"), "e1")
        yield

    # -- E at the block's output -----------------------------------------------------------

    def _behind(self) -> None:
        """E of the tensor behind, through the block's mask: T₁ and T₂ of its last batch norm."""
        self._lines(Fill, "second", "Y1")
        # with a shortcut there is a mask in any case
        owner = OTHERS if self.case.shortcut else BLOCK
        self.recall("end", "X0", Recalled.END, slot=owner, kept_slot=BLOCK, masked=True, **ERROR)
        carry = Carry(
            **ERROR,
            slot=OTHERS,
            shape=self.shape("second"),
            source=self.chip.staging["Y1"],
            destination=self.chip.staging["Y1"],
            scale=self.chip.records["behind"],
            masked=True,
            mask_slot=owner,
            side_address=self.chip.side["X0"],
            totals=True,
            moments=self.chip.moments["second"],
            peak=PEAKS["E behind"],
        )
        self.program.add(carry, {"X0"}, {"Y1", "moments second"})

    def _shortcut(self) -> None:
        """The second moments of the same E, and the errors of the shortcut."""
        self.recall("shortcut", "X1", Recalled.END, slot=OTHERS, kept_slot=OTHERS, **ERROR)
        carry = Carry(
            **ERROR,
            slot=OTHERS,
            shape=self.shape("second"),
            source=self.chip.staging["Y1"],
            destination=self.chip.staging["Y1"],
            scale=self.chip.records["same"],
            side_address=self.chip.side["X1"],
            totals=True,
            moments=self.chip.moments["shortcut"],
            peak=PEAKS["E behind"],
        )
        self.program.add(carry, {"X1"}, {"Y1", "moments shortcut"})
        self._apply("shortcut", "Y1", "X1", "es", end=True)

    def _lines(self, kind: type[Fill | Spill], at: str, name: str) -> None:
        """E of the chunk between memory, where it is the whole batch's, and the chip."""
        whole, grid = self.chip.grid(at, self.case.images), self.grid(at)
        channels, lines = self.p.block.channels, grid.blocks * self.p.block.channels
        per_image = lines // self.images
        side = "destination" if kind is Fill else "source"
        places = {side: self.chip.staging[name], f"{side}_run_stride": lines}
        command = kind(
            address=self.block.errors[at].address + self.first * per_image * self.p.line_bytes,
            runs=grid.groups,
            lines=lines,
            run_stride=whole.blocks * channels,
            **places,  # type: ignore[arg-type]
        )
        reads, writes = {f"E {at}"}, {name}
        self.program.add(command, *((reads, writes) if kind is Fill else (writes, reads)))

    # -- batch norm ------------------------------------------------------------------------

    def _apply(self, name: str, source: str, side: str, target: str, *, end: bool) -> None:
        """CHANNEL and APPLY; what CHANNEL has found forward comes back first."""
        case, chip, channels = self.case, self.chip, self.chip.padded(name)
        forward, out = (self.block.statistics[name, way] for way in ("forward", "backward"))
        records = Set(
            address=forward.address + self.number * 32 * channels,
            words=16 * channels // self.p.word_bytes,
            destination=chip.chunk_records[name],
        )
        self.program.add(records, {f"statistics {name}"}, {f"chunk {name}"})
        given = {"slot": case.slot(name), "end": end, "kept_slot": case.slot(name)}
        channel = Channel(
            **ERROR,
            **given,
            backward=True,
            pixels=self.pixels,
            channel_groups=channels // self.p.block.channels,
            scale=chip.records[f"{name} gain"],
            norm=chip.records[f"norm {name}"],
            chunk=chip.chunk_records[name],
            moments=chip.moments[name],
            address=out.address + self.number * 16 * channels,
        )
        self.program.add(channel, {f"moments {name}"}, {f"chunk {name}"})
        apply = Apply(
            **ERROR,
            **given,
            shape=self.shape("second"),
            source=chip.staging[source],
            side=chip.side[side],
            chunk=chip.chunk_records[name],
            planes=chip.planes[target],
            tensor=NUMBERS[name],
            first_image=self.first,
            peak=PEAKS[f"W {name}"],
        )
        reads = {source, side, f"chunk {name}"}
        self.program.add(apply, reads, {f"planes {target}"})

    def _gradient(self, name: str, a: Planes, e: str) -> None:
        self.convolutions.gradient(
            self.case.geometry(name, self.images),
            self.case.slot(name),
            a,
            self.planes(e, "second", 12),
            self.chip.sums[name],
            add=self.number > 0,
            columns=self.chip.columns["gradient"],
        )

    # -- inside the block ------------------------------------------------------------------

    def _inside(self) -> None:
        """a2 and its mask again, then E there."""
        self.recall("first", "X0", Recalled.INSIDE, slot=BLOCK, kept_slot=BLOCK, **ERROR)
        again = Recompute(
            **ERROR,
            slot=BLOCK,
            shape=self.shape("second"),
            kept_slot=BLOCK,
            form_slot=BLOCK,
            side=self.chip.side["X0"],
            norm=self.chip.records["norm first"],
            planes=self.chip.planes["a2"],
        )
        self.program.add(again, writes={"X0", "planes a2"})
        fields = {
            "scale": self.chip.records["inside"],
            "masked": True,
            "mask_slot": BLOCK,
            "peak": PEAKS["E inside"],
        }
        self._error("second", "e2", "Y0", "X0", "first", fields)

    def _error(
        self, name: str, e: str, target: str, side: str, moments: str, *fields: dict[str, Any]
    ) -> None:
        """Error of a convolution; a JOIN for each of ``fields``, of which one takes the tiles."""
        case, channels = self.case, self.p.block.channels
        grid = self.grid("second" if name == "second" else "first")
        lines = grid.blocks * channels

        def place(
            given: dict[str, Any], group: int, tiling: dict[str, Any], parity: Parity | None
        ) -> Taker:
            part = bool(given.get("part"))
            tiles = tiling["images"] * tiling["tiles_y"] * tiling["tiles_x"]
            there = given.get("earlier", Earlier.NONE)
            if there is Earlier.PART and parity not in (None, (0, 0)):
                there = Earlier.NONE
            behind = {
                Earlier.PART: self.chip.staging["part"] + 2 * group * tiles * channels,
                Earlier.STREAM: self.chip.staging[target] + group * lines,
            }
            places = {
                "address": behind[Earlier.PART]
                if part
                else self.chip.staging[target] + group * lines,
                "earlier": there,
                "earlier_address": behind.get(there, 0),
                "side_address": self.chip.side[side] + group * lines,
                "moments": self.chip.moments[moments] + group * channels,
                "totals": True,
                "start": parity in (None, (0, 0)),
            }
            if parity is not None and not part:
                places |= {"interleaved": True, "image_blocks": grid.blocks // self.images}
                places |= {"odd_row": bool(parity[0]), "odd_column": bool(parity[1])}
            command = Join(**ERROR, **tiling, **{"slot": case.slot(name)} | given | places)
            reads, writes = {side, target, "part"}, {f"moments {moments}", target}
            return command, reads, {"part"} if part else writes

        def places(group: int, tiling: dict[str, Any], parity: Parity | None) -> list[Taker]:
            return [place(each, group, tiling, parity) for each in fields]

        self.convolutions.windows(
            Pass.ERROR,
            case.geometry(name, self.images),
            case.slot(name),
            self.planes(e, "second", 12),
            self.block.kernels[name],
            places,
            self.chip.columns[name],
        )

    # -- E at the block's input ------------------------------------------------------------

    @property
    def _at_input(self) -> dict[str, Any]:
        return {"masked": True, "mask_slot": BEFORE, "peak": PEAKS["E before"]}

    def _before_identity(self) -> str:
        """In place: E goes around the block."""
        scale = {"scale": self.chip.records["before"]}
        stream = self._at_input | scale | {"earlier": Earlier.STREAM}
        self._error("first", "e1", "Y1", "X1", "in", stream)
        self._carry("Y1", skipped=True, **self._at_input, **scale, totals=True)
        return "Y1"

    def _before_shortcut(self) -> str:
        """Two convolutions: the shortcut's part first; alone where the block is skipped."""
        scales = self.chip.records["before"], self.chip.records["before shortcut"]
        self._carry("Y0", skipped=True, scale=self.chip.records["clear"], totals=False)
        part = {"slot": BLOCK, "part": True, "scale": scales[1]}
        alone = self._at_input | {"slot": BLOCK, "skipped": True, "scale": scales[1]}
        self._error("shortcut", "es", "Y0", "X1", "in", part, alone)
        both = self._at_input | {"scale": scales[0], "earlier": Earlier.PART}
        self._error("first", "e1", "Y0", "X1", "in", both)
        return "Y0"

    def _carry(self, name: str, **fields: Any) -> None:
        carry = Carry(
            **ERROR,
            **fields,
            slot=BLOCK,
            shape=self.shape("first"),
            source=self.chip.staging[name],
            destination=self.chip.staging[name],
            side_address=self.chip.side["X1"],
            moments=self.chip.moments["in"],
        )
        self.program.add(carry, {"X1"}, {name, "moments in"})
