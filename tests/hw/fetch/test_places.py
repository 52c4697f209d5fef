"""Where the words of a LOAD go: every word's place, in order, without a gap between LOADs."""

import itertools
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from fractrain.hw.contract.commands import NO_GROUP, Memory
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.places import LoadPlaces, load_place
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS
from tests.hw.fetch.load_reference import Task, random_task
from tests.hw.machines import machine

MACHINES = {
    "S = 1": machine(),
    "S = 4": machine(array__spatial_bits=4, array__accumulator="behavioural"),
}
PAIRS_OF_STALLS = [*itertools.product(STALLS, ["never"]), ("never", "bursts"), ("random", "rare")]


def target(parameters: Parameters, task: Task) -> dict[str, Any]:
    """The `load_target` of a LOAD; a skipped one has a single word, which does not come."""
    load, digits = task.load, parameters.digits(task.bits)
    skip = task.bits == 0
    return {
        "destination": load.destination,
        "destination_digit_stride": load.destination_digit_stride,
        "destination_run_stride": load.destination_run_stride,
        "runs": 1 if skip else load.runs,
        "words": 1 if skip else load.words,
        "digits": 1 if skip else digits,
        "memory": load.memory,
        "transposed": load.transposed,
        "groups": load.groups,
        "tail": task.bits - (digits - 1) * parameters.array.spatial_bits if digits else 0,
        "skip": skip,
    }


def places(parameters: Parameters, task: Task) -> list[dict[str, Any]]:
    """From the description of `load_place` and the contract's loops."""
    load, wanted = task.load, target(parameters, task)
    columns, planes = load.memory == Memory.COLUMNS, parameters.array.spatial_bits
    depth = parameters.buffers.column_words if columns else parameters.buffers.plane_words
    turns = itertools.product(*(range(wanted[name]) for name in ("digits", "runs", "words")))
    result = []
    for digit, run, word in turns:
        address = load.destination
        address += digit * load.destination_digit_stride + run * load.destination_run_stride
        address += 0 if columns else word
        low, high = (load.groups >> 4 * (2 * word + half) & 15 for half in (0, 1))
        kept = [columns and group != NO_GROUP for group in (low, high)]
        needed = any(kept) if columns else True
        refused = not wanted["skip"] and needed and address >= depth
        last_digit = digit == wanted["digits"] - 1
        there = wanted["tail"] if last_digit else planes
        result.append(
            {
                "address": address,
                "columns": columns,
                "transposed": load.transposed,
                "low": kept[0],
                "high": kept[1],
                "both": all(kept),
                "low_group": low,
                "high_group": high,
                "planes": (1 << there) - 1,
                "skip": wanted["skip"],
                "refused": refused,
                "takes": not (wanted["skip"] or refused),
                "last": last_digit and run == wanted["runs"] - 1 and word == wanted["words"] - 1,
            }
        )
    return result


def check(parameters: Parameters, tasks: list[Task], stalls: tuple[str, str]) -> None:
    wanted = [place for task in tasks for place in places(parameters, task)]
    targets = [target(parameters, task) for task in tasks]

    async def body(simulation: Simulation) -> None:
        source = simulation.source("targets", *targets, stalls=stalls[0])
        sink = simulation.sink("places", stalls=stalls[1])
        await simulation.until(lambda: len(sink.items) == len(wanted))
        for found, place in zip(sink.items, wanted, strict=True):
            for name in load_place(parameters).members:
                if place["skip"] and name not in ("skip", "last", "takes", "refused"):
                    continue  # there is no word
                assert found[name] == place[name], name
        if stalls == ("never", "never"):
            first = source.transfers[0].cycle + LoadPlaces.latency_cycles
            assert sink.cycles == list(range(first, first + len(wanted)))

    simulate(LoadPlaces(parameters), body, cycle_limit=50_000)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("stalls", PAIRS_OF_STALLS, ids=str)
def test_random_loads(name: str, stalls: tuple[str, str]) -> None:
    draw, parameters = Random(f"{name} {stalls}"), MACHINES[name]
    check(parameters, [random_task(draw, parameters, index) for index in range(25)], stalls)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("memory", Memory)
def test_beyond_the_memory(name: str, memory: Memory) -> None:
    """Each word by itself: those before the end are taken."""
    draw, parameters = Random(f"{name} {memory}"), MACHINES[name]
    depth = {
        Memory.PLANES: parameters.buffers.plane_words,
        Memory.COLUMNS: parameters.buffers.column_words,
    }[memory]
    tasks = []
    while len(tasks) < 20:
        task = random_task(draw, parameters, len(tasks))
        if task.load.memory == memory and task.bits:
            load = replace(task.load, destination=depth - draw.randint(1, 8))
            tasks.append(replace(task, load=load))
    fates = [place["refused"] for task in tasks for place in places(parameters, task)]
    assert len(set(fates)) == 2
    check(parameters, tasks, ("never", "never"))
