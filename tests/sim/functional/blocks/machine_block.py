"""A residual block on the machine: its memory, its tables, and the programs around its chunks."""

from __future__ import annotations

from typing import Any

import numpy as np

from fractrain.host.compiler.tensors import KernelLayout
from fractrain.hw.contract.commands import Quantize, Report, Set, Update, encode_all
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from fractrain.hw.contract.records import Record, pack_records
from fractrain.sim.functional import FunctionalMachine, Order, RunResult
from tests.sim.functional.blocks.memory_map import (
    BANKS,
    LAYER_SCALES,
    SCALES,
    Chip,
    Region,
    Regions,
    Stash,
)
from tests.sim.functional.blocks.reference import BEFORE, BLOCK, NUMBERS, SEED, STEP, Reference
from tests.sim.functional.blocks.resident import Convolutions, Kernels, half_blocks, kernel_layout
from tests.sim.functional.blocks.tokens import Program

PEAKS = {
    name: 2 * number
    for number, name in enumerate(
        [
            *(f"sums {each}" for each in NUMBERS),
            *("inside", "end", "E behind", "E inside", "E before"),
            *(f"W {each}" for each in NUMBERS),
            *(f"w {each}" for each in NUMBERS),
        ]
    )
}
"""Places of peaks; those of weights have Σs² behind them."""
PEAK_PLACES = 32
"""In whole blocks of memory."""


class MachineBlock:
    """The block of ``reference`` on a machine of ``p``."""

    def __init__(self, p: Parameters, reference: Reference) -> None:
        self.p, self.reference, self.case = p, reference, reference.case
        self.regions = Regions(p)
        self.chips = [Chip(p, self.case, bank) for bank in range(BANKS)]
        self.chip = self.chips[0]
        self._lay_out_weights()
        self._lay_out_tensors()
        self.memory = np.random.default_rng(1).integers(256, size=self.regions.size, dtype=np.uint8)
        self._put_weights()
        self._put_tensors()
        self.machine = FunctionalMachine(p, self.memory, seed=3)
        for slot, (precision, kept) in enumerate(zip(self.case.table, self.case.kept, strict=True)):
            self.machine.table[slot], self.machine.kept[slot] = precision, kept
        self.machine.rounding = SEED, STEP
        self.machine._chip.unit.peaks[:] = 0

    @property
    def chunks(self) -> list[tuple[int, int]]:
        """First image and images of each."""
        images, chunk = self.case.images, self.case.chunk
        return [(first, min(chunk, images - first)) for first in range(0, images, chunk)]

    # -- memory ----------------------------------------------------------------------------

    def _lay_out_weights(self) -> None:
        """Master weights, their planes, records."""
        case, regions = self.case, self.regions
        self.kernels: dict[str, Kernels] = {}
        self.masters: dict[str, Region] = {}
        self.records = {name: regions.add(name, self.p.word_bytes) for name in SCALES}
        for name in case.names:
            layout = kernel_layout(self.p, case.geometry(name))
            numbers = 4 * layout.digit_stride * self.p.block_bits
            self.masters[name] = regions.add(f"master {name}", 2 * numbers)
            planes = regions.add(f"weights {name}", layout.words * self.p.word_bytes)
            self.kernels[name] = Kernels(f"weights {name}", planes.address, layout)
            norms = f"norm {name}"
            self.records[norms] = regions.add(norms, 16 * self.chip.padded(name))
            for each in LAYER_SCALES:
                self.records[f"{name} {each}"] = regions.add(f"{name} {each}", self.p.word_bytes)

    def _lay_out_tensors(self) -> None:
        """Stash, errors at both ends, what goes to the host, programs."""
        case, regions, p = self.case, self.regions, self.p
        places = {"in": "first", "before": "first"}
        places |= dict.fromkeys(("first", "end", "shortcut"), "second")
        self.stash: dict[str, Stash] = {}
        for name, at in places.items():
            grid = self.chip.grid(at, case.images)
            size = Stash.PLANES * grid.groups * grid.blocks * p.word_bytes
            self.stash[name] = Stash(regions.add(f"stash {name}", size), grid, p.word_bytes)
        self.statistics = {
            (name, way): regions.add(
                f"{way} {name}", len(self.chunks) * 32 * self.chip.padded(name)
            )
            for name in case.names
            for way in ("forward", "backward")
        }
        self.pooled = regions.add("pooled", 4 * case.images * self.chip.padded("second"))
        self.errors = {
            at: regions.add(f"E {at}", self.chip.grid(at, case.images).lines * p.line_bytes)
            for at in ("first", "second")
        }
        self.peaks = regions.add("peaks", 8 * PEAK_PLACES)
        self.program_region = regions.add("program", 1 << 18)

    def _put_weights(self) -> None:
        for name, layer in self.reference.layers.items():
            data = blocks_of(np.stack([layer.w, layer.v]), self.kernels[name].layout, self.p)
            self._put(self.masters[name], data.astype("<i4"))
            self._put(self.records[f"norm {name}"], self._norms(name))
            rule = {"before": layer.rule.before}
            for factor in ("gradient", "momentum", "decay", "rate"):
                by = getattr(layer.rule, factor)
                rule |= {f"{factor}_mantissa": by.mantissa, f"{factor}_shift": by.shift}
            self._put(self.records[f"{name} rule"], pack_records(Record.UPDATE, rule))
        scales = self.reference.scales | {"clear": {"stream_shift": 63}}
        for key, region in self.records.items():
            if not key.startswith("norm") and not key.endswith("rule"):
                self._put(region, pack_records(Record.SCALE, scales.get(key, {})))

    def _norms(self, name: str) -> Any:
        layer, channels = self.reference.layers[name], self.chip.padded(name)
        values: dict[str, Any] = {}
        if layer.term is not None:
            values |= {"factor": layer.term.factor, "offset": layer.term.offset}
        if layer.gains is not None:
            values["gain"] = layer.gains.factor
        padded = {key: np.pad(each, (0, channels - len(each))) for key, each in values.items()}
        return pack_records(Record.NORM, padded)

    def _put_tensors(self) -> None:
        """What the blocks before and behind have left in memory."""
        reference, case = self.reference, self.case
        stash, bits = self.stash["in"], case.table[BLOCK].activation or 8
        stash.put(self.memory, 0, reference.r_in, case.residual_bits)
        stash.put(self.memory, Stash.ACTIVATIONS, reference.a_in, bits)
        stash.put(self.memory, Stash.RESIDUAL, reference.r_in >> (case.residual_bits - 8), 8)
        kept = case.kept[BEFORE].format(end=True)
        self.stash["before"].put(self.memory, 0, reference.x_in, kept.bits)
        self.stash["before"].put(self.memory, Stash.MASK, reference.mask_in, 1)
        grid = self.chip.grid("second", case.images)
        self._put(self.errors["second"], grid.lines_of(reference.e_out).astype("<i2"))

    def _put(self, region: Region, data: Any) -> None:
        flat = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
        self.memory[region.address : region.address + len(flat)] = flat

    def read(self, region: Region, kind: str) -> Any:
        """Its numbers."""
        return self.memory[region.address : region.address + region.size].view(kind)

    # -- programs --------------------------------------------------------------------------

    def run(self, program: Program, order: Order) -> RunResult:
        words = encode_all(program.commands())
        assert words.size <= self.program_region.size
        self._put(self.program_region, words)
        return self.machine.run(self.program_region.address, len(words), order)

    def beginning(self) -> Program:
        """Shapes, records, weights in planes."""
        program = Program()
        for entry, shape in self.chip.shapes(self.chunks, self.stash).items():
            program.add(shape, writes={f"shape {entry}"})
        for key, region in self.records.items():
            words, place = region.size // self.p.word_bytes, self.chip.records[key]
            command = Set(address=region.address, words=words, destination=place)
            program.add(command, writes={key})
        for name, kernels in self.kernels.items():
            quantize = Quantize(
                slot=self.case.slot(name),
                operand=Operand.WEIGHT,
                partner=Operand.ACTIVATION,
                scale=self.chip.records[f"{name} weights"],
                source=self.masters[name].address,
                destination=kernels.address,
                blocks=kernels.layout.digit_stride,
                plane_stride=kernels.layout.digit_stride,
            )
            program.add(quantize, {f"{name} weights"}, {kernels.name})
        return program

    def ending(self) -> Program:
        """Weights descend; peaks go to memory."""
        program = Program()
        for number, name in enumerate(self.case.names):
            for update in self._updates(number, name):
                program.add(update, {"gradients"}, {f"master {name}"})
        blocks = self.peaks.size // self.p.block_bytes
        program.add(Report(address=self.peaks.address, blocks=blocks))
        return program

    def _updates(self, number: int, name: str) -> list[Update]:
        """One for each tile of the gradient."""
        layout, geometry = self.kernels[name].layout, self.case.geometry(name)
        size = 4 * self.p.block.channels**2
        places = {
            (filters, group, tap): self.masters[name].address + size * (2 * word + half)
            for filters, group, tap, word, half in half_blocks(layout)
        }
        pairs, found = Convolutions(self.p, Program()).pairs(geometry), []
        for tile in range(-(-geometry.filters // self.p.block.channels) * len(pairs)):
            filters, pair = divmod(tile, len(pairs))
            halves: dict[str, Any] = {}
            for side, entry in zip("ab", pairs[pair], strict=True):
                if entry is not None:
                    tap = entry.ky * geometry.kernel[1] + entry.kx
                    halves[f"{side}_enable"] = True
                    halves[f"{side}_address"] = places[filters, entry.group, tap]
                    halves[f"{side}_group"], halves[f"{side}_tap"] = entry.group, tap
            update = Update(
                slot=self.case.slot(name),
                operand=Operand.ACTIVATION,
                partner=Operand.ERROR,
                gradient_address=self.chip.sums[name] + tile * self.p.beats_per_tile,
                **halves,
                velocity=self.masters[name].size // 2,
                filter_group=filters,
                taps=layout.taps,
                rule=self.chip.records[f"{name} rule"],
                tensor=1 << 15 | number,
                peak=PEAKS[f"w {name}"],
            )
            found.append(update)
        return found


def blocks_of(values: Any, layout: KernelLayout, p: Parameters) -> Any:
    """``[…, block, pixel, channel]`` of weights, as QUANTIZE and UPDATE have them in memory."""
    channels = p.block.channels
    count, filters, inputs = values.shape[:3]
    sizes = layout.filter_groups * channels, layout.channel_groups * channels, layout.taps
    padded = np.zeros((count, *sizes), np.int64)
    padded[:, :filters, :inputs] = values.reshape(count, filters, inputs, -1)
    found = np.zeros((count, layout.digit_stride, 2 * channels, channels), np.int64)
    for f, group, tap, word, half in half_blocks(layout):
        rows, columns = (slice(channels * each, channels * (each + 1)) for each in (f, group))
        pixels = slice(channels * half, channels * (half + 1))
        found[:, word, pixels] = padded[:, rows, columns, tap]
    return found
