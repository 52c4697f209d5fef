"""Runs inside the simulator: registers and counters of a vector unit."""

import cocotb
from cocotb.triggers import RisingEdge

from fractrain.hw.contract import registers as contract
from fractrain.hw.contract.commands import TOKEN_LIMIT, Tag
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.precision import Precision
from fractrain.hw.control.counters import UNIT_EVENTS
from tests.harness import Bench, testbench
from tests.hw.control.bench_registers import master, read, write

STASHES = {"stash_read": contract.STASH_READ, "stash_written": contract.STASH_WRITTEN}


@testbench(cycle_limit=5_000)
async def table_serves_the_decoder(bench: Bench) -> None:
    """With bits of x̂, which software reads back, too."""
    axi = master(bench)
    slots = range(bench.parameters["slots"])
    for slot in slots:
        precision = Precision(slot % 17, (slot * 3) % 17, (slot * 5) % 17)
        word = contract.encode_precision(precision, KeptBits(slot % 16, (slot * 7) % 16))
        await write(axi, contract.TABLE_BASE + slot, word)
        assert await read(axi, contract.TABLE_BASE + slot) == word
    for slot in slots:
        bench.dut.slot.value = slot
        await bench.cycles(2)
        entry = int(bench.dut.entry.value)
        assert entry >> 15 == slot % 16 | (slot * 7) % 16 << 4
        await bench.cycles(1)


@testbench(cycle_limit=5_000)
async def tokens_of_the_host(bench: Bench) -> None:
    """They interrupt while there are any; each write takes or gives once."""
    axi, dut = master(bench), bench.dut
    seen: dict[str, list[int]] = {"host_take": [], "host_give": []}

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clk)
            for name, amounts in seen.items():
                if amount := int(getattr(dut, name).value):
                    amounts.append(amount)

    cocotb.start_soon(watch())
    await write(axi, contract.INTERRUPT_ENABLE.address, 1)
    for tokens in (0, 1, 7, TOKEN_LIMIT):
        dut.host_tokens.value = tokens
        await bench.cycles(2)
        assert await read(axi, contract.HOST_TOKENS.address) == tokens
        assert await read(axi, contract.HOST_GIVE.address) == 0
        pending = contract.HOST_PENDING.extract(await read(axi, contract.INTERRUPT.address))
        assert pending == int(dut.interrupt.value) == (tokens != 0)
        await write(axi, contract.INTERRUPT.address, 1)  # it is the host's to take them
        await bench.cycles(2)
        assert int(dut.interrupt.value) == (tokens != 0)
    await write(axi, contract.INTERRUPT_ENABLE.address, 0)
    await bench.cycles(2)
    assert not int(dut.interrupt.value)
    for amount in (1, 3, 255, 256, 0, 0x8000_0001):
        await write(axi, contract.HOST_TOKENS.address, amount)
        await write(axi, contract.HOST_GIVE.address, amount + 1)
    assert seen["host_take"] == [1, 3, 255, 255, 255]
    assert seen["host_give"] == [2, 4, 255, 255, 1, 255]


@testbench(cycle_limit=2_000)
async def seed_and_step(bench: Bench) -> None:
    axi = master(bench)
    names = ("SEED_LOW", "SEED_HIGH", "STEP_LOW", "STEP_HIGH")
    for number, name in enumerate(names):
        await write(axi, getattr(contract, name).address, 0x01020304 * (number + 1))
    for number, name in enumerate(names):
        assert int(getattr(bench.dut, name.lower()).value) == 0x01020304 * (number + 1)


async def _count(bench: Bench, cycles: int) -> dict[tuple[Tag, int], int]:
    """Random events; what should have been counted."""
    expected: dict[tuple[Tag, int], int] = {}
    dut, random = bench.dut, bench.random
    sizes = {"stash_read": "word_bytes", "stash_written": "block_bytes"}
    tag, number = Tag.OTHER, 0
    for _ in range(cycles):
        if random.random() < 0.3:
            tag, number = random.choice(list(Tag)), random.randrange(6)
        valid = random.random() < 0.9
        dut.vector_cycle.value = valid | number << 1 | tag << 4
        if valid:
            key = tag, contract.VECTOR_CYCLE_COUNTERS[number].number
            expected[key] = expected.get(key, 0) + 1
        for name, counter in STASHES.items():
            valid, its_tag = random.random() < 0.5, random.choice(list(Tag))
            getattr(dut, name).value = valid | its_tag << 1
            if valid:
                key = its_tag, counter.number
                expected[key] = expected.get(key, 0) + bench.parameters[sizes[name]]
        await RisingEdge(dut.clk)
    for name in UNIT_EVENTS:
        getattr(dut, name).value = 0
    await bench.cycles(3)
    return expected


@testbench(cycle_limit=30_000)
async def counters_count(bench: Bench) -> None:
    """Those of the unit, and no others."""
    axi = master(bench)
    everything = (*contract.COUNTERS, *contract.VECTOR_COUNTERS)
    assert await read(axi, contract.VECTOR_COUNTERS[0].address(Tag.FORWARD)) == 0
    for _ in range(2):
        expected = await _count(bench, 500)
        for tag in Tag:
            for counter in everything:
                address = counter.address(tag)
                low, high = await read(axi, address), await read(axi, address + 1)
                assert high << 32 | low == expected.get((tag, counter.number), 0), counter.name
        await write(axi, contract.CONTROL.address, contract.CLEAR_COUNTERS.insert(1))
        for tag in Tag:
            for counter in everything:
                assert await read(axi, counter.address(tag)) == 0
