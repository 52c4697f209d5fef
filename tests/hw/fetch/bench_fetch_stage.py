"""Runs inside the simulator: the fetch stage against `load_reference`."""

from collections import Counter, deque
from dataclasses import replace

import cocotb
from cocotb.triggers import RisingEdge

from fractrain.hw.contract.commands import Fault, Memory
from fractrain.hw.contract.parameters import Parameters, parse_parameters
from fractrain.hw.fetch.stage import TASKS_AHEAD
from fractrain.hw.flow.layouts import column_write, plane_write, read_request
from tests.harness import STALLS, Bench, testbench
from tests.hw.fetch.load_reference import Task, Write, memory_word, random_load, random_task

STALL_CASES = [("never",) * 3, *[(a, b, a) for a in STALLS[1:] for b in STALLS]]


class Machine:
    """The stage with a memory behind it, and notes of all it does.

    words : False holds the words of all requests back
    """

    def __init__(self, bench: Bench, stalls: tuple[str, str, str] = STALL_CASES[0]) -> None:
        self.bench, self.dut = bench, bench.dut
        self.parameters: Parameters = parse_parameters(bench.parameters)
        self.tasks = bench.source("tasks", stalls=stalls[0], encode=self._encode)
        self.requests = bench.sink("requests", stalls=stalls[1], decode=read_request().from_bits)
        self.source = bench.source("words", stalls=stalls[2])
        self.words = True
        self.asked: list[tuple[int, int]] = []
        self.writes: list[tuple[int, Write]] = []
        self.ended: list[tuple[int, int, int]] = []
        self.faults: list[tuple[int, int]] = []
        self.taken: Counter[int] = Counter()
        self.cycle = 0
        self.idle = False
        self.dut.halt.value = 0
        cocotb.start_soon(self._run())

    def _encode(self, task: Task) -> int:
        return task.encode(self.parameters)

    async def _run(self) -> None:
        waiting: deque[int] = deque()
        size = self.parameters.word_bytes
        while True:
            await RisingEdge(self.dut.clk)
            self.cycle += 1
            self._note()
            new, self.requests.items = self.requests.items, []
            for request in new:
                self.asked.append((request.address, request.words))
                waiting += [request.address + size * i for i in range(request.words)]
            if self.words:
                self.source.send(*(memory_word(each, self.parameters) for each in waiting))
                waiting.clear()

    def _note(self) -> None:
        dut = self.dut
        if int(dut.ended.value):
            self.ended.append((self.cycle, int(dut.signal.value), len(self.writes)))
        else:
            assert not int(dut.signal.value)
        planes = plane_write(self.parameters).from_bits(int(dut.plane_write.value))
        columns = column_write(self.parameters).from_bits(int(dut.column_write.value))
        assert not (planes.valid and columns.valid)
        if planes.valid:
            self.writes.append((self.cycle, Write(planes.address, None, planes.data)))
        if columns.valid:
            write = Write(columns.address, columns.group, columns.data)
            self.writes.append((self.cycle, write))
        if int(dut.words_taken.value):
            self.taken[int(dut.tag.value)] += 1
        if int(dut.fault.value):
            self.faults.append((int(dut.fault.value), int(dut.index.value)))
        self.idle = bool(int(dut.idle.value))
        assert int(dut.busy.value) <= (not self.idle)

    async def until_idle(self) -> None:
        await self.tasks.drained()
        await self.bench.cycles(2)
        while not self.idle:
            await self.bench.cycles()

    def check(self, tasks: list[Task]) -> None:
        """All of ``tasks``, and nothing else, has been done."""
        parameters, writes, words = self.parameters, [], Counter[int]()
        ended = []
        for task in tasks:
            writes += task.writes(parameters)
            ended.append((task.load.signal, len(writes)))
            words[task.load.tag] += sum(count for _, count in task.requests(parameters))
        assert [write for _, write in self.writes] == writes
        assert [(signal, before) for _, signal, before in self.ended] == ended
        assert self.asked == [each for task in tasks for each in task.requests(parameters)]
        assert +self.taken == +words
        assert not self.faults


@testbench(cycle_limit=20_000)
@cocotb.parametrize(stalls=STALL_CASES)
async def loads(bench: Bench, stalls: tuple[str, str, str]) -> None:
    machine = Machine(bench, stalls)
    tasks = [random_task(bench.random, machine.parameters, i) for i in range(12)]
    machine.tasks.send(*tasks)
    await machine.until_idle()
    machine.check(tasks)


@testbench(cycle_limit=20_000)
async def halted_now_and_then(bench: Bench) -> None:
    machine = Machine(bench)
    tasks = [random_task(bench.random, machine.parameters, i) for i in range(12)]
    machine.tasks.send(*tasks)
    for _ in range(60):
        await bench.cycles(bench.random.randrange(12))
        machine.dut.halt.value = 1
        await bench.cycles(5)  # one until it is seen, then what is on its way
        before = len(machine.writes), len(machine.asked), sum(machine.taken.values())
        await bench.cycles(bench.random.randrange(5))
        assert before == (len(machine.writes), len(machine.asked), sum(machine.taken.values()))
        machine.dut.halt.value = 0
    await machine.until_idle()
    machine.check(tasks)


def one_digit(bench: Bench, parameters: Parameters, memory: Memory, count: int) -> list[Task]:
    tasks = []
    for index in range(count):
        load = random_load(bench.random, parameters, memory)
        # groups 0..8, and nothing for the tenth half
        load = replace(load, groups=0xF876543210)
        tasks.append(Task(load, 1, index))
    return tasks


@testbench(cycle_limit=2_000)
@cocotb.parametrize(memory=list(Memory))
async def a_write_per_cycle(bench: Bench, memory: Memory) -> None:
    """Across words, runs, digits and tasks, once words come."""
    machine = Machine(bench)
    tasks = one_digit(bench, machine.parameters, memory, TASKS_AHEAD)
    machine.words = False
    machine.tasks.send(*tasks)
    await bench.cycles(150)
    machine.words = True
    await machine.until_idle()
    machine.check(tasks)
    assert machine.writes[-1][0] - machine.writes[0][0] == len(machine.writes) - 1


@testbench(cycle_limit=1_000)
async def asks_ahead(bench: Bench) -> None:
    """All requests of `TASKS_AHEAD` tasks come before the first word, one per cycle; then, while
    it waits, the oldest is at work."""
    machine = Machine(bench)
    tasks = one_digit(bench, machine.parameters, Memory.PLANES, TASKS_AHEAD + 8)
    machine.tasks.send(*tasks)
    machine.words = False
    await bench.cycles(10)
    count = len(machine.asked)
    assert count > 1
    await bench.cycles(20)
    assert len(machine.asked) == count + 20
    await bench.cycles(150)
    ahead = [each for t in tasks[:TASKS_AHEAD] for each in t.requests(machine.parameters)]
    assert machine.asked[: len(ahead)] == ahead
    assert int(bench.dut.busy.value) and int(bench.dut.index.value) == 0
    machine.words = True
    await machine.until_idle()
    machine.check(tasks)


@testbench(cycle_limit=5_000)
@cocotb.parametrize(memory=list(Memory), stalls=[STALL_CASES[0], STALL_CASES[5]])
async def refuses_addresses(bench: Bench, memory: Memory, stalls: tuple[str, str, str]) -> None:
    """Up to the first write beyond its memory everything is done, from there on nothing."""
    machine = Machine(bench, stalls)
    parameters = machine.parameters
    columns = memory == Memory.COLUMNS
    depth = parameters.buffers.column_words if columns else parameters.buffers.plane_words
    tasks = [random_task(bench.random, parameters, 1000 + i) for i in range(4)]
    bad = random_load(bench.random, parameters, memory)
    bad = replace(bad, words=3, runs=4, groups=0x876543210F)
    bad = replace(bad, **bench.random.choice(beyond(depth)))
    tasks += [Task(bad, 16, 77), random_task(bench.random, parameters, 78)]
    machine.tasks.send(*tasks)
    while not machine.faults:
        await bench.cycles()
    await bench.cycles(200)
    good: list[Write] = [write for task in tasks[:4] for write in task.writes(parameters)]
    for write in tasks[4].writes(parameters):
        if write.address >= depth:
            break
        good.append(write)
    assert [write for _, write in machine.writes] == good
    assert machine.faults == [(Fault.ADDRESS, 77)]
    assert len(machine.ended) == 4 and int(bench.dut.index.value) == 77


def beyond(depth: int) -> list[dict[str, int]]:
    """Destinations and strides that leave a memory of ``depth`` words, each in another way."""
    none = {"destination_digit_stride": 0, "destination_run_stride": 0}
    return [
        none | {"destination": depth},
        none | {"destination": 0xFFFF},
        none | {"destination": depth - 3, "destination_run_stride": 1},
        none | {"destination": 0, "destination_run_stride": 0xFFFF},
        none | {"destination": 0, "destination_digit_stride": 0x8000},
        none | {"destination": 1, "destination_digit_stride": depth - 1},
    ]


@testbench(cycle_limit=1_000)
async def does_not_wrap_addresses(bench: Bench) -> None:
    """A run beyond 4 GiB is asked for beyond 4 GiB, where the reader refuses it."""
    machine = Machine(bench)
    size, top = machine.parameters.word_bytes, 1 << 32
    load = random_load(bench.random, machine.parameters, Memory.PLANES)
    load = replace(load, address=top - 4 * size, runs=4, words=2, run_stride=3, digit_stride=0)
    machine.words = False
    machine.tasks.send(Task(load, 1, 0))
    await bench.cycles(40)
    assert machine.asked[:2] == [(top - 4 * size, 2), (top - size, 2)]
    assert len(machine.asked) == 4
    for address, words in machine.asked[2:]:
        assert address % size == 0 and address + size * words > top


@testbench(cycle_limit=1_000)
async def leaves_bits_within_a_word_alone(bench: Bench) -> None:
    """An address that is no multiple of a word reaches the reader as it is."""
    machine = Machine(bench)
    load = random_load(bench.random, machine.parameters, Memory.PLANES)
    task = Task(replace(load, address=0x12345679), 3, 0)
    machine.words = False
    machine.tasks.send(task)
    await bench.cycles(60)
    assert machine.asked == task.requests(machine.parameters)
