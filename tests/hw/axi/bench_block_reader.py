"""Runs inside the simulator: runs of words against what the memory holds there."""

from dataclasses import asdict, dataclass

import cocotb

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.read_merger import read_word
from fractrain.hw.contract.commands import Fault
from fractrain.hw.flow.layouts import client_request, read_clients
from tests.harness import STALLS, Bench, testbench
from tests.harness.axi3_memory import DECERR, OKAY, SLVERR
from tests.hw.axi.ports import Ports


@dataclass(frozen=True)
class Run:
    address: int
    words: int
    client: int = 0
    index: int = 0


class ReaderBench(Ports):
    """The ports, a source of requests and a sink of words."""

    def __init__(self, bench: Bench, *, word_stalls: str = "never", **settings: object) -> None:
        super().__init__(bench, **settings)
        self.word_bytes = self.parameters.word_bytes
        self.clients = read_clients(self.parameters)
        self.layout = read_word(BurstShape(self.word_bytes), self.clients)
        self.request = client_request(self.clients)
        self.source = bench.source("requests", encode=self._encode)
        self.sink = bench.sink("words", stalls=word_stalls)

    def _encode(self, run: Run) -> int:
        return self.request.const(asdict(run)).as_value().value

    def expected(self, runs: list[Run]) -> list[int]:
        """Payloads: data and, above it, the client."""
        return [
            self.storage.read(run.address + number * self.word_bytes, self.word_bytes)
            | run.client << 8 * self.word_bytes
            for run in runs
            for number in range(run.words)
        ]

    async def check(self, runs: list[Run]) -> None:
        self.source.send(*runs)
        wanted = self.expected(runs)
        assert await self.sink.receive(len(wanted)) == wanted

    async def restart(self) -> None:
        """Clear, and what is around the design is reset with it."""
        await self.clear(self.source, self.sink)

    def random_run(self) -> Run:
        random = self.bench.random
        words = random.choice((1, 1, 2, 3, random.randint(1, max(2, 1024 // self.word_bytes))))
        top = 2**32 - words * self.word_bytes
        page = random.randrange(0, 2**32, 4096)
        near_a_page = page + random.randint(-4, 4) * self.word_bytes
        address = random.choice((near_a_page, random.randrange(2**32), top, 0))
        address = min(max(address, 0), top) // self.word_bytes * self.word_bytes
        return Run(address, words, random.randrange(self.clients))


@testbench(cycle_limit=20_000)
@cocotb.parametrize(bus_stalls=STALLS, word_stalls=["never", "random", "bursts"])
async def words_come_in_order(bench: Bench, bus_stalls: str, word_stalls: str) -> None:
    reader = ReaderBench(bench, stalls=bus_stalls, latency=(1, 40), word_stalls=word_stalls)
    await reader.check([reader.random_run() for _ in range(bench.parameters["runs"])])
    await bench.cycles(4)
    reader.finish()


@testbench(cycle_limit=3_000)
async def every_alignment(bench: Bench) -> None:
    """All places in a granule that a run can begin and end at."""
    reader = ReaderBench(bench)
    granule = max(128, reader.word_bytes)
    places = granule // reader.word_bytes
    runs = [
        Run(0x1000_0F80 // granule * granule + place * reader.word_bytes, words)
        for place in range(places)
        for words in range(1, 2 * places + 1)
    ]
    await reader.check(runs)
    reader.finish()
    wanted = sorted(burst for run in runs for burst in bursts_of(run, reader.word_bytes))
    found = sorted((each.address, each.beats) for port in reader.bursts for each in port)
    assert found == wanted


def bursts_of(run: Run, word_bytes: int) -> list[tuple[int, int]]:
    """Address and beats of each: cut at multiples of 128 bytes."""
    position, end = run.address, run.address + run.words * word_bytes
    bursts = []
    while position < end:
        cut = min(end, (position // 128 + 1) * 128)
        bursts.append((position, (cut - position) // 8))
        position = cut
    return bursts


@testbench(cycle_limit=3_000)
async def granules_go_to_the_ports_in_turn(bench: Bench) -> None:
    reader = ReaderBench(bench)
    granule = max(128, reader.word_bytes)
    count = 4 * len(reader.memories)
    await reader.check([Run(0, count * granule // reader.word_bytes)])
    for number, bursts in enumerate(reader.bursts):
        granules = sorted({burst.address // granule for burst in bursts})
        assert granules == list(range(number, count, len(reader.memories)))


@testbench(cycle_limit=6_000)
async def full_rate(bench: Bench) -> None:
    """8 bytes per cycle and port, or a word per cycle if that is less, at a memory's latency."""
    reader = ReaderBench(bench, latency=(16, 16))
    per_cycle = min(8 * len(reader.memories), reader.word_bytes)
    words = 2000 * per_cycle // reader.word_bytes
    reader.source.send(Run(0x8000_0000, words // 2), Run(0x9000_0000, words - words // 2, 1))
    await reader.sink.receive(1)
    start = reader.monitors[0].cycle
    await reader.sink.receive(words - 1)
    cycles = reader.monitors[0].cycle - start
    assert words * reader.word_bytes >= 0.95 * per_cycle * cycles, f"{words} words, {cycles} cycles"


@testbench(cycle_limit=3_000)
async def stated_latencies(bench: Bench) -> None:
    reader = ReaderBench(bench)
    dut = bench.dut
    reader.source.send(Run(0, 1))
    requested = issued = last_beat = 0
    for cycle in range(200):
        await bench.cycles()
        if int(dut.requests__valid.value) and int(dut.requests__ready.value):
            requested = cycle
        if int(dut.hp0__arvalid.value) and not issued:
            issued = cycle
        if int(dut.hp0__rvalid.value):
            last_beat = cycle
        if int(dut.words__valid.value):
            found = [issued - requested, cycle - last_beat]
            assert found == bench.parameters["latencies"]
            return
    raise AssertionError("no word")


@testbench(cycle_limit=20_000)
@cocotb.parametrize(bus_stalls=STALLS)
async def nothing_outside_the_window(bench: Bench, bus_stalls: str) -> None:
    """Runs at the edges of the window: exact ones are served, all others refused untouched."""
    first, last = 0x2000_0000, 0x2000_3FFF
    reader = ReaderBench(bench, stalls=bus_stalls, window=(first, last))
    size = reader.word_bytes
    end = last + 1
    await reader.check([Run(first, 3), Run(end - 3 * size, 3), Run(first, (end - first) // size)])
    for run, cause in (
        (Run(first - size, 1), Fault.WINDOW),
        (Run(first - size, 3), Fault.WINDOW),
        (Run(end, 1), Fault.WINDOW),
        (Run(end - size, 2), Fault.WINDOW),
        (Run(end - 3 * size, 4095), Fault.WINDOW),
        (Run(2**32 - size, 1), Fault.WINDOW),
        (Run(2**32 - size, 4095), Fault.WINDOW),
        (Run(first + 1, 1), Fault.ALIGNMENT),
        (Run(first + size // 2, 2), Fault.ALIGNMENT),
        (Run(first - 8, 1), Fault.ALIGNMENT),
    ):
        before, client = reader.burst_count, bench.random.randrange(reader.clients)
        index = bench.random.getrandbits(32)
        reader.source.send(Run(run.address, run.words, client, index), Run(first, 1))
        assert await reader.fault() == cause, run
        assert int(bench.dut.fault_client.value) == client
        assert int(bench.dut.fault_index.value) == index
        bench.dut.halt.value = 0  # it must stay stopped by itself
        await bench.cycles(60)
        assert reader.burst_count == before, f"a burst after {run}"
        await reader.restart()
        await reader.check([Run(first + 5 * size, 2)])
    reader.finish()


@testbench(cycle_limit=1_000)
async def a_window_that_allows_nothing(bench: Bench) -> None:
    """As it is after reset: both bounds 0."""
    reader = ReaderBench(bench, window=(0, 0))
    reader.source.send(Run(0, 1))
    assert await reader.fault() == Fault.WINDOW
    assert reader.burst_count == 0


@testbench(cycle_limit=1_000)
async def no_words_are_no_request(bench: Bench) -> None:
    reader = ReaderBench(bench)
    reader.source.send(Run(3, 0))
    await reader.check([Run(0, 1), Run(8, 0), Run(0x4000, 1)])
    assert reader.burst_count == 2


@testbench(cycle_limit=20_000)
@cocotb.parametrize(response=[SLVERR, DECERR], bus_stalls=STALLS)
async def errors_of_memory(bench: Bench, response: int, bus_stalls: str) -> None:
    """The words before the bad one come, it and those after it do not."""
    bad = 0x7000_0000
    reader = ReaderBench(
        bench,
        stalls=bus_stalls,
        latency=(1, 30),
        respond=lambda address: response if address == bad else OKAY,
    )
    size = reader.word_bytes
    for _ in range(4):
        client, before = bench.random.randrange(reader.clients), bench.random.randint(0, 3)
        runs = [
            Run(0x100_0000, 5, (client + 1) % reader.clients),
            Run(bad // size * size - before * size, 9, client),
        ]
        reader.source.send(*runs)
        assert await reader.fault() == Fault.READ_ERROR
        assert int(bench.dut.fault_client.value) == client
        wanted = reader.expected(runs)[: 5 + before]
        assert await reader.sink.receive(len(wanted)) == wanted
        issued = reader.burst_count
        await bench.cycles(100)
        assert not reader.sink.items
        assert reader.burst_count <= issued + len(reader.memories)  # on their way at the fault
        await reader.restart()
        await reader.quiet()
        await reader.check([reader.random_run() for _ in range(3)])


@testbench(cycle_limit=3_000)
@cocotb.parametrize(way=["stuck", "withhold"])
async def silence_of_memory(bench: Bench, way: str) -> None:
    """TIMEOUT within the watchdog's cycles; and operation again once the answers have come."""
    reader = ReaderBench(bench, watchdog=200)
    for memory in reader.memories:
        setattr(memory, way, True)
    reader.source.send(Run(0x100, 64, 1))
    await bench.cycles(190)
    assert not int(bench.dut.fault.value)
    assert await reader.fault(200) == Fault.TIMEOUT
    assert int(bench.dut.fault_client.value) == 1
    await reader.restart()
    await bench.cycles(300)
    assert not int(bench.dut.quiet.value)
    assert not int(bench.dut.fault.value)
    for memory in reader.memories:
        setattr(memory, way, False)
    await reader.quiet()
    await reader.check([Run(0x200, 10), Run(0x10_0000, 3, 1)])


@testbench(cycle_limit=2_000)
async def no_watchdog_waits(bench: Bench) -> None:
    reader = ReaderBench(bench, watchdog=0)
    for memory in reader.memories:
        memory.stuck = True
    reader.source.send(Run(0x1000, 4))
    for _ in range(600):
        await bench.cycles()
        assert not int(bench.dut.fault.value)
    for memory in reader.memories:
        memory.stuck = False
    assert len(await reader.sink.receive(4)) == 4


@testbench(cycle_limit=2_000)
async def a_consumer_that_waits_is_no_timeout(bench: Bench) -> None:
    reader = ReaderBench(bench, watchdog=100, word_stalls="bursts")
    runs = [Run(0x1_0000, 80)]
    reader.source.send(*runs)
    for _ in range(400):
        await bench.cycles()
        assert not int(bench.dut.fault.value)
    wanted = reader.expected(runs)
    assert await reader.sink.receive(80) == wanted


@testbench(cycle_limit=30_000)
@cocotb.parametrize(bus_stalls=STALLS)
async def clear_at_any_time(bench: Bench, bus_stalls: str) -> None:
    """Whatever is under way, answers that come late are swallowed and never taken for new ones."""
    reader = ReaderBench(bench, stalls=bus_stalls, latency=(1, 80), word_stalls="rare")
    for _ in range(15):
        reader.source.send(*(reader.random_run() for _ in range(6)))
        await bench.cycles(bench.random.randint(0, 120))
        await reader.restart()
        await reader.check([reader.random_run() for _ in range(3)])
    await bench.cycles(4)
    reader.finish()


@testbench(cycle_limit=10_000)
@cocotb.parametrize(bus_stalls=STALLS)
async def halt_issues_nothing(bench: Bench, bus_stalls: str) -> None:
    """No new burst in any cycle after one in which ``halt`` was high; then on as if nothing was."""
    reader = ReaderBench(bench, stalls=bus_stalls, latency=(1, 40))
    runs = [reader.random_run() for _ in range(30)]
    reader.source.send(*runs)
    for _ in range(20):
        await bench.cycles(bench.random.randint(1, 40))
        bench.dut.halt.value = 1
        await bench.cycles(2)
        before = reader.burst_count
        for _ in range(bench.random.randint(1, 40)):
            await bench.cycles()
            assert reader.burst_count == before
        bench.dut.halt.value = 0
    wanted = reader.expected(runs)
    assert await reader.sink.receive(len(wanted)) == wanted
