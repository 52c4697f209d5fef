"""Drives an execute stage inside the simulator, and works out in NumPy what it must give."""

import dataclasses
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np

from fractrain.hw.contract.commands import Convolve
from fractrain.hw.contract.parameters import Parameters, parse_parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.layouts import array_beat, column_write, plane_write
from tests.harness import Bench
from tests.hw.sequencer.loop_nest import (
    Pass,
    Task,
    encode_task,
    items_of,
)

COLUMN_WORDS = 64


def weights(enable: int, negative: int, planes: int) -> np.ndarray:
    """Of the planes of a digit, the most significant first; 0 for those that do not exist."""
    signs = [(enable >> s & 1) * (-1 if negative >> s & 1 else 1) for s in range(planes)]
    return np.array([sign << (planes - 1 - s) for s, sign in enumerate(signs)], np.int64)


def digit_product(
    parameters: Parameters, each: Pass, window: np.ndarray, word: np.ndarray
) -> np.ndarray:
    """[M, N] of one pass: ``window[m, plane, lane]`` by ``word[group, plane, column, lane]``."""
    planes, groups = parameters.array.spatial_bits, parameters.lane_groups
    mask = np.array([each["groups"] >> group & 1 for group in range(groups)])
    columns = (word * mask[:, None, None, None]).transpose(2, 1, 0, 3)
    columns = columns.reshape(parameters.array.columns, planes, parameters.array.lanes)
    row_weights = weights(each["row_enable"], each["row_negative"], planes)
    column_weights = weights(each["column_enable"], each["column_negative"], planes)
    rows = np.einsum("msk,s->mk", window.astype(np.int64), row_weights)
    values = np.einsum("ntk,t->nk", columns.astype(np.int64), column_weights)
    return (rows @ values.T) << each["shift"]


class Player:
    """Drives what the stage needs and writes down what it does, cycle by cycle."""

    def __init__(self, bench: Bench, finish_rate: float = 1.0) -> None:
        self.bench, self.dut, self.finish_rate = bench, bench.dut, finish_rate
        self.parameters = parse_parameters(bench.parameters["machine"])
        self.issues: list[tuple[int, int]] = []  # cycle, tag
        self.finishes: list[tuple[int, int]] = []  # cycle, excess
        self.ends: list[int] = []  # signal
        self.faults: list[tuple[int, int, int]] = []
        self.beats: list[tuple[int, int]] = []  # cycle, payload
        self.busy_cycles = {"blocked_operand": 0, "blocked_result": 0, "waiting": 0}
        self.cycle = 0

    @cached_property
    def columns(self) -> np.ndarray:
        """Random words [address, group, plane, column, lane] of the column memory."""
        channels = self.parameters.block.channels
        shape = (self.parameters.lane_groups, self.parameters.array.spatial_bits)
        rng = np.random.default_rng(self.bench.random.getrandbits(64))
        size = (COLUMN_WORDS, *shape, channels, channels)
        return rng.integers(0, 2, size, dtype=np.uint8)

    async def fill_columns(self) -> None:
        layout = column_write(self.parameters)
        for address, group in np.ndindex(self.columns.shape[:2]):
            bits = np.packbits(self.columns[address, group].ravel(), bitorder="little")
            write = {"valid": 1, "address": address, "group": group}
            write["data"] = int.from_bytes(bits.tobytes(), "little")
            self.dut.column_write.value = layout.const(write).as_value().value
            await self.bench.cycles()
        self.dut.column_write.value = 0

    async def set_gaps(self, gaps: bool) -> None:
        """Whether the window source makes everybody wait."""
        write = plane_write(self.parameters).const({"valid": 1, "address": int(gaps)})
        self.dut.plane_write.value = write.as_value().value
        await self.bench.cycles()
        self.dut.plane_write.value = 0

    async def run(self, until_idle: int = 40) -> None:
        """Play until the stage was idle for that many cycles."""
        quiet, room = 0, 0
        beats_per_tile = self.parameters.beats_per_tile
        while quiet < until_idle:
            await self.bench.cycles()
            self.record()
            quiet = quiet + 1 if int(self.dut.idle.value) and not int(self.dut.ended.value) else 0
            # results of two tiles may not overlap
            room = beats_per_tile - 1 if int(self.dut.finish.value) else max(0, room - 1)
            may_finish = room == 0 and self.bench.random.random() < self.finish_rate
            self.dut.may_finish.value = int(may_finish)
            self.cycle += 1

    def record(self) -> None:
        dut, cycle = self.dut, self.cycle
        for name in self.busy_cycles:
            self.busy_cycles[name] += int(getattr(dut, name).value)
        states = [int(getattr(dut, name).value) for name in ("issued", *self.busy_cycles)]
        assert sum(states) == 1, "a cycle has one name"
        if states[0]:
            self.issues.append((cycle, int(dut.tag.value)))
        if int(dut.finish.value):
            self.finishes.append((cycle, int(dut.excess.value)))
        if int(dut.ended.value):
            self.ends.append(int(dut.signal.value))
        if int(dut.fault.value):
            self.faults.append((cycle, int(dut.fault.value), int(dut.index.value)))
        beat = int(dut.beats.value)
        if beat & 1:
            self.beats.append((cycle, beat))

    def tiles(self) -> Iterator[np.ndarray]:
        """The beats as matrices [M, N]; their cycles are checked."""
        layout = array_beat(self.parameters.array)
        array, count = self.parameters.array, self.parameters.beats_per_tile
        width, offset = SUM_BITS, layout["data"].offset
        clusters = self.parameters.column_clusters
        latency = self.bench.parameters["latency_cycles"]
        assert len(self.beats) == count * len(self.finishes)
        for number, (finished, _) in enumerate(self.finishes):
            tile = np.zeros((array.rows, array.columns), np.int64)
            for b, (cycle, beat) in enumerate(self.beats[number * count : (number + 1) * count]):
                assert cycle == finished + latency + b
                assert beat >> layout["last"].offset & 1 == (b == count - 1)
                for m in range(array.rows):
                    for c in range(clusters):
                        value = beat >> (offset + (m * clusters + c) * width) & ((1 << width) - 1)
                        value -= (value >> (width - 1)) << width
                        tile[m, c * array.cluster_columns + b] = value
            yield tile


def fitted(player: Player, task: Task) -> Task:
    """``task`` with column addresses that exist."""
    command = task.command
    if not isinstance(command, Convolve):
        return task
    places = command.images * command.tiles_y * command.tiles_x if command.reduce else 1
    digits = player.parameters.digits(task.partner_bits)
    start = player.bench.random.randrange(COLUMN_WORDS - digits + 1)
    stride = (COLUMN_WORDS - digits - start) // max(1, places * command.slices - 1)
    moved = dataclasses.replace(command, column_address=start, column_slice_stride=stride)
    return dataclasses.replace(task, command=moved)


def expected_tiles(
    player: Player, tasks: list[Task], windows: Callable[[int], np.ndarray]
) -> list[np.ndarray]:
    """``windows(n)`` : window n of all tasks, bits [row, plane, lane]."""
    parameters = player.parameters
    total = np.zeros((parameters.array.rows, parameters.array.columns), np.int64)
    tiles, window = [], -1
    passes = (each for task in tasks for each in items_of(parameters, task) if not each["empty"])
    for each in passes:
        window += each["new_window"]
        word = player.columns[each["column_address"]]
        product = digit_product(parameters, each, windows(window), word)
        total = product if each["first"] else total + product
        if each["last"]:
            tiles.append(total)
    return tiles


def send(bench: Bench, player: Player, tasks: list[Task], stalls: str = "never") -> None:
    source = bench.source(
        "tasks", stalls=stalls, encode=lambda task: encode_task(player.parameters, task)
    )
    source.send(*tasks)


async def check(
    bench: Bench,
    player: Player,
    tasks: list[Task],
    windows: Callable[[int], np.ndarray],
    stalls: str,
) -> None:
    """Results of ``tasks``, and every signal about their passes."""
    parameters = player.parameters
    send(bench, player, tasks, stalls)
    await player.run()
    items = [each for task in tasks for each in items_of(parameters, task)]
    passes = [each for each in items if not each["empty"]]
    assert [tag for _, tag in player.issues] == [each["tag"] for each in passes]
    assert player.ends == [task.command.signal & 1 for task in tasks]
    assert [each for _, each in player.finishes] == [x["excess"] for x in passes if x["last"]]
    wanted = expected_tiles(player, tasks, windows)
    for number, (found, tile) in enumerate(zip(player.tiles(), wanted, strict=True)):
        assert np.array_equal(found, tile), f"tile {number}"
    assert not player.faults
