"""Runs inside the simulator: the array's passes with bubbles at random, and its reset."""

import cocotb
import numpy as np

from fractrain.hw.contract.parameters import ArrayParameters
from tests.harness import Bench, testbench
from tests.hw.mac.passes import Operand, Stimulus, Tile, read_tiles

TILES = 25
MAX_BITS = 6


def random_tiles(bench: Bench, array: ArrayParameters, count: int) -> list[Tile]:
    rng = np.random.default_rng(bench.random.getrandbits(64))

    def operand(slices: int, vectors: int) -> Operand:
        bits, signed = int(rng.integers(1, MAX_BITS + 1)), bool(rng.integers(2))
        return Operand.random(rng, (slices, vectors, array.lanes), bits, signed)

    return [
        Tile(operand(slices, array.rows), operand(slices, array.columns))
        for slices in rng.integers(1, 3, count).tolist()
    ]


async def play(bench: Bench, stimulus: Stimulus) -> np.ndarray:
    """Results of every cycle of ``stimulus``, as bytes [cycles, bytes]."""
    ports = stimulus.ports()
    size = -(-len(bench.dut.results) // 8)
    results = []
    for control, rows, columns in zip(
        ports["control"].tolist(), ports["rows"], ports["columns"], strict=True
    ):
        bench.dut.control.value = control
        bench.dut.rows.value = int.from_bytes(rows.tobytes(), "little")
        bench.dut.columns.value = int.from_bytes(columns.tobytes(), "little")
        await bench.cycles(1)
        results.append(int(bench.dut.results.value).to_bytes(size, "little"))
    return np.frombuffer(b"".join(results), np.uint8).reshape(-1, size)


def stimulus_of(bench: Bench, array: ArrayParameters, bubbles: float) -> Stimulus:
    return Stimulus(array, np.random.default_rng(bench.random.getrandbits(64)), bubbles)


async def check_products(bench: Bench, count: int, bubbles: float) -> None:
    array = ArrayParameters(**bench.parameters["array"])
    latency = bench.parameters["latency_cycles"]
    tiles = random_tiles(bench, array, count)
    stimulus = stimulus_of(bench, array, bubbles)
    for tile in tiles:
        stimulus.add(tile)
    stimulus.drain(latency + array.beats_per_tile)
    results = await play(bench, stimulus)
    starts = [cycle + latency for cycle in stimulus.last_cycles]
    for tile, got in zip(tiles, read_tiles(array, results, starts), strict=True):
        assert np.array_equal(got, tile.product(array.spatial_bits)), tile


@testbench(cycle_limit=40_000)
@cocotb.parametrize(bubbles=(0.0, 0.1, 0.5, 0.9))
async def products_with_bubbles(bench: Bench, bubbles: float) -> None:
    """Every tile is its product, beat for beat in its cycle, whatever lies between the passes."""
    await check_products(bench, TILES, bubbles)


@testbench(cycle_limit=10_000)
async def reset_silences_results(bench: Bench) -> None:
    """What was on its way at a reset never comes out; what is issued after it does."""
    array = ArrayParameters(**bench.parameters["array"])
    stimulus = stimulus_of(bench, array, bubbles=0)
    for tile in random_tiles(bench, array, 3):
        stimulus.add(tile)
    await play(bench, stimulus)
    await bench.reset()
    quiet = stimulus_of(bench, array, bubbles=0)
    quiet.drain(2 * bench.parameters["latency_cycles"])
    read_tiles(array, await play(bench, quiet), [])
    await check_products(bench, 5, bubbles=0.3)
