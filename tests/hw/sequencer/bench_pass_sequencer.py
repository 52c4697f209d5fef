"""Runs inside the simulator: the sequencer's passes against plain loops."""

import dataclasses
import itertools

import cocotb

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import array_pass
from tests.harness import STALLS, Bench, testbench
from tests.hw.machines import machine
from tests.hw.sequencer.loop_nest import (
    Pass,
    Task,
    convolve_task,
    encode_task,
    items_of,
    random_task,
)

TASKS = 30
PLACES = ("images", "tiles_y", "tiles_x")


def parameters_of(bench: Bench) -> Parameters:
    return machine(array__spatial_bits=bench.parameters["spatial_bits"])


class Decoder:
    """Payloads of the pass stream as dictionaries, without a value object for every field."""

    def __init__(self, parameters: Parameters) -> None:
        layout = array_pass(parameters)
        self.fields = [(name, field.offset, (1 << field.width) - 1) for name, field in layout]

    def __call__(self, bits: int) -> Pass:
        return {name: bits >> offset & mask for name, offset, mask in self.fields}


async def check(
    bench: Bench, tasks: list[Task], task_stalls: str = "never", pass_stalls: str = "never"
) -> None:
    parameters = parameters_of(bench)
    source = bench.source(
        "tasks", stalls=task_stalls, encode=lambda task: encode_task(parameters, task)
    )
    sink = bench.sink("passes", stalls=pass_stalls, decode=Decoder(parameters))
    expected = [each for task in tasks for each in items_of(parameters, task)]
    source.send(*tasks)
    received = await sink.receive(len(expected))
    for number, (found, wanted) in enumerate(zip(received, expected, strict=True)):
        assert {name: found[name] for name in wanted} == wanted, f"pass {number}"
    await bench.cycles(4)
    assert int(bench.dut.empty.value) == 1 and not sink.items


@testbench(cycle_limit=60_000)
@cocotb.parametrize(task_stalls=STALLS, pass_stalls=STALLS)
async def random_tasks_under_stalls(bench: Bench, task_stalls: str, pass_stalls: str) -> None:
    parameters = parameters_of(bench)
    tasks = [random_task(bench.random, parameters, index) for index in range(TASKS)]
    await check(bench, tasks, task_stalls, pass_stalls)


def task_of(bench: Bench, *values: int, **fields: int | bool) -> Task:
    return convolve_task(bench.random, parameters_of(bench), *values, **fields)


@testbench(cycle_limit=8_000)
async def large_tasks(bench: Bench) -> None:
    """Every count at its greatest, one at a time."""
    counts = {"images": 4095, "tiles_y": 255, "tiles_x": 63, "slices": 1023}
    tasks = [
        task_of(bench, index, 1, 1, **{name: count})
        for index, (name, count) in enumerate(counts.items())
    ]
    widest = parameters_of(bench).precision.max_bits
    await check(
        bench,
        [*tasks, task_of(bench, len(tasks), widest, widest)],
    )


def small_tasks(bench: Bench) -> list[Task]:
    """Digits 1..3 of both x slices 1..3 x places 1..2 x flags x skipped or not, in any order."""
    spatial, widest = bench.parameters["spatial_bits"], parameters_of(bench).precision.max_bits
    tasks: list[Task] = []
    space = itertools.product((1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2), (0, 1), (0, 1), (0, 1))
    for row, column, slices, places, *flags in space:
        fields = dict(zip(("reduce", "start", "finish"), map(bool, flags), strict=True))
        fields |= {"slices": slices, bench.random.choice(PLACES): places}
        bits = [digits * spatial - bench.random.randrange(spatial) for digits in (row, column)]
        task = convolve_task(
            bench.random,
            parameters_of(bench),
            len(tasks),
            *(min(each, widest) for each in bits),
            **fields,
        )
        tasks.append(task)
        if bench.random.random() < 0.3:
            tasks.append(dataclasses.replace(task, bits=0, index=len(tasks)))
    bench.random.shuffle(tasks)
    return tasks


@testbench(cycle_limit=60_000)
@cocotb.parametrize(stalls=("never", "random"))
async def all_small_tasks(bench: Bench, stalls: str) -> None:
    await check(bench, small_tasks(bench), stalls, stalls)


@testbench(cycle_limit=60_000)
@cocotb.parametrize(kind=("random", "shortest"))
async def an_item_per_cycle(bench: Bench, kind: str) -> None:
    """No bubble between tiles and tasks: n passes take n cycles, were each a task of its own."""
    parameters = parameters_of(bench)
    if kind == "shortest":
        tasks = [task_of(bench, index, 1, 1) for index in range(TASKS)]
    else:
        tasks = [random_task(bench.random, parameters, index) for index in range(TASKS)]
    source = bench.source("tasks", encode=lambda task: encode_task(parameters, task))
    sink = bench.sink("passes")
    expected = sum(1 for task in tasks for _ in items_of(parameters, task))
    source.send(*tasks)
    await sink.receive(1)
    await bench.cycles(expected - 1)
    assert sink.transferred == expected


@testbench(cycle_limit=100)
async def latency(bench: Bench) -> None:
    parameters = parameters_of(bench)
    source = bench.source("tasks", encode=lambda task: encode_task(parameters, task))
    sink = bench.sink("passes")
    source.send(random_task(bench.random, parameters, 0))
    await source.drained()
    await bench.cycles(bench.parameters["latency_cycles"] - 1)
    assert sink.transferred == 0
    await bench.cycles(1)
    assert sink.transferred == 1
