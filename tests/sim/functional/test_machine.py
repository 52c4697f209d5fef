"""The emulator against the sentences of the contract, one bit and one pixel at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import (
    Command,
    Convolve,
    End,
    Fault,
    Format,
    Load,
    Memory,
    Pattern,
    RowPixels,
    Store,
    Tag,
    Variant,
    Zero,
    encode_all,
)
from fractrain.hw.contract.errors import MachineError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand, Precision
from fractrain.sim.functional import FunctionalMachine, Order, RunResult
from fractrain.sim.functional.fault import FaultError
from fractrain.sim.functional.results import narrow
from fractrain.sim.functional.words import from_bytes, to_bytes
from tests.hw.machines import machine

BOTH: dict[str, Any] = {"slot": 0, "operand": Operand.ACTIVATION, "partner": Operand.WEIGHT}
DATA, RESULTS, PROGRAM, SIZE = 0, 1 << 15, 1 << 16, 1 << 17


class Bench:
    """A machine with random bytes at `DATA`."""

    def __init__(self, parameters: Parameters, bits: tuple[int, int], seed: int) -> None:
        self.p = parameters
        rng = np.random.default_rng(seed)
        self.memory = np.zeros(SIZE, np.uint8)
        self.memory[DATA:RESULTS] = rng.integers(256, size=RESULTS - DATA)
        self.machine = FunctionalMachine(parameters, self.memory, unwritten=0)
        self.machine.table[0] = Precision(bits[0], bits[1], 1)

    def run(self, *commands: Command, order: Order = Order.FETCH_FIRST) -> RunResult:
        words = encode_all(list(commands)).reshape(-1)
        self.memory[PROGRAM : PROGRAM + len(words)] = words
        return self.machine.run(PROGRAM, len(commands), order)

    def plane(self, word: int, plane: int, pixel: int, channel: int) -> int:
        """One bit of memory."""
        bit = pixel * self.p.block.channels + channel
        byte = DATA + word * self.p.word_bytes + plane * self.p.block_bytes + bit // 8
        return int(self.memory[byte]) >> bit % 8 & 1


def fill(p: Parameters, words: int) -> Load:
    """The first ``words`` words of memory into the plane memory, as one digit."""
    return Load(**BOTH, memory=Memory.PLANES, address=DATA, runs=1, words=words, destination=0)


# -- convolutions, by their definition -------------------------------------------------------------


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


# -- results ---------------------------------------------------------------------------------------


def one_tile(p: Parameters) -> list[Command]:
    """A tile whose results are those of random operands, 5 x 6 bits."""
    return [
        dataclasses.replace(fill(p, 1), digit_stride=1, destination_digit_stride=1),
        Load(
            **BOTH,
            memory=Memory.COLUMNS,
            address=DATA,
            runs=1,
            words=5,
            digit_stride=5,
            destination=0,
            destination_digit_stride=1,
            groups=0xF876543210,
        ),
        Pattern(0, a_enable=True, a_quarters=(1 << 36) - 1),
        Convolve(
            **BOTH,
            row_signed=False,
            column_signed=True,
            pattern=0,
            pairs=1,
            address=0,
            column_address=0,
            digit_stride=1,
        ),
    ]


@pytest.mark.parametrize("spatial", [1, 2, 4, 8])
def test_formats_say_the_same(spatial: int) -> None:
    p = machine(array__spatial_bits=spatial)
    bench = Bench(p, (5, 6), 1)
    beats = bench.run(Store(**BOTH, format=Format.PORT), *one_tile(p), End()).beats
    tile = beats.reshape(p.beats_per_tile, p.array.rows, -1).transpose(1, 2, 0)
    tile = tile.reshape(p.array.rows, p.array.columns)
    assert tile.min() < 0
    bench.run(Store(**BOTH, format=Format.RAW32, address=RESULTS), *one_tile(p), End())
    raw = bench.memory[RESULTS:][: beats.size * 4].view("<i4")
    assert np.array_equal(raw, beats.reshape(-1))
    bench.run(Store(**BOTH, format=Format.RAW48, address=RESULTS), *one_tile(p), End())
    raw = bench.memory[RESULTS:][: beats.size * 6].reshape(-1, 6)
    values = [int.from_bytes(each.tobytes(), "little", signed=True) for each in raw]
    assert values == beats.reshape(-1).tolist()
    store = Store(
        **BOTH,
        format=Format.PLANES,
        address=RESULTS,
        digit_stride=3,
        bits=5,
        shift=4,
        signed=True,
        row_pixels=RowPixels.HALF,
        valid_x=7,
        valid_y=1,
    )
    bench.run(store, *one_tile(p), End())
    total = np.zeros_like(tile)
    for plane in range(5):
        word, s = divmod(plane, spatial)
        start = RESULTS + 3 * word * p.word_bytes + s * p.block_bytes
        bits = np.unpackbits(bench.memory[start : start + p.block_bytes], bitorder="little")
        total += bits.reshape(tile.shape).astype(int) * (-16 if plane == 0 else 16 >> plane)
    expected = np.clip((tile + 8) >> 4, -16, 15)
    expected[7], expected[8:] = 0, 0
    assert np.array_equal(total, expected)


def test_narrowing_rounds_halves_up_and_saturates() -> None:
    sums = np.array([-(1 << 47), -3, -2, -1, 0, 1, 2, 3, (1 << 47) - 1])
    assert narrow(sums, 1, 4, signed=True).tolist() == [-8, -1, -1, 0, 0, 1, 1, 2, 7]
    assert narrow(sums, 0, 2, signed=False).tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 3]
    assert narrow(sums, 63, 2, signed=True).tolist() == [0] * 9


def test_gradient_memory_adds_and_keeps() -> None:
    p = machine()
    bench = Bench(p, (5, 6), 2)
    once = bench.run(
        Store(**BOTH, format=Format.PORT, keep=True, gradient_address=4), *one_tile(p), End()
    ).beats
    store = Store(**BOTH, format=Format.PORT, add=True, keep=True, gradient_address=4)
    assert np.array_equal(bench.run(store, *one_tile(p), End()).beats, 2 * once)
    assert np.array_equal(bench.run(store, *one_tile(p), End()).beats, 3 * once)


@pytest.mark.parametrize("spatial", [1, 4])
def test_words_come_back(spatial: int) -> None:
    p = machine(array__spatial_bits=spatial)
    data = np.random.default_rng(0).integers(256, size=3 * p.word_bytes).astype(np.uint8)
    assert np.array_equal(to_bytes(from_bytes(data, p), p).reshape(-1), data)


# -- tokens and faults -----------------------------------------------------------------------------


def test_a_stage_waits_for_its_tokens() -> None:
    """In any order, as the loads wait for each other's convolutions."""
    p = machine()
    results = []
    for order in Order:
        bench = Bench(p, (5, 6), 3)
        load, columns, pattern, convolve = one_tile(p)
        second = dataclasses.replace(load, address=DATA + 64 * p.word_bytes, wait=1, signal=1)
        results.append(
            bench.run(
                Store(**BOTH, format=Format.PORT, images=2),
                load,
                dataclasses.replace(columns, signal=1),
                pattern,
                dataclasses.replace(convolve, wait=1, signal=1),
                second,
                dataclasses.replace(convolve, wait=1),
                End(),
                order=order,
            ).beats
        )
    assert all(np.array_equal(results[0], each) for each in results)
    assert not np.array_equal(*np.split(results[0], 2))


def test_a_token_that_nobody_gives_is_noticed() -> None:
    p = machine()
    with pytest.raises(MachineError, match="waits for ever: FETCH at command 0"):
        Bench(p, (1, 1), 0).run(dataclasses.replace(fill(p, 1), wait=1), End())


def test_zero_bits_skip() -> None:
    p = machine()
    bench = Bench(p, (0, 6), 0)
    result = bench.run(Store(**BOTH, format=Format.PORT), *one_tile(p), End())
    assert len(result.beats) == 0 and result.passes == {} and Tag.FORWARD not in result.bytes_read


@pytest.mark.parametrize(
    ("fault", "command"),
    [
        (Fault.SLOT, {"slot": 200}),
        (Fault.COUNT, {"runs": 0}),
        (Fault.COUNT, {"words": 6, "memory": Memory.COLUMNS}),
        (Fault.COUNT, {"groups": 9, "memory": Memory.COLUMNS}),
        (Fault.ADDRESS, {"destination": 512}),
        (Fault.WINDOW, {"address": SIZE}),
        (Fault.ALIGNMENT, {"address": 8}),
    ],
)
def test_faults(fault: Fault, command: dict[str, Any]) -> None:
    p = machine()
    with pytest.raises(FaultError) as caught:
        Bench(p, (1, 1), 0).run(dataclasses.replace(fill(p, 1), **command), End())
    assert (caught.value.fault, caught.value.index) == (fault, 0)


def test_a_program_must_end() -> None:
    p = machine()
    with pytest.raises(FaultError) as caught:
        Bench(p, (1, 1), 0).run(fill(p, 1))
    assert (caught.value.fault, caught.value.index) == (Fault.PROGRAM, 1)


def test_opcode_and_precision() -> None:
    p = machine(precision__max_bits=8)
    bench = Bench(p, (9, 1), 0)
    with pytest.raises(FaultError) as caught:
        bench.run(fill(p, 1), End())
    assert caught.value.fault is Fault.PRECISION
    bench.memory[PROGRAM:] = 0
    with pytest.raises(FaultError) as caught:
        bench.machine.run(PROGRAM, 1)
    assert caught.value.fault is Fault.OPCODE
