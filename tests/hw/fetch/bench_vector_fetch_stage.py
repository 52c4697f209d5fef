"""Runs inside the simulator: the fetch stage of a machine with a vector unit, against the
functional machine's."""

from collections import Counter, deque
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from fractrain.hw.contract.commands import Fault, Recall, Recalled, Tag
from fractrain.hw.contract.normalized import Format
from fractrain.hw.contract.parameters import parse_parameters
from fractrain.hw.flow.layouts import column_write, plane_write, read_request
from fractrain.hw.flow.unit_layouts import record_write, side_line
from fractrain.hw.memory.line_memory import line_write
from fractrain.sim.functional.decoding import Task
from fractrain.sim.functional.vector_decoding import LookedUp
from fractrain.sim.functional.words import from_bytes
from tests.harness import Bench, testbench
from tests.hw.fetch.unit_reference import (
    BASE,
    MEMORY_WORDS,
    Reference,
    State,
    beyond_chip,
    beyond_window,
    encode_task,
    random_task,
)

NEVER = ("never",) * 3
STALL_CASES = [
    NEVER,
    ("random", "never", "rare"),
    ("never", "random", "never"),
    ("rare", "bursts", "random"),
    ("bursts", "rare", "bursts"),
    ("random", "random", "random"),
    ("never", "never", "bursts"),
]
READ_LATENCY = 3
WRITES = ("record_writes", "staging_writes", "side_writes")


def bits_of(value: int, count: int) -> np.ndarray:
    data = np.frombuffer(value.to_bytes(-(-count // 8), "little"), np.uint8)
    return np.unpackbits(data, bitorder="little")[:count]


class Machine:
    """The stage with memory before and memories behind it, which begin as those of ``reference``.

    words : how many words of memory are delivered at most
    """

    def __init__(self, bench: Bench, stalls: tuple[str, str, str] = NEVER) -> None:
        self.bench, self.dut = bench, bench.dut
        self.parameters = p = parse_parameters(bench.parameters)
        assert p.vector is not None
        self.vector = p.vector
        self.reference = Reference(p, bench.random.getrandbits(32))
        self.state = self.reference.state
        self.tasks = bench.source("tasks", stalls=stalls[0], encode=lambda t: encode_task(t, p))
        self.requests = bench.sink("requests", stalls=stalls[1], decode=read_request().from_bits)
        self.source = bench.source("words", stalls=stalls[2])
        layouts = {
            "record_writes": record_write(self.vector.parameter_words),
            "staging_writes": line_write(self.vector.staging_words, 8 * p.line_bytes),
            "side_writes": line_write(self.vector.side_words, side_line(p).size),
        }
        self.sinks = {
            name: bench.sink(name, stalls=stalls[(i + 1) % 3], decode=layouts[name].from_bits)
            for i, name in enumerate(WRITES)
        }
        self.reads = bench.sink("plane_reads", stalls=stalls[1])
        self.words = 1 << 30
        self.asked = 0
        self.refused: tuple[Fault, int] | None = None
        self.ended: list[tuple[int, State]] = []
        self.faults: list[tuple[int, int]] = []
        self.taken: Counter[Tag] = Counter()
        self.stash_taken: Counter[Tag] = Counter()
        self.cycle, self.writes = 0, 0
        self.idle = False
        self.dut.halt.value = 0
        self.dut.plane_answers.value = 0
        self._answers: deque[tuple[int, int]] = deque()
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        waiting: deque[int] = deque()
        size = self.parameters.word_bytes
        data = self.reference.external.data
        while True:
            await RisingEdge(self.dut.clk)
            self.cycle += 1
            self._note()
            new, self.requests.items = self.requests.items, []
            for request in new:
                self._request(request, waiting)
            while waiting and self.words:
                self.words -= 1
                first = waiting.popleft() - BASE
                word = bytes(data[first : first + size])
                self.source.send(int.from_bytes(word, "little"))
            self._answer()

    def _request(self, request: Any, waiting: deque[int]) -> None:
        """As the reader: the first that is refused ends everything."""
        size, end = self.parameters.word_bytes, BASE + MEMORY_WORDS * self.parameters.word_bytes
        if self.refused is not None:
            return
        inside = BASE <= request.address and request.address + size * request.words <= end
        if request.address % size:
            self.refused = Fault.ALIGNMENT, request.index
        elif not inside:
            self.refused = Fault.WINDOW, request.index
        else:
            self.asked += request.words
            waiting.extend(request.address + size * i for i in range(request.words))

    def _answer(self) -> None:
        """Words of the plane memory, in order, some cycles after they were granted."""
        new, self.reads.items = self.reads.items, []
        for address in new:
            assert address < self.parameters.buffers.plane_words
            planes = self.state.planes[address].reshape(-1)
            word = int.from_bytes(np.packbits(planes, bitorder="little").tobytes(), "little")
            self._answers.append((self.cycle + READ_LATENCY, word))
        if self._answers and self._answers[0][0] <= self.cycle:
            self.dut.plane_answers.value = 1 | self._answers.popleft()[1] << 1
        else:
            self.dut.plane_answers.value = 0

    def _note(self) -> None:
        dut = self.dut
        self._write_planes()
        self._write_lines()
        if int(dut.ended.value):
            self.ended.append((int(dut.signal.value), self.writes))
        else:
            assert not int(dut.signal.value)
        for name, counter in (("words_taken", self.taken), ("stash_taken", self.stash_taken)):
            if int(getattr(dut, name).value):
                counter[Tag(int(dut.tag.value))] += 1
        if int(dut.fault.value):
            self.faults.append((int(dut.fault.value), int(dut.index.value)))
        self.idle = bool(int(dut.idle.value))

    def _write_planes(self) -> None:
        p, dut = self.parameters, self.dut
        planes = plane_write(p).from_bits(int(dut.plane_write.value))
        columns = column_write(p).from_bits(int(dut.column_write.value))
        assert not (planes.valid and columns.valid)
        if planes.valid:
            self.writes += 1
            data = int(planes.data).to_bytes(p.word_bytes, "little")
            self.state.planes[planes.address] = from_bytes(np.frombuffer(data, np.uint8), p)[0]
        if columns.valid:
            self.writes += 1
            channels = p.block.channels
            half = bits_of(columns.data, channels * channels).reshape(channels, channels)
            self.state.columns[columns.address, columns.group] = half

    def _write_lines(self) -> None:
        pixels, width = self.parameters.array.rows, self.vector.side_bits
        for name, sink in self.sinks.items():
            items, sink.items = sink.items, []
            for write in items:
                self.writes += 1
                if name == "record_writes":
                    data = int(write.data).to_bytes(16, "little")
                    self.state.records[write.address] = np.frombuffer(data, np.uint8)
                    continue
                for place in range(2):
                    if not write.enable >> place & 1:
                        continue
                    line, value = 2 * write.address + place, int(write.data[place])
                    if name == "staging_writes":
                        raw = np.frombuffer(value.to_bytes(2 * pixels, "little"), "<i2")
                        self.state.staging[line] = raw
                        continue
                    bits = bits_of(value, pixels * (width + 1))
                    numbers = bits[: pixels * width].reshape(pixels, width)
                    self.state.side[line] = numbers @ (1 << np.arange(width))
                    self.state.masks[line] = bits[pixels * width :]

    async def until_idle(self) -> None:
        await self.tasks.drained()
        await self.bench.cycles(2)
        while not self.idle:
            await self.bench.cycles()
        await self.bench.cycles(2)

    def carried_out(self, tasks: list[Task]) -> None:
        """``tasks``, all of them good, have been carried out, and nothing else."""
        for task in tasks:
            assert self.reference.run(task) is Fault.NONE, task
        assert not self.state.differences(self.reference.state)
        assert [signal for signal, _ in self.ended] == [task.command.signal for task in tasks]
        assert +self.taken == +self.reference.load_words
        assert +self.stash_taken == +self.reference.stash_words


@testbench(cycle_limit=200_000)
@cocotb.parametrize(stalls=STALL_CASES)
async def loads(bench: Bench, stalls: tuple[str, str, str]) -> None:
    machine = Machine(bench, stalls)
    tasks = [random_task(bench.random, machine.parameters, i) for i in range(40)]
    machine.tasks.send(*tasks)
    await machine.until_idle()
    assert not machine.faults and machine.refused is None
    machine.carried_out(tasks)


@testbench(cycle_limit=200_000)
async def ends_behind_its_last_write(bench: Bench) -> None:
    """One task at a time: what it has to write is written when it ends."""
    machine = Machine(bench, ("random", "random", "random"))
    tasks = [random_task(bench.random, machine.parameters, i) for i in range(40)]
    for number, task in enumerate(tasks):
        machine.tasks.send(task)
        while len(machine.ended) <= number:
            await bench.cycles()
        machine.reference.run(task)
        assert not machine.state.differences(machine.reference.state), task
    assert [signal for signal, _ in machine.ended] == [task.command.signal for task in tasks]


@testbench(cycle_limit=200_000)
async def halted_now_and_then(bench: Bench) -> None:
    machine = Machine(bench)
    tasks = [random_task(bench.random, machine.parameters, i) for i in range(20)]
    machine.tasks.send(*tasks)
    for _ in range(80):
        await bench.cycles(bench.random.randrange(30))
        machine.dut.halt.value = 1
        await bench.cycles(6)  # one until it is seen, then what is on its way
        before = machine.writes, machine.asked, sum(machine.stash_taken.values())
        await bench.cycles(bench.random.randrange(5))
        assert before == (machine.writes, machine.asked, sum(machine.stash_taken.values()))
        machine.dut.halt.value = 0
    await machine.until_idle()
    machine.carried_out(tasks)


async def fails(bench: Bench, spoil: Any, number: int) -> None:
    """Good tasks, a bad one, a good one: all before it is done, it is reported, none behind it."""
    machine = Machine(bench, bench.random.choice(STALL_CASES))
    random, p = bench.random, machine.parameters
    good = [random_task(random, p, 1000 + i) for i in range(random.randrange(4))]
    bad: Task | None = None
    while bad is None:
        bad = spoil(random, p, random_task(random, p, 77))
        if bad is not None and Reference(p, number).run(bad) is Fault.NONE:
            bad = None
    fault = Reference(p, number).run(bad)
    machine.tasks.send(*good, bad, random_task(random, p, 78))
    while not machine.faults and machine.refused is None:
        await bench.cycles()
    await bench.cycles(1500)
    if fault is Fault.ADDRESS:
        assert machine.faults == [(fault, 77)], bad
    else:
        assert machine.refused == (fault, 77) and not machine.faults, bad
    assert int(machine.dut.index.value) == 77
    assert len(machine.ended) == len(good)


@testbench(cycle_limit=100_000)
@cocotb.parametrize(number=list(range(12)))
async def refuses_places(bench: Bench, number: int) -> None:
    await fails(bench, beyond_chip, number)


@testbench(cycle_limit=100_000)
@cocotb.parametrize(number=list(range(12)))
async def refuses_addresses(bench: Bench, number: int) -> None:
    await fails(bench, beyond_window, number)


@testbench(cycle_limit=100_000)
@cocotb.parametrize(number=list(range(8)))
async def memory_that_fails(bench: Bench, number: int) -> None:
    """When words stop coming, ``index`` is that of the command which waits for the next."""
    machine = Machine(bench)
    random = bench.random
    tasks = [random_task(random, machine.parameters, i) for i in range(12)]
    needed = []
    for task in tasks:
        before = machine.reference.external.bytes_read
        machine.reference.run(task)
        needed.append(
            (machine.reference.external.bytes_read - before) // machine.parameters.word_bytes
        )
    machine.words = random.randrange(sum(needed))
    waits = next(i for i in range(12) if sum(needed[: i + 1]) > machine.words)
    machine.tasks.send(*tasks)
    await bench.cycles(4000)
    assert int(machine.dut.index.value) == waits and int(machine.dut.busy.value)
    assert len(machine.ended) == waits


@testbench(cycle_limit=20_000)
async def an_odd_first_line(bench: Bench) -> None:
    """Channels 2k and 2k + 1 are a pair of the side memory: RECALL refuses any other place."""
    machine = Machine(bench)
    command = Recall(kind=Recalled.RESIDUAL, bits=8, address=BASE, destination=3)
    machine.tasks.send(Task(5, command, 8, 8))
    await bench.cycles(300)
    assert machine.faults == [(Fault.ADDRESS, 5)] and not machine.writes


@testbench(cycle_limit=20_000)
async def rate(bench: Bench) -> None:
    """Of a RECALL with words at hand: planes, mask, half the channels and two cycles a block."""
    machine = Machine(bench)
    blocks, channels = 5, machine.parameters.block.channels
    ended = []
    for count in (1, blocks):
        command = Recall(kind=Recalled.END, address=BASE, masked=True, plane_stride=9, blocks=count)
        machine.tasks.send(Task(0, command, 8, 8, LookedUp(Format(6, 3))))
        first = machine.cycle
        await machine.until_idle()
        ended.append(machine.cycle - first)
    assert ended[1] - ended[0] == (blocks - 1) * (6 + 1 + channels // 2 + 2)
