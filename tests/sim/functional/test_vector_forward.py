"""The forward commands of a vector unit against `sim.golden.step`, chunk by chunk."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import (
    Channel,
    End,
    Form,
    Narrow,
    Normalize,
    Recompute,
    Second,
    Tag,
    encode,
)
from fractrain.hw.contract.normalized import WIDE, Format, inner_format, outer_format
from fractrain.hw.contract.numerics import CONVOLVED_BITS
from fractrain.hw.contract.numerics import MAX_UNIT_PIXELS as N
from fractrain.hw.contract.precision import Operand
from fractrain.hw.contract.records import Record, pack_records, unpack_records
from fractrain.sim.functional.decoding import decode_task
from fractrain.sim.golden.step import forward
from fractrain.sim.golden.step.forward import Moments, Normalizer, Term
from tests.sim.functional.vector_bench import RESULTS, STASH, Grid, VectorBench, grids, small

P = small()
SOURCE, OTHER = 0, 1024
SIDE, SIDE_OUT = 0, 512
SCALE, NORM, CHUNK, SECOND = 0, 8, 40, 72
WORDS = st.integers(-(1 << 15), (1 << 15) - 1)
ACTIVATION: dict[str, Any] = {"operand": Operand.ACTIVATION, "partner": Operand.WEIGHT}


def drawn(rng: np.random.Generator, size: tuple[int, ...], bits: int) -> Any:
    """Signed numbers of up to ``bits`` bits, of all magnitudes, and both ends."""
    found = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), size) >> rng.integers(0, bits, size)
    found[rng.random(size) < 0.05] = (1 << (bits - 1)) - 1
    found[rng.random(size) < 0.05] = -(1 << (bits - 1))
    return found


def shape_of(grid: Grid) -> tuple[int, int, int, int]:
    return grid.images, grid.channels, grid.height, grid.width


def bench_of(seed: int) -> tuple[VectorBench, np.random.Generator]:
    return VectorBench(P, seed), np.random.default_rng(seed)


# -- NARROW ----------------------------------------------------------------------------------


@given(grid=grids(P), shift=st.integers(-13, 40) | st.just(-13), seed=st.integers(0, 1 << 32))
@settings(max_examples=60, deadline=None)
def test_narrow(grid: Grid, shift: int, seed: int) -> None:
    bench, rng = bench_of(seed)
    sums = drawn(rng, shape_of(grid), int(rng.integers(8, CONVOLVED_BITS + 1)))
    bench.put_records(Record.SCALE, SCALE, narrow_shift=shift)
    bench.unit.peaks[3] = 5
    before = bench.unit.moments[:8].copy()
    for group in range(grid.groups):
        command = Narrow(
            **ACTIVATION,
            **grid.tiling,
            address=SOURCE + group * grid.blocks * 8,
            scale=SCALE,
            moments=8 * group,
            start=group > 0,
            peak=3,
        )
        task = decode_task(encode(command), 0, P, bench.machine.table, bench.machine.kept)
        for number, tile in enumerate(grid.tiles_of(sums, group)):
            bench.machine._staging.store(task, command, number, tile)
    y = forward.narrow(sums, shift)
    np.testing.assert_array_equal(bench.get_lines(SOURCE, grid), y)
    total, squares = y.sum(axis=(0, 2, 3)), (y * y).sum(axis=(0, 2, 3))
    found = bench.unit.moments[: grid.channels].copy()
    found[:8] -= before[: len(found)][:8]  # the first group was added up, the others were cleared
    np.testing.assert_array_equal(found, np.stack([total, squares], axis=1))
    assert bench.unit.peaks[3] == max(int(np.abs(sums).max()), 5)


# -- CHANNEL ---------------------------------------------------------------------------------


@given(
    pixels=st.integers(1, N) | st.sampled_from([1, 2, N]),
    groups=st.integers(1, 2),
    seed=st.integers(0, 1 << 32),
)
@settings(max_examples=100, deadline=None)
def test_channel_forward(pixels: int, groups: int, seed: int) -> None:
    """Moments as every y can give them: some values with their counts."""
    bench, rng = bench_of(seed)
    channels = 8 * groups
    cuts = np.sort(rng.integers(0, pixels + 1, (channels, 2)), axis=1)
    counts = np.diff(cuts, axis=1, prepend=0, append=pixels).astype(object)
    y = drawn(rng, (channels, 3), 16).astype(object)
    total, squares = (counts * y).sum(axis=1), (counts * y * y).sum(axis=1)
    dispersion = pixels * squares - total * total
    bench.unit.moments[4 : 4 + channels, 0] = total.astype(np.int64)
    bench.unit.moments[4 : 4 + channels, 1] = squares.astype(np.int64)
    bench.run(
        Channel(
            **ACTIVATION,
            pixels=pixels,
            channel_groups=groups,
            norm=NORM,
            chunk=CHUNK,
            moments=4,
            address=RESULTS,
        ),
        End(),
    )
    moments = Moments(
        np.array([[pixels]]),
        total.astype(np.int64)[None],
        dispersion.astype(np.uint64)[None],
    )
    wanted = forward.normalizer(moments)
    found = unpack_records(Record.CHUNK, bench.unit.records[CHUNK : CHUNK + channels])
    np.testing.assert_array_equal(found["mean"], wanted.mean[0])
    np.testing.assert_array_equal(found["reciprocal"], wanted.reciprocal[0])
    others = "shifted", "error_mean", "slope", "cross_slope"
    assert not any(found[name].any() for name in others)
    out = bench.memory[RESULTS:]
    np.testing.assert_array_equal(
        out[: 16 * channels].reshape(-1, 16), bench.unit.records[CHUNK : CHUNK + channels]
    )
    sums = out[16 * channels : 32 * channels].reshape(-1, 16)
    assert sums[:, :8].copy().view("<i8").ravel().tolist() == total.tolist()
    assert sums[:, 8:].copy().view("<u8").ravel().tolist() == dispersion.tolist()


# -- FORM, NORMALIZE, RECOMPUTE ---------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Case:
    """What is formed. ``second``: with how many bits of the residual, or with a shortcut."""

    grid: Grid
    normalized: bool
    end: bool
    second: Second
    bits: int
    inner: int
    outer: int
    residual_bits: int
    seed: int


def cases() -> st.SearchStrategy[Case]:
    def possible(case: Case) -> bool:
        return case.normalized or case.second is not Second.NONE

    return st.builds(
        Case,
        grids(P),
        st.booleans(),
        st.booleans(),
        st.sampled_from(Second),
        st.integers(0, 8),
        st.integers(4, 11),
        st.integers(4, 8),
        st.sampled_from([8, 9, 12, 16]),
        st.integers(0, 1 << 32),
    ).filter(possible)


class Forming:
    """The tensors and numbers of a case, and what golden makes of them."""

    def __init__(self, case: Case, bench: VectorBench, rng: np.random.Generator) -> None:
        grid, size = case.grid, shape_of(case.grid)
        self.case, self.bench = case, bench
        self.y, self.other = drawn(rng, size, 16), drawn(rng, size, 12)
        self.residual = rng.integers(0, 1 << case.residual_bits, size)
        self.by = Normalizer(
            drawn(rng, (1, grid.padded), 20), rng.integers(0, 1 << 17, (1, grid.padded))
        )
        self.terms = [
            Term(drawn(rng, (grid.padded,), 18), drawn(rng, (grid.padded,), 30)) for _ in range(2)
        ]
        self.factor = int(drawn(rng, (1,), 18)[0])
        for address, term in zip((NORM, SECOND), self.terms, strict=True):
            bench.put_records(Record.NORM, address, factor=term.factor, offset=term.offset)
        bench.put_records(
            Record.CHUNK, CHUNK, mean=self.by.mean[0], reciprocal=self.by.reciprocal[0]
        )
        bench.put_records(Record.SCALE, SCALE, residual_factor=self.factor)
        bench.put_lines(SOURCE, grid, self.y)
        bench.put_lines(OTHER, grid, np.clip(self.other, -2047, 2047))
        bench.put_side(SIDE, grid, self.residual, rng.integers(0, 2, size))
        bench.set_slot(1, (8, 8, 8), (case.inner, case.outer))
        bench.set_slot(2, (case.bits, 8, 8), (4, 4))

    @property
    def kept(self) -> Format:
        case = self.case
        return outer_format(case.outer) if case.end else inner_format(case.inner)

    def normalized(self, form: Format) -> Any:
        channels = self.case.grid.channels
        by = Normalizer(self.by.mean[:, :channels], self.by.reciprocal[:, :channels])
        return forward.normalize(self.y, by, form, self.case.grid.images)

    def z(self) -> Any:
        case, channels = self.case, self.case.grid.channels
        first, second = (
            Term(each.factor[:channels], each.offset[:channels]) for each in self.terms
        )
        terms = []
        if case.normalized:
            terms.append((self.normalized(WIDE if case.end else self.kept), first))
        if case.second is Second.SHORTCUT:
            terms.append((np.clip(self.other, -2047, 2047), second))
        shift = forward.residual_shift(case.residual_bits)
        residual = self.residual, self.factor, shift
        return forward.form(terms, residual if case.second is Second.RESIDUAL else None)


@given(case=cases())
@settings(max_examples=120, deadline=None)
def test_form(case: Case) -> None:
    bench, rng = bench_of(case.seed)
    grid, forming = case.grid, Forming(case, bench, rng)
    bench.unit.peaks[7] = 11
    residual = case.second is Second.RESIDUAL
    done = bench.run(
        grid.shape(5),
        Form(
            **ACTIVATION,
            tag=Tag.FORWARD,
            shape=5,
            normalized=case.normalized,
            end=case.end,
            second=case.second,
            planed=True,
            kept=True,
            stash_normalized=case.normalized,
            stash_mask=True,
            stash_activations=True,
            stash_residual=True,
            pooled=True,
            kept_slot=1,
            form_slot=2,
            residual_bits=case.residual_bits,
            source=SOURCE,
            second_address=SIDE if residual else OTHER,
            norm=NORM,
            chunk=CHUNK,
            second_record=SCALE if residual else SECOND,
            planes=100,
            side=SIDE_OUT,
            stash=STASH,
            pool=RESULTS,
            peak=7,
        ),
        End(),
    )
    z = forming.z()
    alone = residual and not case.normalized
    r = forming.residual if alone else forward.round_activations(z, case.residual_bits)
    found, masks = bench.get_side(SIDE_OUT, grid)
    np.testing.assert_array_equal(found, r)
    np.testing.assert_array_equal(masks, z > 0)
    np.testing.assert_array_equal(bench.get_stash(STASH, grid, 11, 1), z > 0)
    if case.bits:
        a = forward.round_activations(z, case.bits)
        np.testing.assert_array_equal(bench.get_planes(100, grid, case.bits), a)
        np.testing.assert_array_equal(bench.get_stash(STASH, grid, 12, case.bits), a)
        assert bench.outside(100, grid, case.bits) == 0
    if case.normalized:
        form = forming.kept
        x = forming.normalized(WIDE if case.end else form)
        x = forward.keep(x, form) if case.end else x
        stashed = bench.get_stash(STASH, grid, 0, form.bits, signed=True)
        np.testing.assert_array_equal(stashed, x)
    top = r >> (case.residual_bits - 8)
    np.testing.assert_array_equal(bench.get_stash(STASH, grid, 20, 8), top)
    pooled = bench.memory[RESULTS:][: 4 * grid.images * grid.padded].view("<u4")
    pooled = pooled.reshape(grid.images, grid.padded)[:, : grid.channels]
    np.testing.assert_array_equal(pooled, r.sum(axis=(2, 3)))
    # channels beyond the tensor may be greater than all of it
    inside = [0] if alone else [int(z.max())]
    assert bench.unit.peaks[7] >= max(11, *inside)
    if alone or (grid.padded == grid.channels):
        assert bench.unit.peaks[7] == max(11, *inside)
    assert done.lines == {Tag.FORWARD: grid.lines}
    planes = 1 + case.bits + 8 + (form.bits if case.normalized else 0)
    written = planes * grid.groups * grid.blocks * P.word_bytes + 4 * grid.images * grid.padded
    assert done.stash_written[Tag.FORWARD] == written


@given(case=cases().filter(lambda case: case.normalized))
@settings(max_examples=40, deadline=None)
def test_form_makes_nothing_that_is_not_asked_for(case: Case) -> None:
    bench, rng = bench_of(case.seed)
    Forming(case, bench, rng)
    before = [
        each.copy() for each in (bench.chip.planes, bench.unit.side, bench.unit.masks, bench.memory)
    ]
    form = Form(
        **ACTIVATION,
        shape=0,
        end=case.end,
        second=Second.NONE,
        kept_slot=1,
        form_slot=2,
        source=SOURCE,
        norm=NORM,
        chunk=CHUNK,
    )
    bench.run(case.grid.shape(), form, End())
    memory = bench.memory.copy()
    memory[1 << 20 :] = before[3][1 << 20 :]
    after = bench.chip.planes, bench.unit.side, bench.unit.masks, memory
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@given(case=cases())
@settings(max_examples=60, deadline=None)
def test_normalize_is_the_first_half_of_a_form(case: Case) -> None:
    bench, rng = bench_of(case.seed)
    grid, forming = case.grid, Forming(case, bench, rng)
    bench.run(
        grid.shape(),
        Normalize(
            **ACTIVATION,
            shape=0,
            kept_slot=1,
            source=SOURCE,
            destination=SOURCE,
            chunk=CHUNK,
            stashed=True,
            stash=STASH,
        ),
        End(),
    )
    x, form = forming.normalized(WIDE), outer_format(case.outer)
    np.testing.assert_array_equal(bench.get_lines(SOURCE, grid), x)
    stashed = bench.get_stash(STASH, grid, 0, form.bits, signed=True)
    np.testing.assert_array_equal(stashed, forward.keep(x, form))


@given(grid=grids(P), bits=st.integers(1, 8), inner=st.integers(4, 11), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_recompute_makes_activations_and_mask_again(
    grid: Grid, bits: int, inner: int, seed: int
) -> None:
    case = Case(grid, True, False, Second.NONE, bits, inner, 4, 8, seed)
    bench, rng = bench_of(seed)
    forming = Forming(case, bench, rng)
    x, z = forming.normalized(inner_format(inner)), forming.z()
    bench.put_side(SIDE, grid, x, rng.integers(0, 2, x.shape))
    again = Recompute(**ACTIVATION, shape=0, kept_slot=1, form_slot=2, side=SIDE, norm=NORM)
    bench.run(grid.shape(), again, End())
    np.testing.assert_array_equal(
        bench.get_planes(0, grid, bits), forward.round_activations(z, bits)
    )
    kept, masks = bench.get_side(SIDE, grid)
    np.testing.assert_array_equal(masks, z > 0)
    np.testing.assert_array_equal(kept, x & 0xFFFF)
    assert bench.outside(0, grid, bits) == 0


def test_an_evaluation_has_its_records_from_the_host() -> None:
    """CHANNEL is not needed: `running_normalizer` is a chunk record."""
    rng = np.random.default_rng(0)
    mean, variance = rng.normal(size=3), rng.uniform(0.1, 9, 3)
    by = forward.running_normalizer(mean, variance, 0.01)
    data = pack_records(Record.CHUNK, {"mean": by.mean[0], "reciprocal": by.reciprocal[0]})
    assert unpack_records(Record.CHUNK, data)["reciprocal"].tolist() == by.reciprocal[0].tolist()
