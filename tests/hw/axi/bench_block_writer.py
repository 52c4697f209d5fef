"""Runs inside the simulator: blocks against what the memory holds afterwards."""

from dataclasses import dataclass

import cocotb

from fractrain.hw.axi.block_check import BlockCheck
from fractrain.hw.contract.commands import Fault
from fractrain.hw.flow.layouts import write_block
from tests.harness import STALLS, Bench, testbench
from tests.harness.axi3_memory import DECERR, OKAY, SLVERR
from tests.hw.axi.ports import Ports


@dataclass(frozen=True)
class Block:
    address: int
    data: int


class WriterBench(Ports):
    """The ports and a source of blocks."""

    def __init__(self, bench: Bench, *, block_stalls: str = "never", **settings: object) -> None:
        super().__init__(bench, **settings)
        self.size = self.parameters.block_bytes
        self.layout = write_block(8 * self.size)
        self.source = bench.source("blocks", stalls=block_stalls, encode=self._encode)

    def _encode(self, block: Block) -> int:
        fields = {"address": block.address, "data": block.data}
        return self.layout.const(fields).as_value().value

    def run(self, address: int, count: int) -> list[Block]:
        """``count`` blocks one after the other."""
        bits = self.bench.random.getrandbits
        return [Block(address + i * self.size, bits(8 * self.size)) for i in range(count)]

    def random_runs(self, count: int, first: int = 0, last: int = 2**32 - 1) -> list[Block]:
        """Runs of blocks, no address twice."""
        random, blocks, used = self.bench.random, [], set()
        for _ in range(count):
            length = random.choice((1, 1, 2, 3, random.randint(1, 20)))
            near_a_page = random.randrange(first // 4096, last // 4096 + 1) * 4096
            near_a_page += random.randint(-4, 4) * self.size
            top = last + 1 - length * self.size
            address = random.choice((near_a_page, random.randrange(first, last), top, first))
            address = min(max(address, first), top) // self.size * self.size
            run = self.run(address, length)
            if used.isdisjoint(each.address for each in run):
                used |= {each.address for each in run}
                blocks += run
        return blocks

    def content(self, block: Block) -> int:
        return self.storage.read(block.address, self.size)

    async def idle(self, limit: int = 3000) -> None:
        for _ in range(limit):
            await self.bench.cycles()
            if int(self.bench.dut.idle.value):
                return
        raise AssertionError(f"not idle after {limit} cycles")

    async def check(self, blocks: list[Block]) -> None:
        """Send; once the design says that it is idle, all of them are in memory."""
        self.source.send(*blocks)
        await self.source.drained()
        await self.idle()
        self.finish()
        for block in blocks:
            assert self.content(block) == block.data, hex(block.address)

    async def restart(self) -> None:
        """Clear, and what is around the design is reset with it."""
        await self.clear(self.source)


@testbench(cycle_limit=20_000)
@cocotb.parametrize(bus_stalls=STALLS, block_stalls=STALLS)
async def blocks_arrive(bench: Bench, bus_stalls: str, block_stalls: str) -> None:
    writer = WriterBench(bench, stalls=bus_stalls, latency=(1, 40), block_stalls=block_stalls)
    blocks = writer.random_runs(bench.parameters["runs"])
    await writer.check(blocks)
    # nothing else was written, and nothing twice
    beats = sum(burst.beats for port in writer.bursts for burst in port)
    assert beats == len(writer.storage.written) == len(blocks) * writer.size // 8


@testbench(cycle_limit=3_000)
async def every_alignment(bench: Bench) -> None:
    """Runs that begin and end at all places of 128 bytes: one burst for each 128 bytes."""
    writer = WriterBench(bench)
    places = 128 // writer.size
    wanted, blocks, base = [], [], 0x1000_0000
    for place in range(places):
        for count in range(1, 2 * places + 1):
            first = base + place * writer.size
            blocks += writer.run(first, count)
            for page in range(base, base + 512, 128):
                start, end = max(first, page), min(first + count * writer.size, page + 128)
                if start < end:
                    wanted.append((start, (end - start) // 8))
            base += 512
    await writer.check(blocks)
    assert sorted((each.address, each.beats) for port in writer.bursts for each in port) == wanted
    counts = [len(bursts) for bursts in writer.bursts]
    assert max(counts) - min(counts) <= 1, "bursts go to the ports in turn"


@testbench(cycle_limit=3_000)
async def lone_blocks_do_not_wait_for_ever(bench: Bench) -> None:
    writer = WriterBench(bench)
    for number in range(10):
        await writer.check(writer.run(0x100 * number, 1))


@testbench(cycle_limit=3_000)
async def blocks_in_falling_order_are_bursts_of_their_own(bench: Bench) -> None:
    writer = WriterBench(bench)
    blocks = writer.run(0x1000, 16)[::-1]
    await writer.check(blocks)
    assert writer.burst_count == 16


@testbench(cycle_limit=6_000)
async def full_rate(bench: Bench) -> None:
    """8 bytes per cycle and port, or a block per cycle if that is less."""
    writer = WriterBench(bench, latency=(16, 16))
    per_cycle = min(8 * len(writer.memories), writer.size)
    count = 3000 * per_cycle // writer.size
    writer.source.send(*writer.run(0x8000_0000, count))
    await bench.cycles(300)
    before, cycles = writer.source.transferred, 2000
    await bench.cycles(cycles)
    moved = (writer.source.transferred - before) * writer.size
    assert moved >= 0.95 * per_cycle * cycles, f"{moved} bytes in {cycles} cycles"


@testbench(cycle_limit=1_000)
async def stated_latencies(bench: Bench) -> None:
    """From the last block of 128 bytes to AWVALID, from there to WVALID."""
    writer = WriterBench(bench)
    dut = bench.dut
    writer.source.send(*writer.run(0, 128 // writer.size))
    taken = address = 0
    for cycle in range(200):
        await bench.cycles()
        if int(dut.blocks__valid.value) and int(dut.blocks__ready.value):
            taken = cycle
        if int(dut.hp0__awvalid.value) and not address:
            address = cycle
        if int(dut.hp0__wvalid.value):
            assert [address - taken, cycle - address] == bench.parameters["latencies"]
            return
    raise AssertionError("no data")


@testbench(cycle_limit=20_000)
@cocotb.parametrize(bus_stalls=STALLS)
async def nothing_outside_the_window(bench: Bench, bus_stalls: str) -> None:
    first, last = 0x2000_0000, 0x2000_3FFF
    writer = WriterBench(bench, stalls=bus_stalls, window=(first, last))
    size, end = writer.size, last + 1
    await writer.check(writer.run(first, 3) + writer.run(end - 3 * size, 3))
    for address, cause in (
        (first - size, Fault.WINDOW),
        (end, Fault.WINDOW),
        (0, Fault.WINDOW),
        (2**32 - size, Fault.WINDOW),
        (first + 1, Fault.ALIGNMENT),
        (first + size // 2, Fault.ALIGNMENT),
        (end - 8, Fault.ALIGNMENT),
    ):
        bad = [Block(address, 0)]
        count = writer.burst_count
        writer.source.send(*bad, *writer.run(first + 0x1000, 40))
        assert await writer.fault() == cause, hex(address)
        bench.dut.halt.value = 0  # it must stay stopped by itself
        for _ in range(60):
            await bench.cycles()
            assert not int(bench.dut.idle.value)
        assert writer.burst_count == count
        await writer.restart()
        await writer.check(writer.run(first + 0x800, 5))


@testbench(cycle_limit=1_000)
async def a_window_that_allows_nothing(bench: Bench) -> None:
    """As it is after reset: both bounds 0."""
    writer = WriterBench(bench, window=(0, 0))
    writer.source.send(Block(0, 1))
    assert await writer.fault() == Fault.WINDOW
    assert writer.burst_count == 0


@testbench(cycle_limit=1_000)
async def a_refused_block_is_told_at_once(bench: Bench) -> None:
    """A known number of cycles after it was taken, so that it can be said which it was."""
    writer = WriterBench(bench)
    writer.source.send(*writer.run(0, 20), Block(1, 0), *writer.run(0, 20))
    taken = []
    for cycle in range(200):
        await bench.cycles()
        if int(bench.dut.fault.value):
            assert cycle - taken[20] == BlockCheck.LATENCY_CYCLES + 1
            return
        if int(bench.dut.blocks__valid.value) and int(bench.dut.blocks__ready.value):
            taken.append(cycle)
    raise AssertionError("no fault")


@testbench(cycle_limit=20_000)
@cocotb.parametrize(response=[SLVERR, DECERR], bus_stalls=STALLS)
async def errors_of_memory(bench: Bench, response: int, bus_stalls: str) -> None:
    bad = 0x7000_0000
    writer = WriterBench(
        bench,
        stalls=bus_stalls,
        latency=(1, 30),
        respond=lambda address: response if address == bad else OKAY,
    )
    for _ in range(4):
        writer.source.send(*writer.run(0x100_0000, 5), *writer.run(bad, 200))
        assert await writer.fault() == Fault.WRITE_ERROR
        count = writer.burst_count
        for _ in range(100):
            await bench.cycles()
            assert not int(bench.dut.idle.value)
        assert writer.burst_count == count
        await writer.restart()
        await writer.quiet()
        await writer.check(writer.random_runs(5, 0, bad - 1))


@testbench(cycle_limit=1_000)
async def an_error_comes_before_idle(bench: Bench) -> None:
    writer = WriterBench(bench, respond=lambda address: SLVERR)
    writer.source.send(*writer.run(0, 1))
    await writer.source.drained()
    for _ in range(100):
        await bench.cycles()
        assert not int(bench.dut.idle.value)
        if int(bench.dut.fault.value):
            return
    raise AssertionError("no fault")


@testbench(cycle_limit=3_000)
@cocotb.parametrize(way=["stuck", "withhold"])
async def silence_of_memory(bench: Bench, way: str) -> None:
    writer = WriterBench(bench, watchdog=200)
    for memory in writer.memories:
        setattr(memory, way, True)
    writer.source.send(*writer.run(0x100, 40))
    await bench.cycles(190)
    assert not int(bench.dut.fault.value)
    assert await writer.fault(200) == Fault.TIMEOUT
    await writer.restart()
    await bench.cycles(300)
    assert not int(bench.dut.quiet.value) and not int(bench.dut.idle.value)
    assert not int(bench.dut.fault.value)
    for memory in writer.memories:
        setattr(memory, way, False)
    await writer.quiet()
    await writer.check(writer.run(0x2000, 30))


@testbench(cycle_limit=30_000)
@cocotb.parametrize(bus_stalls=STALLS, block_stalls=["never", "rare"])
async def clear_at_any_time(bench: Bench, bus_stalls: str, block_stalls: str) -> None:
    """What is forgotten is written nowhere: memory holds blocks that were sent, in whole beats at
    their addresses, or what it held before."""
    writer = WriterBench(bench, stalls=bus_stalls, latency=(1, 80), block_stalls=block_stalls)
    allowed: dict[int, set[int]] = {}
    for _ in range(15):
        blocks = writer.random_runs(20)
        for block in blocks:
            for place in range(0, writer.size, 8):
                value = block.data >> 8 * place & (2**64 - 1)
                allowed.setdefault(block.address + place, set()).add(value)
        writer.source.send(*blocks)
        await bench.cycles(bench.random.randint(0, 150))
        await writer.restart()
        issued = writer.burst_count
        await writer.quiet()
        assert writer.burst_count <= issued + len(writer.memories)
        written = dict(writer.storage.written)
        for address, value in written.items():
            assert value in allowed.get(address, ()), hex(address)
        await bench.cycles(bench.random.randint(1, 30))
        assert writer.storage.written == written, "written after the machine said it was quiet"
        fresh = [block for block in writer.random_runs(3) if block.address not in allowed]
        for block in fresh:
            for place in range(0, writer.size, 8):
                value = block.data >> 8 * place & (2**64 - 1)
                allowed.setdefault(block.address + place, set()).add(value)
        await writer.check(fresh)


@testbench(cycle_limit=10_000)
@cocotb.parametrize(bus_stalls=STALLS)
async def halt_issues_nothing(bench: Bench, bus_stalls: str) -> None:
    """No new burst in any cycle after one in which ``halt`` was high; then on as if nothing was."""
    writer = WriterBench(bench, stalls=bus_stalls, latency=(1, 40))
    blocks = writer.random_runs(40)
    writer.source.send(*blocks)
    for _ in range(20):
        await bench.cycles(bench.random.randint(1, 40))
        bench.dut.halt.value = 1
        await bench.cycles(2)
        before = writer.burst_count
        for _ in range(bench.random.randint(1, 40)):
            await bench.cycles()
            assert writer.burst_count == before
        bench.dut.halt.value = 0
    await writer.check(blocks)
