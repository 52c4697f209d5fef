"""Runs inside the simulator: registers over AXI4-Lite, in all orders and with stalls."""

import cocotb
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from fractrain.hw.contract import registers as contract
from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.precision import Precision
from fractrain.hw.control.counters import UNIT_EVENTS
from tests.harness import STALLS, Bench, testbench
from tests.harness.stalls import stall_pattern
from tests.hw.control.designs import BUILD_HASH

SETTINGS = (
    contract.WINDOW_FIRST,
    contract.WINDOW_LAST,
    contract.PROGRAM_ADDRESS,
    contract.PROGRAM_COMMANDS,
    contract.WATCHDOG,
)
UNIT_SETTINGS = (
    contract.SEED_LOW,
    contract.SEED_HIGH,
    contract.STEP_LOW,
    contract.STEP_HIGH,
)


def master(bench: Bench, stalls: str = "never") -> AxiLiteMaster:
    """A master all of whose channels stall on their own."""
    axi = AxiLiteMaster(AxiLiteBus.from_prefix(bench.dut, "axi_"), bench.dut.clk, bench.dut.rst)
    if stalls != "never":
        for channel in (
            axi.write_if.aw_channel,
            axi.write_if.w_channel,
            axi.write_if.b_channel,
            axi.read_if.ar_channel,
            axi.read_if.r_channel,
        ):
            channel.set_pause_generator(stall_pattern(stalls, bench.random))
    for name in ("idle", "done", "failed", "draining", "cause", "fault_index", "attention", "slot"):
        getattr(bench.dut, name).value = 0
    unit = ("host_tokens", *UNIT_EVENTS) if bench.parameters["unit"] else ()
    for name in ("cycle", "read", "written", *unit):
        getattr(bench.dut, name).value = 0
    return axi


async def read(axi: AxiLiteMaster, address: int) -> int:
    return await axi.read_dword(4 * address)


async def write(axi: AxiLiteMaster, address: int, value: int) -> None:
    await axi.write_dword(4 * address, value)


@testbench(cycle_limit=30_000)
@cocotb.parametrize(stalls=STALLS)
async def holds_what_was_written(bench: Bench, stalls: str) -> None:
    """Reads and writes at once, against a dictionary."""
    axi = master(bench, stalls)
    slots = bench.parameters["slots"]
    expected = {register.address: 0 for register in SETTINGS}
    expected[contract.WATCHDOG.address] = 1 << 20
    if bench.parameters["unit"]:
        expected |= {register.address: 0 for register in UNIT_SETTINGS}
    expected |= {contract.TABLE_BASE + slot: 0 for slot in range(slots)}
    for slot in range(slots):  # no reset clears the table
        await write(axi, contract.TABLE_BASE + slot, 0)
    fields = contract.TABLE_FIELDS
    if bench.parameters["unit"]:
        fields += contract.VECTOR_TABLE_FIELDS
    mask = sum(((1 << field.width) - 1) << field.offset for field in fields)
    for _ in range(120):
        address = bench.random.choice(list(expected))
        if bench.random.random() < 0.5:
            value = bench.random.getrandbits(32)
            expected[address] = value & mask if address >= contract.TABLE_BASE else value
            writing = axi.init_write(4 * address, value.to_bytes(4, "little"))
            other = bench.random.choice([each for each in expected if each != address])
            assert await read(axi, other) == expected[other]
            await writing.wait()
        else:
            assert await read(axi, address) == expected[address]
    for address, value in expected.items():
        assert await read(axi, address) == value
    assert await read(axi, contract.ID.address) == contract.IDENTITY
    assert await read(axi, contract.BUILD_HASH.address) == BUILD_HASH
    assert await read(axi, 63) == 0
    if not bench.parameters["unit"]:
        for register in contract.VECTOR_REGISTERS:
            await write(axi, register.address, 0xFFFF_FFFF)
            assert await read(axi, register.address) == 0
    assert await read(axi, contract.TABLE_BASE + slots) == 0


@testbench(cycle_limit=2_000)
async def partial_writes_are_refused(bench: Bench) -> None:
    axi = master(bench)
    await write(axi, contract.WINDOW_FIRST.address, 0xAABBCCDD)
    response = await axi.write(4 * contract.WINDOW_FIRST.address + 1, b"\x00")
    assert response.resp == AxiResp.SLVERR
    assert await read(axi, contract.WINDOW_FIRST.address) == 0xAABBCCDD
    response = await axi.write(4 * contract.WINDOW_FIRST.address, bytes(4))
    assert response.resp == AxiResp.OKAY


@testbench(cycle_limit=2_000)
async def table_serves_the_decoder(bench: Bench) -> None:
    axi = master(bench)
    for slot in range(bench.parameters["slots"]):
        precision = Precision(slot % 17, (slot * 3) % 17, (slot * 5) % 17)
        await write(axi, contract.TABLE_BASE + slot, contract.encode_precision(precision))
    for slot in range(bench.parameters["slots"]):
        bench.dut.slot.value = slot
        await bench.cycles(2)
        entry = int(bench.dut.entry.value)
        bits = [(entry >> (5 * operand)) & 31 for operand in range(3)]
        await bench.cycles(1)
        assert bits == [slot % 17, (slot * 3) % 17, (slot * 5) % 17]


@testbench(cycle_limit=2_000)
async def control_and_status(bench: Bench) -> None:
    axi, dut = master(bench), bench.dut
    pulses = {"start": 0, "reset": 0}

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clk)
            for name in pulses:
                pulses[name] += int(getattr(dut, name).value)

    cocotb.start_soon(watch())
    control = contract.CONTROL.address
    await write(axi, control, contract.START.insert(1))
    assert pulses == {"start": 0, "reset": 0}, "START while not idle"
    dut.idle.value = 1
    await write(axi, control, contract.START.insert(1))
    await bench.cycles(2)
    assert pulses == {"start": 1, "reset": 0}
    await write(axi, control, contract.START.insert(1) | contract.RESET.insert(1))
    await bench.cycles(2)
    assert pulses == {"start": 1, "reset": 1}, "RESET beside START"
    dut.done.value, dut.failed.value, dut.draining.value = 1, 1, 1
    dut.cause.value, dut.fault_index.value = 7, 0xDEAD
    status = await read(axi, contract.STATUS.address)
    fields = (contract.IDLE, contract.DONE, contract.FAULT, contract.DRAINING, contract.CAUSE)
    assert [field.extract(status) for field in fields] == [1, 1, 1, 1, 7]
    assert await read(axi, contract.FAULT_INDEX.address) == 0xDEAD


@testbench(cycle_limit=2_000)
async def interrupts(bench: Bench) -> None:
    axi, dut = master(bench), bench.dut
    dut.attention.value = 1
    await bench.cycles(1)
    dut.attention.value = 0
    assert await read(axi, contract.INTERRUPT.address) == 1
    assert int(dut.interrupt.value) == 0
    await write(axi, contract.INTERRUPT_ENABLE.address, 1)
    await bench.cycles(2)
    assert int(dut.interrupt.value) == 1
    await write(axi, contract.INTERRUPT.address, 0)
    await bench.cycles(2)
    assert int(dut.interrupt.value) == 1
    await write(axi, contract.INTERRUPT.address, 1)
    await bench.cycles(2)
    assert int(dut.interrupt.value) == 0
    assert await read(axi, contract.INTERRUPT.address) == 0


async def _count(bench: Bench, cycles: int) -> dict[tuple[Tag, int], int]:
    """Random events, mostly the same as in the cycle before; what should have been counted."""
    expected: dict[tuple[Tag, int], int] = {}
    dut, random = bench.dut, bench.random
    sizes = {6: bench.parameters["word_bytes"], 7: bench.parameters["block_bytes"]}
    tag, number = Tag.OTHER, 0
    for _ in range(cycles):
        if random.random() < 0.3:
            tag, number = random.choice(list(Tag)), random.randrange(6)
        valid = random.random() < 0.9
        dut.cycle.value = valid | number << 1 | tag << 4
        if valid:
            expected[tag, number] = expected.get((tag, number), 0) + 1
        for name, counter in (("read", 6), ("written", 7)):
            valid, its_tag = random.random() < 0.5, random.choice(list(Tag))
            getattr(dut, name).value = valid | its_tag << 1
            if valid:
                expected[its_tag, counter] = expected.get((its_tag, counter), 0) + sizes[counter]
        await RisingEdge(dut.clk)
    for name in ("cycle", "read", "written"):
        getattr(dut, name).value = 0
    await bench.cycles(3)
    return expected


@testbench(cycle_limit=20_000)
async def counters_count(bench: Bench) -> None:
    axi = master(bench)
    # The reset clears them, and an access waits for that; a program cannot start before.
    assert await read(axi, contract.COUNTERS[0].address(Tag.FORWARD)) == 0
    for _ in range(2):
        expected = await _count(bench, 500)
        for tag in Tag:
            for counter in contract.COUNTERS:
                address = counter.address(tag)
                low, high = await read(axi, address), await read(axi, address + 1)
                assert high << 32 | low == expected.get((tag, counter.number), 0)
        for counter in contract.VECTOR_COUNTERS:
            assert await read(axi, counter.address(Tag.OTHER)) == 0
        clear = contract.CLEAR_COUNTERS.insert(1)
        await write(axi, contract.CONTROL.address, clear)
        for tag in Tag:
            for counter in contract.COUNTERS:
                assert await read(axi, counter.address(tag)) == 0


@testbench(cycle_limit=2_000)
async def start_waits_for_cleared_counters(bench: Bench) -> None:
    """A program started by the same write is counted from its first cycle."""
    axi, dut = master(bench), bench.dut
    dut.idle.value = 1
    both = contract.CLEAR_COUNTERS.insert(1) | contract.START.insert(1)
    cocotb.start_soon(write(axi, contract.CONTROL.address, both))
    while not int(dut.start.value):
        await RisingEdge(dut.clk)
    dut.cycle.value = 1 | Tag.ERROR << 4
    await bench.cycles(1)
    dut.cycle.value = 0
    await bench.cycles(1)
    assert await read(axi, contract.COUNTERS[0].address(Tag.ERROR)) == 1
