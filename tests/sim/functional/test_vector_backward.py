"""The backward commands of a vector unit against `sim.golden.step`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import (
    Apply,
    Carry,
    Channel,
    Command,
    Earlier,
    End,
    Join,
    encode,
)
from fractrain.hw.contract.normalized import inner_format, outer_format
from fractrain.hw.contract.numerics import CONVOLVED_BITS, PRESHIFTED_BITS
from fractrain.hw.contract.numerics import MAX_UNIT_PIXELS as N
from fractrain.hw.contract.random_bits import rounding_key
from fractrain.hw.contract.records import Record, clip_shift, unpack_records
from fractrain.sim.functional.decoding import decode_task
from fractrain.sim.golden.random_bits import random_bytes
from fractrain.sim.golden.step import backward
from fractrain.sim.golden.step.backward import ErrorMoments, Gain, Slopes
from fractrain.sim.golden.step.forward import Normalizer
from fractrain.sim.golden.step.scales import Multiplier
from tests.sim.functional.test_vector_forward import bench_of, drawn, shape_of
from tests.sim.functional.vector_bench import ERROR, RESULTS, Grid, VectorBench, grids, small

P = small()
SOURCE, OTHER = 0, 1024
SCALE, NORM, CHUNK = 0, 8, 40
SHIFTS = st.integers(-30, 70)
MOST = (1 << CONVOLVED_BITS - 1) - (1 << CONVOLVED_BITS - PRESHIFTED_BITS - 1) - 1
"""The greatest sum that 25 bits hold after k₀ = 12, the most that JOIN takes. No convolution's sum
is greater than 0.6 of it (`tests/sim/golden/step/test_words.py`)."""


def send(bench: VectorBench, command: Join, tiles: Any) -> None:
    """``tiles[tile, row, column]`` to the result stage."""
    task = decode_task(encode(command), 0, P, bench.machine.table, bench.machine.kept)
    for number, tile in enumerate(tiles):
        bench.machine._staging.store(task, command, number, tile)


# -- JOIN ------------------------------------------------------------------------------------


class Joining:
    """Two convolutions' sums, a stream, x̂ and mask; the scales of all."""

    def __init__(self, grid: Grid, shifts: tuple[int, int], bench: VectorBench, rng: Any) -> None:
        self.grid, self.bench = grid, bench
        size = shape_of(grid)
        sums = [drawn(rng, size, int(rng.integers(4, CONVOLVED_BITS + 1))) for _ in range(2)]
        self.sums = [each.clip(-MOST, MOST) for each in sums]
        self.before = [backward.preshift(int(np.abs(each).max())) for each in self.sums]
        self.by = [
            Multiplier(int(rng.integers(1 << 16, 1 << 17)), int(rng.integers(0, 40)))
            for _ in range(2)
        ]
        self.by[0] = replace(self.by[0], shift=shifts[0])
        self.stream, self.stream_shift = drawn(rng, size, 16), shifts[1]
        self.x, self.mask = drawn(rng, size, 11), rng.integers(0, 2, size)
        for number, (before, by) in enumerate(zip(self.before, self.by, strict=True)):
            bench.put_records(
                Record.SCALE,
                SCALE + number,
                before=before,
                mantissa=by.mantissa,
                shift=clip_shift(by.shift),
                stream_shift=clip_shift(self.stream_shift),
            )
        bench.put_side(0, grid, self.x, self.mask)

    def parts(self) -> list[Any]:
        return [
            backward.scale_sums(*each) for each in zip(self.sums, self.before, self.by, strict=True)
        ]

    def check(self, total: Any, address: int, masked: bool) -> None:
        """E, moments and peak of ``total``."""
        total = total * self.mask if masked else total
        e = backward.join([total])
        grid, bench = self.grid, self.bench
        np.testing.assert_array_equal(bench.get_lines(address, grid), e)
        found = backward.error_moments(e, self.x, grid.images)
        moments = bench.unit.moments[: grid.channels]
        np.testing.assert_array_equal(moments[:, 0], found.total[0])
        np.testing.assert_array_equal(moments[:, 1], found.product[0])
        peak = int(bench.unit.peaks[2])
        if grid.padded > grid.channels:  # lines of channels beyond the tensor may hold more
            assert peak >= np.abs(total).max()
        else:
            assert peak == np.abs(total).max()


@given(
    grid=grids(P),
    shifts=st.tuples(SHIFTS, SHIFTS),
    earlier=st.sampled_from(Earlier),
    masked=st.booleans(),
    there=st.booleans(),
    seed=st.integers(0, 1 << 32),
)
@settings(max_examples=120, deadline=None)
def test_join(
    grid: Grid,
    shifts: tuple[int, int],
    earlier: Earlier,
    masked: bool,
    there: bool,
    seed: int,
) -> None:
    bench, rng = bench_of(seed)
    joining = Joining(grid, shifts, bench, rng)
    bench.unit.peaks[2] = 0
    bench.set_slot(3, (8 * there, 8 * there, 8 * there), (4, 4))
    bench.put_lines(SOURCE, grid, joining.stream)
    lines = grid.blocks * 8
    for group in range(grid.groups):
        join = Join(
            **ERROR,
            **grid.tiling,
            address=SOURCE + group * lines,
            scale=SCALE,
            earlier=earlier,
            earlier_address=SOURCE + group * lines if earlier is Earlier.STREAM else OTHER,
            masked=masked,
            mask_slot=3,
            side_address=group * lines,
            totals=True,
            moments=8 * group,
            peak=2,
        )
        if earlier is Earlier.PART:
            part = replace(join, part=True, scale=SCALE + 1, address=OTHER, peak=9)
            before = bench.unit.peaks[9], bench.unit.moments.copy()
            send(bench, part, grid.tiles_of(joining.sums[1], group))
            assert bench.unit.peaks[9] == before[0]
            np.testing.assert_array_equal(bench.unit.moments, before[1])
        send(bench, join, grid.tiles_of(joining.sums[0], group))
    first, second = joining.parts()
    total = first
    if earlier is Earlier.PART:
        total = backward.total([first, second])
    elif earlier is Earlier.STREAM:
        total = backward.total([first, backward.move(joining.stream, joining.stream_shift)])
    joining.check(total, SOURCE, masked and there)


def parity_grid(grid: Grid, row: int, column: int) -> Grid:
    """Of every second pixel."""
    height, width = (grid.height + 1 - row) // 2, (grid.width + 1 - column) // 2
    return replace(grid, height=height, width=width, row_width=grid.row_width // 2)


@given(grid=grids(P, most=8), part=st.booleans(), seed=st.integers(0, 1 << 32))
@settings(max_examples=80, deadline=None)
def test_join_interleaves_the_parities_of_stride_2(grid: Grid, part: bool, seed: int) -> None:
    """As one join of all of them; a shortcut reaches the even pixels only."""
    if grid.row_width == P.array.rows // 4:
        grid = replace(grid, row_width=P.array.rows // 2)
    bench, rng = bench_of(seed)
    joining = Joining(grid, (20, 0), bench, rng)
    joining.sums[1][:, :, 1::2], joining.sums[1][:, :, :, 1::2] = 0, 0
    bench.unit.peaks[2] = 0
    parities = [(row, column) for row in (0, 1) for column in (0, 1)]
    there = [each for each in parities if grid.height > each[0] and grid.width > each[1]]
    for number, (row, column) in enumerate(there):
        small_grid = parity_grid(grid, row, column)
        join = Join(
            **ERROR,
            **small_grid.tiling,
            address=SOURCE,
            scale=SCALE,
            earlier=Earlier.PART if part and (row, column) == (0, 0) else Earlier.NONE,
            earlier_address=OTHER,
            masked=True,
            totals=True,
            start=number == 0,
            peak=2,
            interleaved=True,
            odd_row=bool(row),
            odd_column=bool(column),
            image_blocks=grid.blocks // grid.images,
        )
        if join.earlier is Earlier.PART:
            left = replace(join, part=True, scale=SCALE + 1, address=OTHER, interleaved=False)
            send(bench, left, small_grid.tiles_of(joining.sums[1][:, :, ::2, ::2], 0))
        tensor = joining.sums[0][:, :, row::2, column::2]
        send(bench, join, small_grid.tiles_of(tensor, 0))
    first, second = joining.parts()
    joining.check(backward.total([first, second]) if part else first, SOURCE, masked=True)


# -- CARRY -----------------------------------------------------------------------------------


@given(
    grid=grids(P),
    shift=SHIFTS,
    spread=st.booleans(),
    masked=st.booleans(),
    start=st.booleans(),
    seed=st.integers(0, 1 << 32),
)
@settings(max_examples=80, deadline=None)
def test_carry(grid: Grid, shift: int, spread: bool, masked: bool, start: bool, seed: int) -> None:
    bench, rng = bench_of(seed)
    joining = Joining(grid, (0, shift), bench, rng)
    bench.unit.peaks[2], bench.unit.moments[:] = 0, 0
    stream = joining.stream
    if spread:
        stream = np.broadcast_to(drawn(rng, (*stream.shape[:2], 1, 1), 16), stream.shape)
        lines = bench.unit.staging[OTHER : OTHER + grid.images * grid.groups]
        values = lines.reshape(grid.images, grid.groups, -1)[:, :, :8].copy()
        values.reshape(grid.images, -1)[:, : grid.channels] = stream[:, :, 0, 0]
        lines.reshape(grid.images, grid.groups, -1)[:, :, :8] = values
    else:
        bench.put_lines(OTHER, grid, stream)
    carry = Carry(
        **ERROR,
        shape=1,
        spread=spread,
        source=OTHER,
        destination=SOURCE,
        scale=SCALE,
        masked=masked,
        totals=True,
        start=start,
        peak=2,
    )
    in_place = replace(carry, destination=OTHER)
    bench.run(grid.shape(1), carry if spread else in_place, End())
    joining.check(backward.move(stream, shift), SOURCE if spread else OTHER, masked)


def test_carry_with_shift_0_adds_up_what_is_there() -> None:
    grid = Grid(P, 2, 8, 5, 7, 8)
    bench, rng = bench_of(1)
    joining = Joining(grid, (0, 0), bench, rng)
    bench.put_lines(SOURCE, grid, joining.stream)
    bench.unit.moments[:8] = 3
    carry = Carry(**ERROR, shape=0, totals=True, start=False)
    bench.run(grid.shape(), carry, End())
    np.testing.assert_array_equal(bench.get_lines(SOURCE, grid), joining.stream)
    sums = joining.stream.sum(axis=(0, 2, 3)) + 3
    np.testing.assert_array_equal(bench.unit.moments[:8, 0], sums)


# -- CHANNEL backward -------------------------------------------------------------------------


@given(
    pixels=st.integers(1, N),
    end=st.booleans(),
    kept=st.tuples(st.integers(4, 11), st.integers(4, 8)),
    shift=st.integers(-20, 62),
    seed=st.integers(0, 1 << 32),
)
@settings(max_examples=150, deadline=None)
def test_channel_backward(
    pixels: int, end: bool, kept: tuple[int, int], shift: int, seed: int
) -> None:
    bench, rng = bench_of(seed)
    form = outer_format(kept[1]) if end else inner_format(kept[0])
    total = rng.integers(-(pixels << 15), (pixels << 15) + 1, 16) >> rng.integers(0, 20, 16)
    most = (pixels << 15) * form.most
    product = rng.integers(-most, most + 1, 16) >> rng.integers(0, 20, 16)
    by = Normalizer(drawn(rng, (1, 16), 20), rng.integers(0, 1 << 17, (1, 16)))
    gains = Gain(drawn(rng, (16,), 18), shift)
    bench.unit.moments[2:18] = np.stack([total, product], axis=1)
    records = {"mean": by.mean[0], "reciprocal": by.reciprocal[0]}
    bench.put_records(Record.CHUNK, CHUNK, **records)
    bench.put_records(Record.NORM, NORM, gain=gains.factor)
    bench.put_records(Record.SCALE, SCALE, gain_shift=clip_shift(shift))
    bench.set_slot(4, (8, 8, 8), kept)
    command = Channel(
        **ERROR,
        pixels=pixels,
        backward=True,
        end=end,
        kept_slot=4,
        channel_groups=2,
        scale=SCALE,
        norm=NORM,
        chunk=CHUNK,
        moments=2,
        address=RESULTS,
    )
    bench.run(command, End())
    found = ErrorMoments(np.array([[pixels]]), total[None], product[None])
    wanted = backward.slopes(found, by, gains, form)
    made = unpack_records(Record.CHUNK, bench.unit.records[CHUNK : CHUNK + 16])
    np.testing.assert_array_equal(made["error_mean"], wanted.mean[0])
    np.testing.assert_array_equal(made["slope"], wanted.a[0])
    np.testing.assert_array_equal(made["cross_slope"], wanted.b[0])
    np.testing.assert_array_equal(made["mean"], by.mean[0])
    np.testing.assert_array_equal(made["reciprocal"], by.reciprocal[0])
    out = bench.memory[RESULTS : RESULTS + 16 * 16].view("<i8").reshape(16, 2)
    np.testing.assert_array_equal(out, np.stack([total, product], axis=1))


# -- APPLY -----------------------------------------------------------------------------------


@given(
    grid=grids(P, parts=True),
    bits=st.integers(1, 12),
    end=st.booleans(),
    kept=st.tuples(st.integers(4, 11), st.integers(4, 8)),
    first=st.sampled_from([0, 5, 1 << 20]),
    seed=st.integers(0, 1 << 32),
)
@settings(max_examples=120, deadline=None)
def test_apply(
    grid: Grid, bits: int, end: bool, kept: tuple[int, int], first: int, seed: int
) -> None:
    bench, rng = bench_of(seed)
    size, form = shape_of(grid), outer_format(kept[1]) if end else inner_format(kept[0])
    e, x = drawn(rng, size, 16), np.clip(drawn(rng, size, form.bits), -form.most, form.most)
    words = [drawn(rng, (1, grid.padded), width) for width in (20, 18, 25)]
    words[2] = np.clip(words[2], -(1 << 24) + 1, None)
    names = ("error_mean", "slope", "cross_slope")
    bench.put_records(Record.CHUNK, CHUNK, **{n: w[0] for n, w in zip(names, words, strict=True)})
    bench.put_lines(SOURCE, grid, e)
    bench.put_side(0, grid, x)
    bench.set_slot(4, (8, 8, bits), kept)
    bench.unit.peaks[4] = 0
    bench.machine.rounding = seed, 77
    command = Apply(
        **ERROR,
        slot=4,
        shape=0,
        end=end,
        kept_slot=4,
        source=SOURCE,
        side=0,
        chunk=CHUNK,
        planes=64,
        tensor=513,
        first_image=first,
        peak=4,
    )
    bench.run(grid.shape(), command, End())
    cut = [each[:, : grid.channels] for each in words]
    by = Slopes(cut[0], cut[1], cut[2], 7 - form.fraction)
    wide = backward.apply(e, x, by, grid.images)
    key = rounding_key(seed, 77, 513)
    pixels = grid.height * grid.width
    random = random_bytes(key, grid.images, grid.channels, pixels, first).reshape(size)
    q = backward.round_errors(wide, bits, random)
    np.testing.assert_array_equal(bench.get_planes(64, grid, bits, signed=True), q)
    assert bench.outside(64, grid, bits) == 0
    if grid.padded == grid.channels:
        assert bench.unit.peaks[4] == np.abs(wide).max()


@pytest.mark.parametrize("skipped", [False, True])
@pytest.mark.parametrize("absent", [False, True])
def test_carry_can_stand_for_what_is_skipped(skipped: bool, absent: bool) -> None:
    grid = Grid(P, 1, 8, 4, 4, 4)
    bench, rng = bench_of(0)
    joining = Joining(grid, (0, 0), bench, rng)
    bench.put_lines(OTHER, grid, joining.stream)
    before = bench.get_lines(SOURCE, grid)
    bench.set_slot(1, (0, 0, 0) if absent else (4, 4, 6), (4, 4))
    carry: Command = Carry(
        **ERROR, slot=1, skipped=skipped, shape=0, source=OTHER, destination=SOURCE
    )
    bench.run(grid.shape(), carry, End())
    wanted = joining.stream if skipped is absent else before
    np.testing.assert_array_equal(bench.get_lines(SOURCE, grid), wanted)
