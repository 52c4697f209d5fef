"""CONVOLVE in the emulator against the sentences of the contract, one bit and pixel at a time."""

import dataclasses
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import (
    Convolve,
    End,
    Format,
    Load,
    Memory,
    Pattern,
    RowPixels,
    Store,
    Tag,
    Variant,
    Zero,
)
from tests.hw.machines import machine
from tests.sim.functional.machine_bench import BOTH, DATA, Bench, fill


def place_of(out: int, variant: Variant, pixels: int, row: int) -> int | None:
    """The docstring of `Variant`: from which pixel, or None for 0."""
    half = out % (pixels // 2)
    match variant:
        case Variant.STRAIGHT:
            return out
        case Variant.RIGHT:
            return None if out % row == 0 else out - 1
        case Variant.LEFT:
            return None if out % row == row - 1 else out + 1
        case Variant.EVEN:
            return 2 * half
        case Variant.ODD:
            return 2 * half + 1
        case Variant.ODD_RIGHT:
            return None if half % row == 0 else 2 * half - 1
        case Variant.FROM_LEFT:
            return pixels - 1
        case Variant.FROM_RIGHT:
            return 0


def window_bit(
    bench: Bench,
    patterns: list[Pattern],
    conditions: int,
    address: int,
    row: int,
    where: tuple[int, int, int, int],
) -> int:
    """Plane ``s``, slot, pixel, channel of the window of the place at ``address``."""
    plane, slot, pixel, channel = where
    pixels = bench.p.array.rows
    size = pixels // 4
    result = 0
    for entry in patterns:
        for side in "ab":
            get = {f.name: getattr(entry, f"{side}_{f.name[2:]}") for f in A_FIELDS}
            quarter = pixel // size
            if not get["a_enable"] or not get["a_quarters"] >> (4 * slot + quarter) & 1:
                continue
            variant = Variant(get["a_variants"] >> (3 * (slot % 3)) & 7)
            if variant is Variant.FROM_LEFT and pixel % size != 0:
                continue
            if variant is Variant.FROM_RIGHT and pixel % size != size - 1:
                continue
            rotation = get["a_rotations"] >> (2 * slot) & 3
            source = place_of((pixel + rotation * size) % pixels, variant, pixels, row)
            if source is None or get["a_zero"] & conditions:
                result = 0
            else:
                result = bench.plane(address + get["a_offset"], plane, source, channel)
    return result


A_FIELDS = [each for each in dataclasses.fields(Pattern) if each.name.startswith("a_")]


def random_pattern(rng: np.random.Generator, entry: int) -> Pattern:
    def one(side: str) -> dict[str, Any]:
        return {
            f"{side}_enable": bool(rng.integers(4)),
            f"{side}_offset": int(rng.integers(-3, 4)),
            f"{side}_zero": int(rng.integers(32)) & int(rng.integers(32)),
            f"{side}_variants": int(rng.integers(1 << 9)),
            f"{side}_quarters": int(rng.integers(1 << 36)),
            f"{side}_rotations": int(rng.integers(1 << 18)),
        }

    return Pattern(entry, **one("a"), **one("b"))


@given(seed=st.integers(0, 2**32), spatial=st.sampled_from([1, 1, 2]), gradient=st.booleans())
@settings(max_examples=40, deadline=None)
def test_convolve_is_the_loop_of_its_docstring(seed: int, spatial: int, gradient: bool) -> None:
    """One row and one column of operands that have one digit each, against single bits."""
    rng = np.random.default_rng(seed)
    p = machine(array__spatial_bits=spatial)
    bench = Bench(p, (spatial, spatial), seed)
    channels, pixels = p.block.channels, p.array.rows
    patterns = [random_pattern(rng, entry) for entry in range(2)]
    tiles = [int(each) for each in rng.integers(1, 3, size=3)]
    command = Convolve(
        **BOTH,
        row_signed=bool(rng.integers(2)),
        column_signed=bool(rng.integers(2)),
        pattern=0,
        pairs=2,
        address=20,
        column_address=3,
        groups=int(rng.integers(512)),
        slices=int(rng.integers(1, 3)),
        images=tiles[0],
        tiles_y=tiles[1],
        tiles_x=tiles[2],
        image_stride=11,
        y_stride=5,
        x_stride=2,
        slice_stride=3,
        column_slice_stride=2,
        row_pixels=RowPixels(int(rng.integers(3))),
        top_edge=bool(rng.integers(2)),
        bottom_edge=bool(rng.integers(2)),
        gradient=gradient,
        reduce=bool(rng.integers(2)),
    )
    count = int(np.prod(tiles))
    columns = [
        Load(
            **BOTH,
            memory=Memory.COLUMNS,
            address=DATA + p.word_bytes * 5 * each,
            runs=1,
            words=5,
            destination=3 + 2 * each,
            groups=0xF876543210,
        )
        for each in range(command.slices * count)
    ]
    store = Store(**BOTH, format=Format.PORT, images=1 if command.reduce else count)
    found = bench.run(fill(p, 100), *columns, *patterns, store, command, End())
    row, column = int(rng.integers(pixels)), int(rng.integers(channels))
    expected = []
    total = 0
    step = 0
    for image, y, x in np.ndindex(*tiles):
        conditions = (
            Zero.TOP * (y == 0 and command.top_edge)
            | Zero.BOTTOM * (y == tiles[1] - 1 and command.bottom_edge)
            | Zero.LEFT * (x == 0)
            | Zero.RIGHT * (x == tiles[2] - 1)
            | Zero.ALWAYS
        )
        total = total if command.reduce else 0
        step = step if command.reduce else 0
        for part in range(command.slices):
            address = 20 + 11 * image + 5 * y + 2 * x + 3 * part
            for lane in range(p.array.lanes):
                group, index = divmod(lane, channels)
                if not command.groups >> group & 1:
                    continue
                where = group, row, index
                if gradient:
                    if lane >= 4 * pixels:
                        continue
                    block, (pair, index) = lane // pixels, divmod(row, channels)
                    slot = 3 * block + pair if block < 3 else 2 + 3 * pair
                    where = slot, lane % pixels, index
                values = []
                for signed, bits in (
                    (
                        command.row_signed,
                        [
                            window_bit(
                                bench,
                                patterns,
                                conditions,
                                address,
                                pixels >> (2 - command.row_pixels),
                                (plane, *where),
                            )
                            for plane in range(spatial)
                        ],
                    ),
                    (
                        command.column_signed,
                        [
                            bench.plane(
                                5 * step + group // 2,
                                plane,
                                group % 2 * channels + column,
                                lane % channels,
                            )
                            for plane in range(spatial)
                        ],
                    ),
                ):
                    value = sum(bit << (spatial - 1 - s) for s, bit in enumerate(bits))
                    values.append(value - (bits[0] << spatial if signed else 0))
                total += values[0] * values[1]
            step += 1
        expected.append(total)
    clusters, beats = p.column_clusters, p.beats_per_tile
    tile_results = found.beats.reshape(-1, beats, pixels, clusters)
    wanted = expected[-1:] if command.reduce else expected
    assert tile_results[:, column % beats, row, column // beats].tolist() == wanted
    assert found.passes == {Tag.OTHER: count * command.slices}
