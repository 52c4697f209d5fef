"""The walk through tiles and beats: every beat's facts, no word of the gradients too early."""

from collections import deque
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from fractrain.hw.contract.commands import Format, Store
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.results.gradient import GradientSum
from fractrain.hw.results.layouts import beat_facts
from fractrain.hw.results.walker import TileWalker
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import STALLS, stall_pattern
from tests.hw.machines import machine
from tests.hw.results.decoded_store import decoded, random_store

MACHINES = {
    "4 beats": machine(),
    "1 beat": machine(array__cluster_columns=1),
    "2 beats, S = 2": machine(
        array__cluster_columns=2, array__spatial_bits=2, array__accumulator="behavioural"
    ),
    "8 beats": machine(array__cluster_columns=8),
}
Task = tuple[Store, bool]
"""A STORE, and whether it is skipped."""


def facts_of(parameters: Parameters, index: int, task: Task) -> list[dict[str, int]]:
    """`beat_facts` of all beats of a task, from their description and the contract's nest."""
    store, skip = task
    derived = decoded(parameters, store, index, skip)
    common = {name: derived[name] for name in beat_facts(parameters).members if name in derived}
    beats = parameters.beats_per_tile
    result = []
    for image in range(1 if skip else store.images):
        for y in range(1 if skip else store.tiles_y):
            for x in range(1 if skip else store.tiles_x):
                last_x, last_y = skip or x == store.tiles_x - 1, skip or y == store.tiles_y - 1
                tile = (image * store.tiles_y + y) * store.tiles_x + x
                outside = (last_x and derived["outside_x"]) | (last_y and derived["outside_y"])
                for beat in range(1 if skip else beats):
                    last = skip or beat == beats - 1
                    end = last and last_x and last_y and (skip or image == store.images - 1)
                    address = store.address + tile * store.tile_stride * parameters.word_bytes
                    own = {
                        "gradient_address": store.gradient_address + tile * beats + beat,
                        "address": address % (1 << 32),
                        "outside": outside,
                        "beat": not skip,
                        "first": beat == 0,
                        "last": last,
                        "end": end,
                    }
                    result.append(common | own)
    return result


def small_task(draw: Random, parameters: Parameters, **fixed: Any) -> Task:
    """Few tiles; few gradient addresses, so that they come again soon."""
    beats = parameters.beats_per_tile
    counts = {name: draw.randint(1, 2) for name in ("tiles_x", "tiles_y", "images")}
    place = draw.randrange(4) * beats if draw.random() < 0.6 else draw.randrange(8)
    store = random_store(draw, **counts, gradient_address=place)
    return replace(store, **fixed), draw.random() < 0.15


class Play:
    """A pipeline of the least length behind the walker, and beats that come in front of it."""

    def __init__(self, parameters: Parameters, tasks: list[Task]) -> None:
        self.parameters, self.tasks = parameters, tasks
        self.begun: list[tuple[int, Any]] = []
        """Cycles and facts of all that began."""
        self.claims: list[int] = []
        self.calm: list[int] = []
        """Cycles that were calm."""

    async def run(
        self,
        simulation: Simulation,
        *,
        task_stalls: str = "never",
        beats: str = "never",
        begun: str,
    ) -> None:
        values = [
            decoded(self.parameters, store, index, skip)
            for index, (store, skip) in enumerate(self.tasks)
        ]
        simulation.source("tasks", *values, stalls=task_stalls)
        sink = simulation.sink("begun", stalls=begun)
        available = stall_pattern(beats, simulation.random)
        count = sum(len(facts_of(self.parameters, 0, task)) for task in self.tasks)
        behind: deque[bool] = deque([False] * (GradientSum.LOOP_STEPS + 1))
        calm = True
        offered = False
        while len(sink.items) < count:
            # beats that are there stay until they are claimed
            offered = offered or not next(available)
            simulation.set(available=offered, calm=calm)
            if calm:
                self.calm.append(simulation.cycle)
            began = bool(simulation.get("begun", "valid") and simulation.get("begun", "ready"))
            calm = not (simulation.get("begun", "valid") or any(behind))
            if began or simulation.get("begun", "ready"):
                behind.popleft()
                behind.append(began)
            if simulation.get("claim"):
                assert offered and began
                self.claims.append(simulation.cycle)
                offered = False
            await simulation.tick()
        self.begun = [(each.cycle, each.payload) for each in sink.transfers]
        assert not simulation.get("busy")

    def check(self) -> None:
        wanted = [
            facts
            for index, task in enumerate(self.tasks)
            for facts in facts_of(self.parameters, index, task)
        ]
        found = [{name: facts[name] for name in wanted[0]} for _, facts in self.begun]
        assert found == wanted
        assert self.claims == [cycle for cycle, facts in self.begun if facts["beat"]]
        self._check_gradients()

    def _check_gradients(self) -> None:
        """A word that is kept is added `LOOP_STEPS` later at the earliest, or after a calm."""
        kept: dict[int, int] = {}  # word: number of the beat that kept it last
        for number, (cycle, facts) in enumerate(self.begun):
            word = facts["gradient_address"]
            if facts["beat"] and facts["add"] and word in kept:
                before = kept[word]
                quiet = any(self.begun[before][0] < each <= cycle for each in self.calm)
                assert quiet or number - before >= GradientSum.LOOP_STEPS
            if facts["beat"] and facts["keep"]:
                kept[word] = number


def play(parameters: Parameters, tasks: list[Task], **stalls: str) -> Play:
    result = Play(parameters, tasks)

    async def body(simulation: Simulation) -> None:
        await result.run(simulation, **stalls)

    simulate(TileWalker(parameters), body)
    result.check()
    return result


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("beats", STALLS)
@pytest.mark.parametrize("begun", STALLS)
def test_random_tasks(name: str, beats: str, begun: str) -> None:
    draw = Random(f"{name} {beats} {begun}")
    tasks = [small_task(draw, MACHINES[name]) for _ in range(25)]
    play(MACHINES[name], tasks, task_stalls=draw.choice(STALLS), beats=beats, begun=begun)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("pattern", ["add and keep", "keep, then add"])
def test_the_same_words_again_and_again(name: str, pattern: str) -> None:
    """Tasks of one tile, all at one address, aligned or not: each waits for the one before."""
    draw = Random(name)
    for address in range(GradientSum.LOOP_STEPS + 1):
        tasks = []
        for number in range(8):
            both = pattern == "add and keep"
            store, _ = small_task(draw, MACHINES[name], tiles_x=1, tiles_y=1, images=1)
            store = replace(
                store,
                gradient_address=address,
                keep=both or number % 2 == 0,
                add=both or number % 2 == 1,
            )
            tasks.append((store, False))
        play(MACHINES[name], tasks, begun="never")


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("skipped", [0, 1, 2])
def test_skipped_tasks_between(name: str, skipped: int) -> None:
    """They take a cycle each, which may be too few between a task that keeps and one that adds."""
    draw = Random(name)
    for kept in (0, 1):
        for added in range(kept, kept + MACHINES[name].beats_per_tile):
            one = dict(tiles_x=1, tiles_y=1, images=1)
            keeps, _ = small_task(draw, MACHINES[name], **one, keep=True, gradient_address=kept)
            adds, _ = small_task(draw, MACHINES[name], **one, add=True, gradient_address=added)
            tasks = [(keeps, False), *[(keeps, True)] * skipped, (adds, False)]
            play(MACHINES[name], tasks, begun="never")


@pytest.mark.parametrize(
    ("name", "add"),
    [
        (name, add)
        for name, parameters in MACHINES.items()
        for add in (False, True)
        # with fewer beats no task is known to be far enough from the next
        if not add or parameters.beats_per_tile % GradientSum.LOOP_STEPS == 0
    ],
)
def test_rate(name: str, add: bool) -> None:
    """A beat in every cycle, through tiles and tasks, where gradients are aligned; a skipped task
    takes one cycle as well."""
    draw, parameters = Random(name), MACHINES[name]
    tasks = [
        (replace(store, gradient_address=0, add=add, keep=True, format=Format.PORT), skip)
        for store, skip in (small_task(draw, parameters) for _ in range(20))
    ]
    cycles = [cycle for cycle, _ in play(parameters, tasks, begun="never").begun]
    first = TileWalker.latency_cycles
    assert cycles == list(range(first, first + len(cycles)))


@pytest.mark.parametrize("field", ["tiles_x", "tiles_y", "images"])
def test_the_largest_counts(field: str) -> None:
    """Every count at the end of its range, alone."""
    draw, parameters = Random(field), MACHINES["1 beat"]
    largest = {"tiles_x": 63, "tiles_y": 255, "images": 4095}[field]
    counts = {"tiles_x": 1, "tiles_y": 1, "images": 1} | {field: largest}
    store = random_store(draw, **counts, gradient_address=0)
    play(parameters, [(store, False), (store, True), (store, False)], begun="never")


def test_nothing_begins_after_stop() -> None:
    async def body(simulation: Simulation) -> None:
        draw = simulation.random
        tasks = [small_task(draw, MACHINES["4 beats"], images=2)[0] for _ in range(4)]
        values = [decoded(MACHINES["4 beats"], store, 0, False) for store in tasks]
        simulation.source("tasks", *values)
        sink = simulation.sink("begun")
        simulation.set(available=1, calm=1)
        await simulation.until(lambda: len(sink.items) == 5)
        simulation.set(stop=1)
        await simulation.tick(20)
        assert len(sink.items) == 5
        assert not simulation.get("claim")
        assert simulation.get("busy")

    simulate(TileWalker(MACHINES["4 beats"]), body)
