"""Runs inside the simulator: the feeder against the contract, window by window."""

from collections.abc import Iterator
from dataclasses import replace

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from fractrain.hw.contract.commands import Fault, Pattern, Variant, encode
from fractrain.hw.contract.parameters import Parameters, parse_parameters
from fractrain.hw.feeder.feeder import WindowFeeder
from fractrain.hw.flow.layouts import plane_write
from fractrain.hw.flow.tasks import stage_task
from tests.harness import STALLS, Bench, StreamSource, testbench
from tests.harness.stalls import stall_pattern
from tests.hw.feeder.programs import (
    CONVOLUTIONS,
    Read,
    Task,
    moved,
    paired,
    random_convolve,
    random_memory,
    random_program,
)
from tests.hw.feeder.reference import Bits, Machine, Window


def parameters_of(bench: Bench) -> Parameters:
    return parse_parameters(bench.parameters["machine"])


def packed(bits: Bits) -> int:
    return int.from_bytes(np.packbits(bits.reshape(-1), bitorder="little").tobytes(), "little")


class Consumer:
    """Takes windows when it likes, and compares the rows in every cycle."""

    def __init__(self, bench: Bench, stalls: str) -> None:
        self.bench, self.dut = bench, bench.dut
        self.stalls: Iterator[bool] = stall_pattern(stalls, bench.random)
        self.expected: list[Window] = []
        self.taken: list[int] = []
        """Cycles of the takes."""
        self.accepted: list[int] = []
        """Cycles in which a task was."""
        self.checked = 0
        self.cycle = 0

    def start(self) -> "Consumer":
        self.dut.want.value = 0
        cocotb.start_soon(self._run())
        return self

    def expect(self, windows: list[Window]) -> None:
        self.expected += windows

    async def _run(self) -> None:
        shown: tuple[int, int] | None = None
        on_the_way: list[int] = []
        while True:
            await RisingEdge(self.dut.clk)
            self.cycle += 1
            if on_the_way and self.cycle == on_the_way[0] + WindowFeeder.ROWS_LATENCY_CYCLES:
                on_the_way.pop(0)
                assert self.checked < len(self.expected), "a window too many"
                window = self.expected[self.checked]
                shown = packed(window.rows), packed(window.known)
                self.checked += 1
            if shown is not None:
                wrong = (int(self.dut.rows.value) ^ shown[0]) & shown[1]
                assert not wrong, f"window {self.checked - 1}: bits {wrong:x}"
            if int(self.dut.tasks__valid.value) and int(self.dut.tasks__ready.value):
                self.accepted.append(self.cycle)
            if int(self.dut.taken.value):
                on_the_way.append(self.cycle)
                self.taken.append(self.cycle)
            self.dut.want.value = not next(self.stalls)

    async def finished(self) -> None:
        while self.checked < len(self.expected):
            await RisingEdge(self.dut.clk)
        await self.bench.cycles(6)
        assert int(self.dut.busy.value) == 0
        assert len(self.taken) == len(self.expected)


async def fill(bench: Bench, parameters: Parameters, memory: Bits) -> None:
    layout = plane_write(parameters)
    for address, word in enumerate(memory):
        value = {"valid": 1, "address": address, "data": packed(word)}
        bench.dut.write.value = layout.const(value).as_value().value
        await bench.cycles()
    bench.dut.write.value = 0


def encoder(parameters: Parameters):  # type: ignore[no-untyped-def]
    layout = stage_task(parameters)

    def encode_task(numbered: tuple[int, Task]) -> int:
        index, task = numbered
        values = {"index": index, "command": encode(task.command), "digits": task.digits}
        bits = layout.const(values | {"partner_digits": 1}).as_value().value
        assert isinstance(bits, int)
        return bits

    return encode_task


def run_all(machine: Machine, tasks: list[Task]) -> list[Window]:
    return [window for task in tasks for window in machine.run(task.command, task.digits)]


def start(bench: Bench, tasks: list[Task], stalls: str = "never", first: int = 7) -> StreamSource:
    source = bench.source("tasks", stalls=stalls, encode=encoder(parameters_of(bench)))
    source.send(*enumerate(tasks, first))
    return source


@testbench(cycle_limit=30_000)
@cocotb.parametrize(task_stalls=STALLS, take_stalls=STALLS)
async def random_programs(bench: Bench, task_stalls: str, take_stalls: str) -> None:
    parameters = parameters_of(bench)
    memory = random_memory(parameters, bench.random)
    await fill(bench, parameters, memory)
    machine = Machine(parameters, memory)
    count = bench.parameters.get("count", 8)
    tasks, windows = random_program(parameters, bench.random, machine, count)
    consumer = Consumer(bench, take_stalls).start()
    consumer.expect(windows)
    start(bench, tasks, task_stalls)
    await consumer.finished()


@testbench(cycle_limit=30_000)
@cocotb.parametrize(name=list(CONVOLUTIONS))
async def convolutions(bench: Bench, name: str) -> None:
    parameters = parameters_of(bench)
    memory = random_memory(parameters, bench.random)
    await fill(bench, parameters, memory)
    tasks, wanted = CONVOLUTIONS[name].program(parameters, memory)
    windows = run_all(Machine(parameters, memory), tasks)
    assert all(np.array_equal(w.rows, rows) for w, rows in zip(windows, wanted, strict=True))
    consumer = Consumer(bench, "rare").start()
    consumer.expect(windows)
    start(bench, tasks)
    await consumer.finished()


def everywhere(offset: int) -> Read:
    """A read that writes every slot."""
    writes = [(slot, quarter, 0) for slot in range(9) for quarter in range(4)]
    return Read(offset, (Variant.STRAIGHT,) * 3, writes)


def single(bench: Bench) -> Task:
    """A CONVOLVE of one window, of entry 0."""
    task = replace(random_convolve(parameters_of(bench), bench.random, 1), digits=1)
    return moved(task, pattern=0, pairs=1, address=0, slices=1, tiles_x=1, tiles_y=1, images=1)


@testbench(cycle_limit=10_000)
@cocotb.parametrize(pairs=[1, 2, 3, 5], conflict=[False, True])
async def no_gaps(bench: Bench, pairs: int, conflict: bool) -> None:
    """Windows come one right after the other, over all loops and from command to command."""
    parameters = parameters_of(bench)
    memory = random_memory(parameters, bench.random)
    await fill(bench, parameters, memory)
    second = 2 if conflict else 1
    reads = [everywhere(i * second) for i in range(2 * pairs)]
    patterns: list[Pattern] = paired(reads)
    tasks = [Task(each) for each in patterns]
    for _ in range(12):
        task = random_convolve(parameters, bench.random, 4)
        tasks.append(moved(task, pattern=0, pairs=pairs, address=0))
    windows = run_all(Machine(parameters, memory), tasks)
    assert {window.cycles for window in windows} == {pairs * (1 + conflict)}
    consumer = Consumer(bench, "never").start()
    consumer.expect(windows)
    start(bench, tasks)
    await consumer.finished()
    gaps = np.diff(consumer.taken)
    assert (gaps == pairs * (1 + conflict)).all(), gaps


@testbench(cycle_limit=10_000)
async def latency(bench: Bench) -> None:
    """The first window comes as early as the feeder says."""
    parameters = parameters_of(bench)
    memory = random_memory(parameters, bench.random)
    await fill(bench, parameters, memory)
    one = single(bench)
    tasks = [Task(each) for each in paired([everywhere(0), everywhere(1)])]
    consumer = Consumer(bench, "never").start()
    consumer.expect(run_all(Machine(parameters, memory), [*tasks, one]))
    source = start(bench, tasks)
    await bench.cycles(10)
    source.send((0, one))
    await consumer.finished()
    assert consumer.taken == [consumer.accepted[-1] + bench.parameters["latency_cycles"]]


@testbench(cycle_limit=30_000)
@cocotb.parametrize(
    offset=[-1, 0, 1], which=["a", "b", "both"], take_stalls=["never", "random", "bursts"]
)
async def outside(bench: Bench, offset: int, which: str, take_stalls: str) -> None:
    """A read outside: fault with the command's index, all windows before it and none after."""
    parameters = parameters_of(bench)
    memory = random_memory(parameters, bench.random)
    await fill(bench, parameters, memory)
    words = parameters.buffers.plane_words
    begin = {-1: -1, 0: words, 1: 8191}[offset]
    near, far = everywhere(0), everywhere(begin)
    good, bad = (
        paired([near, everywhere(1)])[0],
        paired([far, near] if which == "a" else [near, far]),
    )
    if which == "both":
        bad = paired([far, everywhere(begin)])
    convolve = moved(random_convolve(parameters, bench.random, 1), pattern=0, pairs=1, address=0)
    tasks = [Task(good), Task(replace(bad[0], entry=1)), convolve, moved(convolve, pattern=1)]
    consumer = Consumer(bench, take_stalls).start()
    consumer.expect(run_all(Machine(parameters, memory), tasks[:3]))
    start(bench, [*tasks, convolve], first=100)
    faults = []
    for _ in range(600):
        await RisingEdge(bench.dut.clk)
        if cause := int(bench.dut.fault.value):
            faults.append((cause, int(bench.dut.fault_index.value)))
    assert faults == [(Fault.ADDRESS, 103)]
    assert consumer.checked == len(consumer.expected) == len(consumer.taken)
    assert int(bench.dut.busy.value) == 1
    # after reset it works as ever
    await bench.reset()
    assert int(bench.dut.busy.value) == 0


@testbench(cycle_limit=10_000)
async def largest_addresses(bench: Bench) -> None:
    """Sums of the greatest fields do not come round to small addresses."""
    parameters = parameters_of(bench)
    patterns = [Task(each) for each in paired([everywhere(8191)])]
    convolve = moved(
        random_convolve(parameters, bench.random, 1),
        **{"pattern": 0, "pairs": 1, "address": 65535, "images": 1, "tiles_y": 1},
        **{"tiles_x": 63, "slices": 1023, "slice_stride": 65535, "x_stride": 15},
    )
    Consumer(bench, "never").start()
    start(bench, [*patterns, convolve], first=0)
    for _ in range(100):
        await RisingEdge(bench.dut.clk)
        if int(bench.dut.fault.value):
            return
    raise AssertionError("no fault")


@testbench(cycle_limit=10_000)
async def halted(bench: Bench) -> None:
    """``halt`` ends the reads; what was read is still handed over."""
    parameters = parameters_of(bench)
    memory = random_memory(parameters, bench.random)
    await fill(bench, parameters, memory)
    tasks = [Task(each) for each in paired([everywhere(0), everywhere(1)])]
    endless = single(bench)
    tasks.append(moved(endless, slices=200, slice_stride=0))
    consumer = Consumer(bench, "never").start()
    consumer.expect(run_all(Machine(parameters, memory), tasks))
    start(bench, tasks)
    await bench.cycles(100)
    bench.dut.halt.value = 1
    await bench.cycles(10)
    taken = len(consumer.taken)
    await bench.cycles(100)
    assert 70 < len(consumer.taken) == taken < 100
    bench.dut.halt.value = 0
    await bench.cycles(50)
    assert len(consumer.taken) > taken + 40
