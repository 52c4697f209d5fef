"""Whole residual blocks on the functional machine, forward, back and their update, against golden:
every byte of the stash, errors, gradients, statistics, peaks, new weights.

The programs are those of docs/whole_step.md: identity and downsampling, skipped or not, chunks of
which the last may be short, in any order of the stages that tokens allow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import Apply, Stage
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.records import RECORD_BYTES
from fractrain.hw.contract.vector_parameters import VECTOR_DEFAULTS
from fractrain.sim.functional import Order
from tests.hw.machines import machine
from tests.sim.functional.blocks.backward_chunk import BackwardChunk
from tests.sim.functional.blocks.chunk import Chunk
from tests.sim.functional.blocks.forward_chunk import ForwardChunk
from tests.sim.functional.blocks.machine_block import PEAKS, MachineBlock, blocks_of
from tests.sim.functional.blocks.memory_map import BANKS, Stash
from tests.sim.functional.blocks.reference import BLOCK, Case, Layer, Reference
from tests.sim.functional.blocks.tokens import Program
from tests.sim.functional.vector_bench import VECTOR, small

P = small(
    vector=VECTOR
    | {"staging_words": 16384, "side_words": 8192, "parameter_words": 1024, "moment_words": 256}
    | {"peak_words": 64},
    buffers__plane_words=32768,
    buffers__column_words=4096,
    buffers__gradient_words=2048,
)
SKIP = Precision(0, 0, 0)
PRECISIONS = st.builds(Precision, *[st.integers(1, 8)] * 2, st.integers(2, 12))
SHORTCUTS = st.builds(Precision, st.just(8), st.integers(1, 8), st.integers(2, 12))
"""Of slot 0: a shortcut reads the top 8 bits of r."""
KEPT = st.builds(KeptBits, st.integers(4, 11), st.integers(4, 8))


def two_in_flight(chunks: Sequence[Chunk], late: int) -> None:
    """A chunk's first phase stands in front of the phases from number ``late`` on of the chunk
    before it: the vector unit works on one of the two, the array on the other."""
    ways = [chunk.phases() for chunk in chunks]
    following: Sequence[Iterator[None]] = [*ways[1:], iter([None] * late)]
    for way, after in zip(ways, following, strict=True):
        if way is ways[0]:
            _advance(way, late)
        next(after)
        for _ in way:
            pass
        _advance(after, late - 1)


def _advance(phases: Iterator[None], count: int) -> None:
    for _ in range(count):
        next(phases)


class Bench:
    """A case on the machine, and golden beside it."""

    def __init__(self, case: Case, order: Order, p: Parameters = P) -> None:
        self.case, self.order = case, order
        self.golden = Reference(case)
        self.block = MachineBlock(p, self.golden)
        self.block.run(self.block.beginning(), order)

    # -- forward ---------------------------------------------------------------------------

    def forward(self) -> None:
        """All chunks in one program."""
        program = Program()
        two_in_flight(
            [ForwardChunk(self.block, program, n) for n in range(len(self.block.chunks))], 1
        )
        self.block.run(program, self.order)

    def check_forward(self) -> None:
        golden, case, memory = self.golden, self.case, self.block.memory
        stash = self.block.stash
        end = stash["end"]
        if not case.skipped:
            for name, place in (("first", "first"), ("second", "end")):
                layer = golden.layers[name]
                self.equal(stash[place].get(memory, 0, layer.form.bits, signed=True), layer.kept)
        if case.shortcut:
            layer = golden.layers["shortcut"]
            found = stash["shortcut"].get(memory, 0, layer.form.bits, signed=True)
            self.equal(found, layer.kept)
        if case.shortcut or not case.skipped:
            self.equal(end.get(memory, Stash.MASK, 1), golden.mask2)
        if golden.a_out is not None:
            self.equal(end.get(memory, Stash.ACTIVATIONS, golden.bits_out), golden.a_out)
        top = golden.r_out >> (case.residual_bits - 8)
        self.equal(end.get(memory, Stash.RESIDUAL, 8), top)
        pooled = self.block.read(self.block.pooled, "<u4").reshape(case.images, -1)
        self.equal(pooled[:, : case.filters], golden.r_out.sum(axis=(2, 3)))
        for name in case.names:
            if case.runs(name):
                self._check_statistics(name, golden.layers[name])

    def _check_statistics(self, name: str, layer: Layer) -> None:
        """Σy and D of each chunk, behind its records."""
        channels, filters = self.block.chip.padded(name), len(layer.w)
        data = self.block.read(self.block.statistics[name, "forward"], "<u8")
        data = data.reshape(len(self.block.chunks), -1)[:, RECORD_BYTES // 8 * channels :]
        found = data.reshape(-1, channels, 2)[:, :filters]
        assert layer.moments is not None
        self.equal(found[..., 0].astype(np.int64), layer.moments.total)
        self.equal(found[..., 1], layer.moments.dispersion)

    # -- backward --------------------------------------------------------------------------

    def backward(self, *, together: bool) -> None:
        """Chunk by chunk, what stays on the chip checked after each; or in one program, the next
        one's errors beside the last gradients."""
        numbers = range(len(self.block.chunks))
        for group in [numbers] if together else [[each] for each in numbers]:
            program = Program()
            two_in_flight([BackwardChunk(self.block, program, n) for n in group], 2)
            self.block.run(program, self.order)
            for number in group[-BANKS:]:
                self._check_chunk(number)

    def _check_chunk(self, number: int) -> None:
        """Errors and activations in the plane memory, moments of the block before."""
        golden, case, block = self.golden, self.case, self.block
        first, images = block.chunks[number]
        part = slice(first, first + images)
        chunk = BackwardChunk(block, Program(), number)
        for name, planes in (("first", "e1"), ("second", "e2"), ("shortcut", "es")):
            if name in case.names and case.runs(name):
                bits = case.table[case.slot(name)].error
                found = self._planes(chunk, planes, bits, signed=True)
                self.equal(found, golden.layers[name].e[part])
        if not case.skipped:
            assert golden.a2 is not None
            bits = case.table[BLOCK].activation
            self.equal(self._planes(chunk, "a2", bits, signed=False), golden.a2[part])
        place = chunk.chip.moments["in"]
        moments = block.machine._chip.unit.moments[place : place + case.channels]
        self.equal(moments[:, 0], golden.moments_in.total[number])
        self.equal(moments[:, 1], golden.moments_in.product[number])

    def _planes(self, chunk: BackwardChunk, name: str, bits: int, *, signed: bool) -> Any:
        planes = chunk.planes(name, "second", 12)
        grid = chunk.grid("second")
        words = self.block.machine._chip.planes[planes.address :][: bits * planes.stride]
        split = words.reshape(bits, grid.groups, planes.group_stride, *words.shape[1:])
        return grid.bits_of(split[:, :, : grid.blocks], bits, signed=signed)

    def check_backward(self) -> None:
        golden, case, block = self.golden, self.case, self.block
        grid = block.chip.grid("first", case.images)
        lines = block.read(block.errors["first"], "<i2").reshape(grid.lines, -1)
        self.equal(grid.tensor_of(lines.astype(np.int64)), golden.e_in)
        for name in case.names:
            if case.runs(name):
                found = golden.layers[name].error_moments
                assert found is not None
                data = block.read(block.statistics[name, "backward"], "<i8")
                channels = block.chip.padded(name)
                data = data[: 2 * channels * len(block.chunks)].reshape(-1, channels, 2)
                self.equal(data[:, : case.filters, 0], found.total)
                self.equal(data[:, : case.filters, 1], found.product)

    # -- update ----------------------------------------------------------------------------

    def update(self) -> None:
        self.block.run(self.block.ending(), self.order)

    def check_update(self) -> None:
        block, golden = self.block, self.golden
        squares: dict[str, int] = {}
        for name in self.case.names:
            w, v = golden.updated[name]
            wanted = blocks_of(np.stack([w, v]), block.kernels[name].layout, block.p)
            found = block.read(block.masters[name], "<i4").reshape(wanted.shape)
            self.equal(found, wanted)
            short = np.clip((w + (1 << 15)) >> 16, -(1 << 15), (1 << 15) - 1)
            squares[f"w {name}"] = int((short * short).sum())
        self._check_peaks(squares)

    def _check_peaks(self, squares: dict[str, int]) -> None:
        golden, case = self.golden, self.case
        wanted = dict.fromkeys(PEAKS, 0) | golden.peaks
        for name, layer in golden.layers.items():
            wanted[f"w {name}"] = int(np.abs(golden.updated[name][0]).max())
            if case.runs(name):
                wanted[f"sums {name}"] = layer.peak
        found = self.block.read(self.block.peaks, "<u8")
        for name, place in PEAKS.items():
            assert found[place] == wanted[name], name
            assert found[place + 1] == squares.get(name, 0), name

    @staticmethod
    def equal(found: Any, wanted: Any) -> None:
        np.testing.assert_array_equal(found, wanted)


def check(case: Case, order: Order, *, together: bool = False, p: Parameters = P) -> None:
    bench = Bench(case, order, p)
    bench.forward()
    bench.check_forward()
    bench.backward(together=together)
    bench.check_backward()
    bench.update()
    bench.check_update()


USUAL = (
    (Precision(8, 8, 8), Precision(4, 4, 6), Precision(3, 3, 6), Precision(4, 4, 6)),
    (KeptBits(8, 8), KeptBits(7, 4), KeptBits(6, 4), KeptBits(7, 4)),
)


@pytest.mark.parametrize("skipped", [False, True], ids=["", "skipped"])
@pytest.mark.parametrize(
    ("channels", "filters", "stride"), [(8, 8, 1), (16, 16, 1), (8, 16, 2), (8, 16, 1), (16, 32, 2)]
)
def test_blocks(channels: int, filters: int, stride: int, skipped: bool) -> None:
    """Those of residual networks, on 5 images in chunks of 2."""
    table, kept = USUAL
    table = (table[0], SKIP if skipped else table[1], *table[2:])
    check(Case(5, 2, channels, filters, (8, 8), stride, table, kept), Order.FETCH_FIRST)


@given(
    images=st.integers(1, 4),
    chunk=st.integers(1, 4),
    channels=st.sampled_from([(8, 8), (16, 16), (8, 16)]),
    side=st.sampled_from([4, 8, 16]),
    strided=st.booleans(),
    table=st.tuples(SHORTCUTS, *[PRECISIONS] * 3),
    skips=st.tuples(*[st.integers(0, 3)] * 3),
    kept=st.tuples(*[KEPT] * 4),
    residual_bits=st.sampled_from([8, 8, 11, 16]),
    order=st.sampled_from(Order),
    together=st.booleans(),
    seed=st.integers(0, 1 << 20),
)
@settings(max_examples=25, deadline=None, phases=[Phase.reuse, Phase.generate])  # slow to shrink
def test_any_block(
    images: int,
    chunk: int,
    channels: tuple[int, int],
    side: int,
    strided: bool,
    table: tuple[Precision, ...],
    skips: tuple[int, ...],
    kept: tuple[KeptBits, ...],
    residual_bits: int,
    order: Order,
    together: bool,
    seed: int,
) -> None:
    """Bits of everything, x̂ bits, chunks, blocks before and behind skipped."""
    chunk = min(chunk, images, max(1, 512 // side**2))
    stride = 2 if strided and side > 4 else 1
    skipped = zip(table[1:], skips, strict=True)
    slots = table[0], *(SKIP if skip == 0 else each for each, skip in skipped)
    sizes = images, chunk, *channels, (side, side), stride
    case = Case(*sizes, slots, kept, residual_bits, seed)
    check(case, order, together=together)


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("stride", [1, 2])
def test_tokens_keep_every_order_right(order: Order, stride: int) -> None:
    table, kept = USUAL
    check(Case(3, 2, 8, 16, (8, 8), stride, table, kept), order, together=True)


@pytest.mark.parametrize("size", [(7, 2), (9, 4), (5, 1)])
@pytest.mark.parametrize("stride", [1, 2])
def test_rows_that_are_not_filled(size: tuple[int, int], stride: int) -> None:
    table, kept = USUAL
    check(Case(3, 2, 8, 8, size, stride, table, kept), Order.RESULT_FIRST)


@pytest.mark.parametrize(("filters", "stride"), [(16, 1), (32, 2)])
def test_blocks_of_16_channels(filters: int, stride: int) -> None:
    """On the machine that is to carry it, with the memories it should have."""
    vector = dataclasses.asdict(VECTOR_DEFAULTS[16])
    p = machine("zc706", vector=vector, buffers__plane_words=16384, buffers__column_words=4096)
    table, kept = USUAL
    check(Case(3, 2, 16, filters, (16, 16), stride, table, kept), Order.VECTOR_FIRST, p=p)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_next_errors_stand_beside_the_last_gradients(stride: int) -> None:
    """Errors that the vector unit makes of the next chunk, and last gradients that the array makes
    of this one: neither waits for the other, nor has a command in the other's stage."""
    table, kept = USUAL
    bench = Bench(Case(4, 2, 8, 16, (8, 8), stride, table, kept), Order.FETCH_FIRST)
    program = Program()
    this, following = (BackwardChunk(bench.block, program, n).phases() for n in range(2))
    _advance(this, 2)
    start = len(program.entries)
    _advance(following, 1)
    middle = len(program.entries)
    _advance(this, 1)
    errors, gradients = program.entries[start:middle], program.entries[middle:]
    assert {each.stage for each in errors} == {Stage.FETCH, Stage.VECTOR}
    assert {Stage.EXECUTE, Stage.RESULT} < {each.stage for each in gradients}
    assert Stage.VECTOR not in {each.stage for each in gradients}
    assert sum(isinstance(each.command, Apply) for each in errors) == 2
    for late in gradients:
        assert not any(late.follows(early) for early in errors)
