"""A chunk forward: the program of docs/whole_step.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fractrain.host.compiler.sliding import Parity
from fractrain.hw.contract.commands import (
    Channel,
    Form,
    Narrow,
    Normalize,
    Recalled,
    Second,
)
from fractrain.hw.contract.precision import Pass
from tests.sim.functional.blocks.chunk import FORWARD, Chunk
from tests.sim.functional.blocks.machine_block import PEAKS
from tests.sim.functional.blocks.memory_map import Stash
from tests.sim.functional.blocks.reference import BLOCK, NEXT, OTHERS
from tests.sim.functional.blocks.resident import Planes, Taker


class ForwardChunk(Chunk):
    """All commands between the block's input and its output."""

    def phases(self) -> Iterator[None]:
        """One for each turn of the array, with what the vector unit makes of it."""
        self._bring()
        self._convolve("first", self.planes("a", "first"), "Y0")
        self._channel("first")
        self._inside()
        yield
        self._convolve("second", self.planes("a2", "second"), "Y0")
        self._channel("second")
        if self.case.shortcut:
            self._convolve("shortcut", self.planes("r", "first"), "Y1")
            self._channel("shortcut")
            self._shortcut()
        self._end(skipped=False)
        self._end(skipped=True)
        yield

    def _bring(self) -> None:
        """Activations and the top of r to the plane memory, or r to the side memory."""
        case, block, others = self.case, FORWARD | {"slot": BLOCK}, FORWARD | {"slot": OTHERS}
        self.load(self.planes("a", "first"), "in", Stash.ACTIVATIONS, block)
        if case.shortcut:
            self.load(self.planes("r", "first"), "in", Stash.RESIDUAL, others)
        else:
            self.recall("in", "X0", Recalled.RESIDUAL, bits=case.residual_bits, **others)

    def _convolve(self, name: str, rows: Planes, target: str) -> None:
        case, channels = self.case, self.p.block.channels
        lines = self.grid("second").blocks * channels

        def place(group: int, tiling: dict[str, Any], parity: Parity | None) -> list[Taker]:
            command = Narrow(
                **FORWARD,
                **tiling,
                slot=case.slot(name),
                address=self.chip.staging[target] + group * lines,
                scale=self.chip.records[f"{name} y"],
                moments=self.chip.moments[name] + group * channels,
                peak=PEAKS[f"sums {name}"],
            )
            return [(command, set(), {target, f"moments {name}"})]

        geometry, slot = case.geometry(name, self.images), case.slot(name)
        kernels, columns = self.block.kernels[name], self.chip.columns[name]
        self.convolutions.windows(Pass.FORWARD, geometry, slot, rows, kernels, place, columns)

    def _channel(self, name: str) -> None:
        channels = self.chip.padded(name)
        out = self.block.statistics[name, "forward"].address
        command = Channel(
            **FORWARD,
            slot=self.case.slot(name),
            pixels=self.pixels,
            channel_groups=channels // self.p.block.channels,
            norm=self.chip.records[f"norm {name}"],
            chunk=self.chip.chunk_records[name],
            moments=self.chip.moments[name],
            address=out + self.number * 32 * channels,
        )
        self.program.add(command, {f"moments {name}"}, {f"chunk {name}", f"statistics {name}"})

    def _inside(self) -> None:
        form = Form(
            **FORWARD,
            slot=BLOCK,
            shape=self.shape("second"),
            planed=True,
            stash_normalized=True,
            kept_slot=BLOCK,
            form_slot=BLOCK,
            source=self.chip.staging["Y0"],
            norm=self.chip.records["norm first"],
            chunk=self.chip.chunk_records["first"],
            planes=self.chip.planes["a2"],
            stash=self.block.stash["first"].address(self.first),
            peak=PEAKS["inside"],
        )
        self.program.add(form, {"Y0", "chunk first"}, {"planes a2", "stash first"})

    def _shortcut(self) -> None:
        normalize = Normalize(
            **FORWARD,
            slot=OTHERS,
            shape=self.shape("second"),
            kept_slot=OTHERS,
            source=self.chip.staging["Y1"],
            destination=self.chip.staging["Y1"],
            chunk=self.chip.chunk_records["shortcut"],
            stashed=True,
            stash=self.block.stash["shortcut"].address(self.first),
        )
        self.program.add(normalize, {"chunk shortcut"}, {"Y1", "stash shortcut"})

    def _end(self, *, skipped: bool) -> None:
        """The block's end, or what it is where the block is skipped: without a shortcut r stays."""
        case, chip = self.case, self.chip
        second = Second.SHORTCUT if case.shortcut else Second.RESIDUAL
        makes = not skipped or case.shortcut
        form = Form(
            **FORWARD,
            slot=BLOCK,
            skipped=skipped,
            shape=self.shape("second"),
            normalized=not skipped,
            end=True,
            second=second,
            planed=True,
            kept=makes,
            stash_normalized=not skipped,
            stash_mask=makes,
            stash_activations=True,
            stash_residual=True,
            pooled=True,
            kept_slot=BLOCK,
            form_slot=NEXT,
            residual_bits=case.residual_bits,
            source=chip.staging["Y0"],
            second_address=chip.staging["Y1"] if case.shortcut else chip.side["X0"],
            norm=chip.records["norm second"],
            chunk=chip.chunk_records["second"],
            second_record=chip.records["norm shortcut" if case.shortcut else "form"],
            planes=chip.planes["next"],
            side=chip.side["X0"],
            stash=self.block.stash["end"].address(self.first),
            pool=self.block.pooled.address + 4 * self.first * chip.padded("second"),
            peak=PEAKS["end"],
        )
        reads = {"Y0", "Y1", "X0", "chunk second"}
        self.program.add(form, reads, {"X0", "planes next", "stash end", "pooled"})
