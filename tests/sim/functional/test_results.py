"""STORE in the emulator against the contract: formats, narrowing, the gradient memory."""

import numpy as np
import pytest

from fractrain.hw.contract.commands import End, Format, RowPixels, Store
from fractrain.sim.functional.results import narrow
from fractrain.sim.functional.words import from_bytes, to_bytes
from tests.hw.machines import machine
from tests.sim.functional.machine_bench import BOTH, RESULTS, Bench, one_tile


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
