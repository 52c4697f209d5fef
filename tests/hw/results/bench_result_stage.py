"""Runs inside the simulator: STOREs of all kinds against the reference."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from fractrain.hw.contract.commands import Fault, Format, RowPixels, Store, Tag, encode
from fractrain.hw.contract.parameters import Parameters, parse_parameters
from fractrain.hw.contract.precision import Operand
from tests.harness import STALLS, Bench, testbench
from tests.hw.results.result_machine import Job, ResultMachine, job_of

BASE = dict(slot=0, operand=Operand.ACTIVATION, partner=Operand.WEIGHT)


def setup(
    bench: Bench, **settings: object
) -> tuple[Parameters, np.random.Generator, ResultMachine]:
    parameters = parse_parameters(bench.parameters["machine"])
    rng = np.random.default_rng(bench.random.getrandbits(64))
    return parameters, rng, ResultMachine(bench, parameters, **settings)


def random_store(rng: np.random.Generator, parameters: Parameters, format_: Format) -> Store:
    def pick(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    tiles = dict(tiles_x=pick(1, 2), tiles_y=pick(1, 2), images=pick(1, 2))
    count = int(np.prod(list(tiles.values()))) * parameters.beats_per_tile
    span = parameters.buffers.gradient_words - count
    aligned = bool(pick(0, 1))
    return Store(
        **BASE,
        **tiles,
        format=format_,
        address=pick(0, 2**20) * parameters.word_bytes,
        tile_stride=pick(0, 2**16 - 1),
        digit_stride=pick(0, 2**24 - 1) if pick(0, 1) else pick(1, 4),
        add=bool(pick(0, 1)),
        keep=bool(pick(0, 1)),
        gradient_address=pick(0, 3) * parameters.beats_per_tile if aligned else pick(0, span // 16),
        signed=bool(pick(0, 1)),
        shift=pick(0, 63) if pick(0, 3) == 0 else pick(0, 40),
        bits=pick(1, 16),
        row_pixels=RowPixels(pick(0, 2)),
        valid_x=pick(0, parameters.array.rows + 1),
        valid_y=pick(0, 5),
        tag=Tag(pick(0, 3)),
        signal=pick(0, 3) if pick(0, 3) == 0 else 0,
    )


def clear_gradient(rng: np.random.Generator, parameters: Parameters) -> list[Job]:
    """Zeros in all words that a test may read before it has written them."""
    store = Store(
        **BASE,
        format=Format.NONE,
        keep=True,
        tiles_x=16,
        images=1,
        tiles_y=max(1, 64 // (16 * parameters.beats_per_tile)),
    )
    job = job_of(rng, parameters, store)
    job.tiles[:] = 0
    return [job]


@testbench(cycle_limit=60_000)
@cocotb.parametrize(stalls=STALLS)
async def mixed_stores(bench: Bench, stalls: str) -> None:
    """All formats one after the other, in random order, with skips among them."""
    parameters, rng, machine = setup(bench, stalls=stalls, gaps=0.2)
    jobs = clear_gradient(rng, parameters)
    for _ in range(bench.parameters["stores"]):
        format_ = Format(int(rng.integers(0, 5)))
        job = job_of(rng, parameters, random_store(rng, parameters, format_))
        job.skip = rng.random() < 0.15
        jobs.append(job)
    for index, job in enumerate(jobs):
        machine.start(job, index)
    await machine.finish(len(jobs))
    machine.check(jobs)


@testbench(cycle_limit=60_000)
@cocotb.parametrize(format_=[each.name for each in Format], stalls=["never", "bursts"])
async def runs_of_one_format(bench: Bench, format_: str, stalls: str) -> None:
    """As they follow each other in a program: without anything in between."""
    parameters, rng, machine = setup(bench, stalls=stalls)
    jobs = clear_gradient(rng, parameters)
    for _ in range(bench.parameters["stores"] // 2):
        jobs.append(job_of(rng, parameters, random_store(rng, parameters, Format[format_])))
    for index, job in enumerate(jobs):
        machine.start(job, index)
    await machine.finish(len(jobs))
    machine.check(jobs)


@testbench(cycle_limit=20_000)
@cocotb.parametrize(signed=[False, True])
async def every_shift_and_width(bench: Bench, signed: bool) -> None:
    """Narrowing to each number of bits, by each shift at least once."""
    parameters, rng, machine = setup(bench)
    jobs = []
    for number in range(64):
        store = Store(
            **BASE,
            format=Format.PLANES,
            shift=number,
            bits=number % 16 + 1,
            signed=signed,
            digit_stride=1,
        )
        jobs.append(job_of(rng, parameters, store, bits=min(48, number + 20)))
    for index, job in enumerate(jobs):
        machine.start(job, index)
    await machine.finish(len(jobs))
    machine.check(jobs)


@testbench(cycle_limit=5_000)
@cocotb.parametrize(one_tile_each=[False, True], accumulate=[False, True])
async def port_without_bubble(bench: Bench, one_tile_each: bool, accumulate: bool) -> None:
    """A beat in every cycle, also if every tile is added to the one before."""
    parameters, rng, machine = setup(bench)
    tiles = 40
    store = Store(**BASE, format=Format.PORT, keep=True, add=False)
    jobs = [job_of(rng, parameters, store)]
    if one_tile_each:
        again = Store(**BASE, format=Format.PORT, keep=accumulate, add=accumulate, signal=0)
        jobs += [job_of(rng, parameters, again, bits=40) for _ in range(tiles)]
    else:
        again = Store(**BASE, format=Format.PORT, tiles_x=5, tiles_y=2, images=4, keep=accumulate)
        jobs += [job_of(rng, parameters, again)]
    for index, job in enumerate(jobs):
        machine.start(job, index)
    await machine.finish(len(jobs))
    machine.check(jobs)
    cycles = machine.port_cycles
    assert len(cycles) == (tiles + 1) * parameters.beats_per_tile
    assert cycles[-1] - cycles[0] == len(cycles) - 1
    assert cycles[0] - machine.beat_cycles[0] == bench.parameters["latency"]


@testbench(cycle_limit=5_000)
@cocotb.parametrize(bits=[1, 4, 8, 16])
async def planes_at_full_rate(bench: Bench, bits: int) -> None:
    """A tile takes as many cycles as it has beats or planes, whichever are more."""
    parameters, rng, machine = setup(bench)
    store = Store(**BASE, format=Format.PLANES, bits=bits, tiles_x=20, digit_stride=1, shift=20)
    await machine.run_at_once(job_of(rng, parameters, store))
    blocks = parameters.digits(bits) * parameters.array.spatial_bits
    interval = max(parameters.beats_per_tile, blocks)
    last_beat = machine.beat_cycles[parameters.beats_per_tile - 1]
    first = last_beat + bench.parameters["planes_latency"]
    assert machine.block_cycles == [
        first + interval * tile + block for tile in range(20) for block in range(blocks)
    ]


@testbench(cycle_limit=5_000)
@cocotb.parametrize(format_=["RAW32", "RAW48"])
async def raw_at_full_rate(bench: Bench, format_: str) -> None:
    """A block in every cycle."""
    parameters, rng, machine = setup(bench)
    store = Store(**BASE, format=Format[format_], tiles_x=10)
    await machine.run_at_once(job_of(rng, parameters, store))
    first = machine.beat_cycles[0] + bench.parameters["raw_latency"]
    assert machine.block_cycles == list(range(first, first + len(machine.reference.blocks)))


@testbench(cycle_limit=5_000)
async def skipped_stores_retire_at_once(bench: Bench) -> None:
    parameters, rng, machine = setup(bench)
    store = Store(**BASE, format=Format.PLANES, bits=4, tiles_x=30, images=9, signal=3)
    jobs = [Job(store, np.zeros((0,)), [], skip=True) for _ in range(20)]
    for job in jobs:
        machine.start(job)
    await machine.finish(len(jobs))
    machine.check(jobs)
    first, interval = machine.ended_cycles[0], bench.parameters["task_interval"]
    assert machine.ended_cycles == [first + interval * number for number in range(len(jobs))]


@testbench(cycle_limit=5_000)
@cocotb.parametrize(add=[False, True])
async def gradient_address_beyond_the_end(bench: Bench, add: bool) -> None:
    """The command that does it is reported, and nothing leaves after that."""
    parameters, rng, machine = setup(bench)
    words, beats = parameters.buffers.gradient_words, parameters.beats_per_tile
    good = Store(**BASE, format=Format.PORT, keep=True, gradient_address=words - beats)
    bad = Store(
        **BASE, format=Format.PORT, add=add, keep=not add, gradient_address=words - beats + 1
    )
    jobs = [job_of(rng, parameters, good)]
    machine.start(jobs[0], 41)
    await machine.finish(1)
    machine.check(jobs)
    assert machine.fault is None
    machine.tasks.send(task_bits(machine, bad, 42), task_bits(machine, good, 43))
    tile = job_of(rng, parameters, good).tiles[0]
    machine.waiting.extend([(tile, 0)] * 2)
    await bench.cycles(200)
    assert machine.fault == (Fault.ADDRESS, 42)
    assert len(machine.port.items) <= 2 * beats - 1


def task_bits(machine: ResultMachine, store: Store, index: int) -> int:
    return machine.layout.const({"index": index, "command": encode(store)}).as_bits()


@testbench(cycle_limit=5_000)
async def nothing_is_offered_after_halt(bench: Bench) -> None:
    parameters, rng, machine = setup(bench)
    for format_ in (Format.PLANES, Format.PORT):
        store = Store(**BASE, format=format_, bits=8, tiles_x=30, digit_stride=1)
        machine.start(job_of(rng, parameters, store))
    while machine.blocks.transferred < 20:
        await RisingEdge(bench.dut.clk)
    bench.dut.halt.value = 1
    await bench.cycles(3)
    before = machine.blocks.transferred, machine.port.transferred
    await bench.cycles(400)
    assert (machine.blocks.transferred, machine.port.transferred) == before
    assert not machine.ended
