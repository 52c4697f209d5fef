"""What goes between memory and a vector unit: MOVE, RECALL, FILL, SPILL, SET, REPORT, weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.host.compiler.tensors import KernelLayout, PixelLayout
from fractrain.hw.contract.commands import (
    End,
    Fill,
    Load,
    Memory,
    Move,
    Quantize,
    Recall,
    Recalled,
    Report,
    Set,
    Spill,
    Tag,
    Update,
)
from fractrain.hw.contract.precision import Operand
from fractrain.hw.contract.random_bits import rounding_key
from fractrain.hw.contract.records import Record, clip_shift
from fractrain.sim.functional import Order
from fractrain.sim.golden.random_bits import random_bytes
from fractrain.sim.golden.step import weights
from fractrain.sim.golden.step.scales import Multiplier
from fractrain.sim.golden.step.weights import UpdateRule
from tests.sim.functional.test_vector_forward import bench_of, drawn, shape_of
from tests.sim.functional.vector_bench import ERROR, RESULTS, STASH, Grid, grids, small

P = small()
WORD = P.word_bytes
WEIGHT: dict[str, Any] = {"operand": Operand.WEIGHT, "partner": Operand.ACTIVATION}


# -- MOVE ------------------------------------------------------------------------------------


@given(
    bits=st.integers(1, 12),
    transposed=st.booleans(),
    runs=st.integers(1, 3),
    words=st.integers(1, 5),
    seed=st.integers(0, 1 << 32),
)
@settings(max_examples=40, deadline=None)
def test_move_is_a_load_from_the_chip(
    bits: int, transposed: bool, runs: int, words: int, seed: int
) -> None:
    bench, rng = bench_of(seed)
    bench.set_slot(0, (8, 8, bits), (8, 8))
    groups = sum(int(rng.choice([*range(9), 15])) << 4 * half for half in range(10))
    places: dict[str, Any] = dict(digit_stride=20, run_stride=6, runs=runs, words=words)
    places |= dict(destination=3, destination_digit_stride=1, destination_run_stride=bits)
    move = Move(**ERROR, **places, address=7, transposed=transposed, groups=groups)
    # the same words from memory
    data = bench.memory[: 400 * WORD].reshape(400, WORD)
    bits_of = np.unpackbits(data, axis=1, bitorder="little").reshape(400, P.array.rows, -1)
    bench.chip.planes[7:407] = bits_of
    load = Load(
        slot=0,
        **ERROR,
        **places,
        memory=Memory.COLUMNS,
        address=0,
        transposed=transposed,
        groups=groups,
    )
    before = bench.chip.columns.copy()
    bench.run(load, End())
    loaded, bench.chip.columns[:] = bench.chip.columns.copy(), before
    done = bench.run(move, End())
    np.testing.assert_array_equal(bench.chip.columns, loaded)
    assert not np.array_equal(before, loaded) or not any(
        groups >> 4 * half & 15 != 15 for half in range(2 * words)
    )
    assert not done.stash_read


# -- RECALL, FILL, SPILL ---------------------------------------------------------------------


@given(
    grid=grids(P),
    kind=st.sampled_from(Recalled),
    masked=st.booleans(),
    kept=st.tuples(st.integers(4, 11), st.integers(4, 8)),
    bits=st.integers(8, 16),
    seed=st.integers(0, 1 << 32),
)
@settings(max_examples=60, deadline=None)
def test_recall_reads_what_the_compiler_lays_out(
    grid: Grid, kind: Recalled, masked: bool, kept: tuple[int, int], bits: int, seed: int
) -> None:
    bench, rng = bench_of(seed)
    bench.set_slot(3, (8, 8, 8), kept)
    bits = {Recalled.INSIDE: kept[0], Recalled.END: kept[1]}.get(kind, bits)
    signed = kind is not Recalled.RESIDUAL
    values = (
        drawn(rng, shape_of(grid), bits) if signed else rng.integers(0, 1 << bits, shape_of(grid))
    )
    mask = rng.integers(0, 2, values.shape)
    layout = PixelLayout(
        P, grid.images, grid.channels, (grid.height, grid.width), grid.row_width, 16
    )
    assert layout.blocks * grid.images == grid.blocks
    words = layout.digit_stride * WORD
    layout.pack(values, bench.memory[STASH : STASH + 16 * words], bits)
    one = replace(layout, bits=1)
    one.pack(mask, bench.memory[STASH + 17 * words : STASH + 18 * words])
    recall = Recall(
        kind=kind,
        address=STASH,
        kept_slot=3,
        bits=bits if kind is Recalled.RESIDUAL else 0,
        masked=masked,
        mask_plane=17,
        plane_stride=layout.digit_stride,
        group_stride=layout.group_stride,
        channel_groups=grid.groups,
        blocks=grid.blocks,
        destination=10,
        tag=Tag.ERROR,
    )
    done = bench.run(recall, End())
    found, masks = bench.get_side(10, grid)
    np.testing.assert_array_equal(found, values & 0xFFFF)
    np.testing.assert_array_equal(masks, mask if masked else 0)
    assert done.stash_read == {Tag.ERROR: (bits + masked) * words}


def test_spilled_lines_come_back() -> None:
    bench, _ = bench_of(0)
    runs: dict[str, Any] = dict(runs=2, lines=5, run_stride=9, address=RESULTS)
    before = bench.unit.staging[:40].copy()
    done = bench.run(Spill(**runs, source=10, source_run_stride=20), End())
    assert done.stash_written == {Tag.OTHER: 10 * P.line_bytes} and done.lines == {Tag.OTHER: 10}
    for run in range(2):
        line = bench.memory[RESULTS + 9 * run * P.line_bytes :][: 5 * P.line_bytes].view("<i2")
        assert line.tolist() == before[10 + 20 * run :][:5].ravel().tolist()
    done = bench.run(Fill(**runs, destination=100, destination_run_stride=7), End())
    assert done.stash_read == {Tag.OTHER: 10 * P.line_bytes}
    np.testing.assert_array_equal(bench.unit.staging[100:105], before[10:15])
    np.testing.assert_array_equal(bench.unit.staging[107:112], before[30:35])


def test_set_brings_records() -> None:
    bench, _ = bench_of(0)
    bench.run(Set(address=RESULTS, words=6, destination=50), End())
    wanted = bench.memory[RESULTS : RESULTS + 6 * WORD].reshape(-1, 16)
    np.testing.assert_array_equal(bench.unit.records[50 : 50 + len(wanted)], wanted)


def test_report_clears_what_it_writes() -> None:
    bench, _ = bench_of(0)
    before = bench.unit.peaks.copy()
    count = 3 * P.block_bytes // 8
    bench.run(Report(address=RESULTS, first=2, blocks=3), End())
    found = bench.memory[RESULTS : RESULTS + 8 * count].view("<u8")
    assert found.tolist() == before[2 : 2 + count].tolist()
    assert not bench.unit.peaks[2 : 2 + count].any()
    assert bench.unit.peaks[2 + count :].tolist() == before[2 + count :].tolist()


# -- weights ---------------------------------------------------------------------------------


def blocks_of(values: Any, layout: KernelLayout) -> Any:
    """``[block, pixel, channel]`` of weights, where `KernelLayout` has their planes."""
    channels = P.block.channels
    filters, inputs = values.shape[:2]
    taps = values.reshape(filters, inputs, -1)
    words = np.zeros((layout.digit_stride, 2 * channels, channels), np.int64)
    for f, c, tap in np.ndindex(taps.shape):
        part, group = divmod(c // channels, layout.groups_per_slice)
        half = tap if layout.taps == 9 else group
        word = layout.word(f // channels, part) + half // 2
        words[word, half % 2 * channels + f % channels, c % channels] = taps[f, c, tap]
    return words


@given(
    size=st.tuples(st.integers(1, 18), st.integers(1, 18), st.sampled_from([1, 3])),
    bits=st.integers(1, 8),
    seed=st.integers(0, 1 << 32),
)
@settings(max_examples=30, deadline=None)
def test_quantized_weights_are_what_a_load_expects(
    size: tuple[int, int, int], bits: int, seed: int
) -> None:
    bench, rng = bench_of(seed)
    bench.set_slot(2, (4, bits, 6), (4, 4))
    w = drawn(rng, (*size, size[2]), 32)
    layout = KernelLayout(P, size[0], size[1], size[2] ** 2, 8, -(-size[0] // 8))
    scale = weights.weight_scale(weights.greatest(w) * float(rng.uniform(0.2, 1)), bits)
    by = weights.multiplier(weights.WEIGHT_STEP / scale)
    bench.put_records(Record.SCALE, 1, mantissa=by.mantissa, shift=clip_shift(by.shift))
    blocks = blocks_of(w, layout)
    data = blocks.astype("<i4").view(np.uint8).ravel()
    bench.memory[STASH : STASH + len(data)] = data
    command = Quantize(
        **WEIGHT,
        slot=2,
        scale=1,
        source=STASH,
        destination=RESULTS,
        blocks=len(blocks),
        plane_stride=layout.digit_stride,
    )
    done = bench.run(command, End())
    packed = np.zeros(layout.words * WORD, np.uint8)
    q = weights.quantize_weights(w, bits, scale)
    layout.pack(q, packed, bits)
    planes = bits * layout.digit_stride * WORD
    np.testing.assert_array_equal(bench.memory[RESULTS : RESULTS + planes], packed[:planes])
    assert done.stash_read[Tag.OTHER] == len(data)
    assert done.stash_written[Tag.OTHER] == planes


FACTORS = st.none() | st.builds(
    Multiplier, st.integers(1 << 16, (1 << 17) - 1), st.integers(-3, 70)
)


@given(
    rule=st.builds(UpdateRule, st.integers(0, 16), FACTORS, FACTORS, FACTORS, FACTORS),
    taps=st.sampled_from([1, 9]),
    gradient=st.booleans(),
    seed=st.integers(0, 1 << 32),
)
@settings(max_examples=80, deadline=None)
def test_update(rule: UpdateRule, taps: int, gradient: bool, seed: int) -> None:
    """One half-block of a layer of 16 filters and 24 channels, the other of another tap."""
    bench, rng = bench_of(seed)
    bench.machine.rounding = seed, 3
    bench.set_slot(2, (4, 4, 6) if gradient else (0, 0, 0), (4, 4))
    size = (16, 24, taps)
    w, v = drawn(rng, size, 32), drawn(rng, size, 32)
    sums = drawn(rng, size, 32 + rule.before)
    limit = (1 << (31 + rule.before)) - (1 << rule.before)
    sums = np.clip(sums, -limit, limit)
    random = random_bytes(rounding_key(seed, 3, 900), 1, 16, 24 * taps).reshape(size)
    new_w, new_v = weights.update(w, v, sums if gradient else None, rule, random)
    halves = [(1, 2, taps - 1), (1, 0, taps // 2)]  # group of filters, of channels, tap
    tile = rng.integers(-(1 << 47), 1 << 47, (16, 8))
    addresses = (STASH, STASH + 4096)
    for number, (filters, group, tap) in enumerate(halves):
        part = np.s_[8 * filters :, 8 * group : 8 * group + 8, tap]
        tile[8 * number : 8 * number + 8] = sums[part].T
        for address, values in zip(
            (addresses[number], addresses[number] + 1024), (w, v), strict=True
        ):
            data = np.ascontiguousarray(values[part].astype("<i4")).view(np.uint8).ravel()
            bench.memory[address : address + 256] = data
    by_beat = tile.reshape(16, P.column_clusters, P.beats_per_tile).transpose(2, 0, 1)
    bench.chip.gradients[5 : 5 + P.beats_per_tile] = by_beat.reshape(P.beats_per_tile, -1)
    fields = {"before": rule.before}
    for name in ("gradient", "momentum", "decay", "rate"):
        by = getattr(rule, name)
        fields[f"{name}_mantissa"] = 0 if by is None else by.mantissa
        fields[f"{name}_shift"] = 0 if by is None else clip_shift(by.shift)
    bench.put_records(Record.UPDATE, 4, **fields)
    bench.unit.peaks[6:8] = 1, 1
    command = Update(
        operand=Operand.ACTIVATION,
        partner=Operand.ERROR,
        slot=2,
        gradient_address=5,
        a_enable=True,
        a_address=addresses[0],
        a_group=2,
        a_tap=taps - 1,
        b_enable=True,
        b_address=addresses[1],
        b_group=0,
        b_tap=taps // 2,
        velocity=1024,
        filter_group=1,
        taps=taps,
        rule=4,
        tensor=900,
        peak=6,
    )
    untouched = bench.memory[addresses[1] : addresses[1] + 2048].copy()
    only_a = replace(command, b_enable=False)
    bench.run(only_a if seed % 2 else command, End())
    squares, peak = 0, 1
    for number, (filters, group, tap) in enumerate(halves):
        part = np.s_[8 * filters :, 8 * group : 8 * group + 8, tap]
        address = addresses[number]
        if number == 1 and seed % 2:
            np.testing.assert_array_equal(bench.memory[address : address + 2048], untouched)
            continue
        for at, values in ((address, new_w), (address + 1024, new_v)):
            found = bench.memory[at : at + 256].view("<i4").reshape(8, 8)
            np.testing.assert_array_equal(found, values[part])
        short = np.clip((new_w[part] + (1 << 15)) >> 16, -(1 << 15), (1 << 15) - 1)
        squares += int((short * short).sum())
        peak = max(peak, int(np.abs(new_w[part]).max()))
    assert bench.unit.peaks[6:8].tolist() == [peak, squares + 1]


# -- the host --------------------------------------------------------------------------------


@pytest.mark.parametrize("order", Order)
def test_the_host_is_asked_and_answers(order: Order) -> None:
    """A token when lines are in memory; what the host writes is filled in behind its answer."""
    bench, _ = bench_of(0)
    wanted = bench.unit.staging[3].copy()

    def host() -> int:
        line = bench.memory[RESULTS : RESULTS + P.line_bytes].view("<i2")
        assert line.tolist() == wanted.tolist()
        line += 1
        return 1

    spill = Spill(address=RESULTS, source=3, signal=1 << 3)
    fill = Fill(address=RESULTS, destination=4, wait=1 << 3)
    bench.run(spill, fill, End(), order=order, host=host)
    expected = (wanted.astype(np.int16) + np.int16(1)).tolist()
    assert bench.unit.staging[4].tolist() == expected
