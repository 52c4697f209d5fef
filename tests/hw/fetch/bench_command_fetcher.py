"""Runs inside the simulator: programs of all lengths, at all places in a burst."""

from collections import deque
from random import Random

import cocotb
from cocotb.triggers import RisingEdge

from fractrain.hw.contract.commands import COMMAND_BYTES
from fractrain.hw.contract.parameters import parse_parameters
from fractrain.hw.fetch.commands import commands_ahead, program_command
from fractrain.hw.flow.layouts import read_request
from tests.harness import STALLS, Bench, testbench

LATENCY = 40
BURST = 128


class Memory:
    """Answers requests word after word, each ``latency`` cycles after its request at least."""

    def __init__(self, bench: Bench, stalls: str = "never", latency: int = 0) -> None:
        self.bench, self.dut = bench, bench.dut
        self.parameters = parse_parameters(bench.parameters)
        self.size = self.parameters.word_bytes
        self.latency = latency
        self.asked: list[tuple[int, int]] = []
        self.taken = 0
        self._due: deque[tuple[int, int]] = deque()
        for name in ("start", "clear", "address", "count"):
            getattr(self.dut, name).value = 0
        self.requests = bench.sink("requests", stalls=stalls, decode=read_request().from_bits)
        self._stalls = bench._stalls(stalls)
        self._driving = False
        cocotb.start_soon(self._run())

    def content(self, address: int) -> int:
        return Random(address).getrandbits(8 * self.size)

    def clear(self) -> None:
        """Forget all requests, as the reader does: a word on offer, too."""
        self._due.clear()
        self._driving = False
        self.dut.words__valid.value = 0
        self.requests.items, self.asked, self.taken = [], [], 0

    async def _run(self) -> None:
        cycle = 0
        while True:
            await RisingEdge(self.dut.clk)
            cycle += 1
            self.taken += int(self.dut.words_taken.value)
            new, self.requests.items = self.requests.items, []
            for request in new:
                self.asked.append((request.address, request.words))
                for i in range(request.words):
                    self._due.append((cycle + self.latency, request.address + self.size * i))
            if self._driving and int(self.dut.words__ready.value):
                self._driving = False
            stalled = next(self._stalls)
            if not self._driving and self._due and self._due[0][0] <= cycle and not stalled:
                self._driving = True
                self.dut.words__payload.value = self.content(self._due.popleft()[1])
            self.dut.words__valid.value = int(self._driving)

    async def start(self, address: int, count: int) -> None:
        self.dut.address.value, self.dut.count.value = address, count
        self.dut.start.value = 1
        await self.bench.cycles()
        self.dut.start.value = 0

    def program(self, address: int, count: int) -> list[tuple[int, bool]]:
        words = -(-count * COMMAND_BYTES // self.size)
        data = b"".join(
            self.content(address + self.size * i).to_bytes(self.size, "little")
            for i in range(words)
        )
        commands = [data[COMMAND_BYTES * i :][:COMMAND_BYTES] for i in range(count)]
        return [(int.from_bytes(c, "little"), i == count - 1) for i, c in enumerate(commands)]

    def check_requests(self, address: int, count: int) -> None:
        """Exactly the words of the program, in order, in bursts; `asked` starts anew."""
        words = -(-count * COMMAND_BYTES // self.size)
        found = [base + self.size * i for base, n in self.asked for i in range(n)]
        assert found == [address + self.size * i for i in range(words)]
        burst = max(BURST, self.size)
        for base, n in self.asked:
            assert base // burst == (base + self.size * n - 1) // burst
        assert self.taken == words
        self.asked, self.taken = [], 0


def decode(bits: int) -> tuple[int, bool]:
    command = program_command().from_bits(bits)
    return command.command, bool(command.last)


@testbench(cycle_limit=30_000)
@cocotb.parametrize(memory_stalls=STALLS, stalls=STALLS)
async def delivers_programs(bench: Bench, memory_stalls: str, stalls: str) -> None:
    memory = Memory(bench, memory_stalls, bench.random.choice([0, 3, LATENCY]))
    commands = bench.sink("commands", stalls=stalls, decode=decode)
    assert int(bench.dut.done.value) == 0
    counts = [1, 2, 3, 4, 5, 31, bench.random.randrange(6, 60), 300]
    bench.random.shuffle(counts)
    for count in counts:
        address = memory.size * bench.random.randrange(1 << 20)
        await memory.start(address, count)
        assert await commands.receive(count) == memory.program(address, count)
        await bench.cycles(2)
        assert int(bench.dut.done.value) == 1 and int(bench.dut.index.value) == count
        memory.check_requests(address, count)


@testbench(cycle_limit=500)
async def an_empty_program_is_done(bench: Bench) -> None:
    memory = Memory(bench)
    bench.sink("commands", decode=decode)
    await memory.start(0, 0)
    await bench.cycles(2)
    assert int(bench.dut.done.value) == 1
    await bench.cycles(100)
    assert not memory.asked


@testbench(cycle_limit=1_000)
async def hides_the_latency_of_memory(bench: Bench) -> None:
    """At 40 cycles from request to word, commands still come as fast as words can bring them."""
    memory = Memory(bench, latency=LATENCY)
    commands = bench.sink("commands", decode=decode)
    count = 400
    await memory.start(BURST * 9, count)
    await commands.receive(1)
    await bench.cycles((count - 1) * max(1, COMMAND_BYTES // memory.size))
    assert len(commands.items) == count - 1


@testbench(cycle_limit=1_000)
async def asks_for_what_it_has_room_for(bench: Bench) -> None:
    memory = Memory(bench)
    # nobody takes any
    await memory.start(0, 10_000)
    await bench.cycles(600)
    words = sum(words for _, words in memory.asked)
    assert words * memory.size == commands_ahead(memory.parameters) * COMMAND_BYTES
    assert memory.taken == words


@testbench(cycle_limit=4_000)
async def forgets(bench: Bench) -> None:
    """Cleared at any time, it runs the next program as if there had been none."""
    memory = Memory(bench, latency=10)
    sink = bench.sink("commands", decode=decode)
    for _ in range(20):
        await memory.start(memory.size * bench.random.randrange(1000), 200)
        await bench.cycles(bench.random.randrange(100))
        bench.dut.clear.value = 1
        await bench.cycles(3)
        memory.clear()
        await bench.cycles(2)
        bench.dut.clear.value = 0
        sink.items.clear()
        memory.clear()
        address = memory.size * bench.random.randrange(1000)
        await memory.start(address, 21)
        assert await sink.receive(21) == memory.program(address, 21)
        await bench.cycles(2)
        memory.check_requests(address, 21)


@testbench(cycle_limit=1_000)
async def leaves_bits_within_a_word_alone(bench: Bench) -> None:
    memory = Memory(bench)
    await memory.start(0x1003, 9)
    await bench.cycles(60)
    assert all(address % memory.size == 3 for address, _ in memory.asked)
