"""Around the result stage, inside the simulator: the array before it, memory behind it."""

from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from numpy.typing import NDArray

from fractrain.hw.contract.commands import Store, encode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import port_beat, write_block
from fractrain.hw.flow.tasks import stage_task
from tests.harness import Bench
from tests.hw.results.store_reference import SUM_BITS, StoreReference

LATENCY_CYCLES = 16
"""From a last pass to its first beat."""


@dataclass
class Job:
    """A STORE with its tiles, ``tiles[t, beat, result]``, and each tile's absent planes."""

    store: Store
    tiles: NDArray[np.int64]
    excess: list[int]
    skip: bool = False


def pack(values: NDArray[np.int64], width: int) -> int:
    """Integers side by side, the first in the lowest bits."""
    raw = (values.astype(np.int64).reshape(-1, 1) >> np.arange(width)) & 1
    bits = raw.astype(np.uint8).reshape(-1)
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def random_values(rng: np.random.Generator, shape: Any, bits: int) -> NDArray[np.int64]:
    """All sizes, up to ``bits`` with sign, with the values around limits and ties among them."""
    size = rng.integers(1, bits, shape)
    values = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape) >> (bits - 1 - size)
    edge = (1 << size) + rng.integers(-1, 2, shape)
    edge *= rng.choice([-1, 1], shape)
    return np.where(
        rng.random(shape) < 0.3, np.clip(edge, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1), values
    )


class ResultMachine:
    """Feeds jobs in, and collects what comes out, with everything that is to be checked."""

    def __init__(
        self, bench: Bench, parameters: Parameters, *, stalls: str = "never", gaps: float = 0
    ) -> None:
        self.bench, self.dut, self.parameters = bench, bench.dut, parameters
        self.random = Random(bench.random.getrandbits(64))
        self.gaps = gaps
        self.reference = StoreReference(parameters)
        self.layout = stage_task(parameters)
        self.tasks = bench.source("tasks", stalls=stalls, encode=lambda bits: bits)
        self.port = bench.sink("port", stalls=stalls, decode=port_beat(parameters.array).from_bits)
        self.blocks = bench.sink(
            "blocks", stalls=stalls, decode=write_block(parameters.block_bits).from_bits
        )
        self.pending: deque[tuple[int, int]] = deque()  # beats by cycle
        self.waiting: deque[tuple[NDArray[np.int64], int]] = deque()  # tiles
        self.ended: list[int] = []
        self.acknowledged = 0
        self.acknowledged_at_end: list[int] = []
        self.fault: tuple[int, int] | None = None
        self.port_cycles: list[int] = []
        self.beat_cycles: list[int] = []
        self.block_cycles: list[int] = []
        self.ended_cycles: list[int] = []
        self.sent_tags: list[int] = []
        self.cycle = 0
        self._answers: deque[int] = deque()
        self._taken = 0
        self.writer_latency = (1, 30)
        for name in ("admit", "halt", "clear", "excess", "beats"):
            getattr(self.dut, name).value = 0
        self.dut.writer_idle.value = 1
        cocotb.start_soon(self._array())
        cocotb.start_soon(self._memory())

    def start(self, job: Job, index: int = 0) -> None:
        """Queue the task and its tiles."""
        value = {"index": index, "command": encode(job.store), "skip": int(job.skip)}
        self.tasks.send(self.layout.const(value).as_bits())
        if not job.skip:
            self.waiting.extend(zip(job.tiles, job.excess, strict=True))
            self.reference.run(job.store, job.tiles)

    async def finish(self, tasks: int) -> None:
        """Wait until so many tasks have ended and everything is quiet."""
        while len(self.ended) < tasks:
            await RisingEdge(self.dut.clk)
        while not int(self.dut.idle.value):
            await RisingEdge(self.dut.clk)

    async def run_at_once(self, job: Job) -> None:
        """Alone, from start to end, and check it."""
        self.start(job)
        await self.finish(1)
        self.check([job])

    async def _array(self) -> None:
        dut, beats = self.dut, self.parameters.beats_per_tile
        width = self.parameters.results_per_beat * SUM_BITS
        ready = True
        while True:
            await RisingEdge(dut.clk)
            self.cycle += 1
            # what was there before this edge
            if int(dut.port__valid.value) and int(dut.port__ready.value):
                self.port_cycles.append(self.cycle)
            if int(dut.blocks_sent.value):
                self.block_cycles.append(self.cycle)
                self.sent_tags.append(int(dut.tag.value))
            if int(dut.ended.value):
                self.ended.append(int(dut.signal.value))
                self.ended_cycles.append(self.cycle)
                self.acknowledged_at_end.append(self.acknowledged)
            if int(dut.fault.value):
                self.fault = int(dut.fault.value), int(dut.index.value)
            await cocotb.triggers.ReadWrite()
            ready = bool(int(dut.ready.value))
            admit = bool(self.waiting) and ready and self.random.random() >= self.gaps
            dut.admit.value = int(admit)
            if admit:
                tile, excess = self.waiting.popleft()
                dut.excess.value = excess
                for b, row in enumerate(tile):
                    last = b == beats - 1
                    value = 1 | last << 1 | pack(row << excess, SUM_BITS) << 2
                    self.pending.append((self.cycle + LATENCY_CYCLES + b, value))
            now = 0
            if self.pending and self.pending[0][0] <= self.cycle:
                due, now = self.pending.popleft()
                self.beat_cycles.append(self.cycle + 1)
                assert due == self.cycle, "two beats in one cycle"
            assert now < 1 << (width + 2)
            dut.beats.value = now

    async def _memory(self) -> None:
        """Acknowledges each block some cycles after it was taken, in order."""
        dut, seen = self.dut, 0
        while True:
            await RisingEdge(dut.clk)
            while self._answers and self._answers[0] <= self.cycle:
                self._answers.popleft()
                self.acknowledged += 1
            while seen < self.blocks.transferred:
                seen += 1
                self._answers.append(self.cycle + self.random.randint(*self.writer_latency))
            dut.writer_idle.value = int(not self._answers)

    def check(self, jobs: list[Job]) -> None:
        """Everything that came out is what the reference says."""
        beats = [(list(beat["data"]), bool(beat["last"])) for beat in self.port.items]
        assert beats == self.reference.port
        blocks = [(block["address"], block["data"]) for block in self.blocks.items]
        assert sorted(blocks) == sorted(self.reference.blocks)
        assert self.ended == [job.store.signal for job in jobs]
        reference = StoreReference(self.parameters)
        tags = []
        for number, job in enumerate(jobs):
            before = len(reference.blocks)
            if not job.skip:
                reference.run(job.store, job.tiles)
            tags += [int(job.store.tag)] * (len(reference.blocks) - before)
            if job.store.signal:
                assert self.acknowledged_at_end[number] >= len(reference.blocks)
        assert self.sent_tags == tags


def job_of(
    rng: np.random.Generator, parameters: Parameters, store: Store, *, bits: int = SUM_BITS
) -> Job:
    """A job with random tiles and random absent planes."""
    count = store.images * store.tiles_y * store.tiles_x
    most = 2 * (parameters.array.spatial_bits - 1)
    excess = [int(rng.integers(0, most + 1)) for _ in range(count)]
    shape = (parameters.beats_per_tile, parameters.results_per_beat)
    tiles = [random_values(rng, shape, min(bits, SUM_BITS - each)) for each in excess]
    return Job(store, np.array(tiles), excess)
