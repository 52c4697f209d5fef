"""Runs inside the simulator: the bridge between a processing system and cocotbext-axi's memory."""

from random import Random
from unittest.mock import patch

import cocotb
from cocotbext.axi import AxiBurstType, AxiBus, AxiLiteBus, AxiLiteRam, AxiMaster, AxiResp
from cocotbext.axi.axi_channels import AxiARSource, AxiAWSource

from fractrain.hw.contract.registers import REGISTERS_BYTES
from fractrain.hw.targets.zynq import REGISTERS_BASE
from tests.harness import STALLS, Bench, testbench
from tests.harness.stalls import stall_pattern
from tests.hw.zynq.gp_master import GpMaster
from tests.hw.zynq.gp_model import GpModel, random_access
from tests.hw.zynq.gp_monitor import GpMonitor


def registers(bench: Bench, stalls: str) -> AxiLiteRam:
    """Memory in place of the registers, all of whose channels stall on their own."""
    dut = bench.dut
    bus = AxiLiteBus.from_prefix(dut, "registers_")
    ram = AxiLiteRam(bus, dut.clk, dut.rst, size=REGISTERS_BYTES)
    for interface in (ram.write_if, ram.read_if):
        interface.log.setLevel("WARNING")
    for channel in (
        *(ram.write_if.aw_channel, ram.write_if.w_channel, ram.write_if.b_channel),
        *(ram.read_if.ar_channel, ram.read_if.r_channel),
    ):
        channel.set_pause_generator(stall_pattern(stalls, Random(bench.random.getrandbits(64))))
    return ram


@testbench(cycle_limit=60_000)
@cocotb.parametrize(stalls=STALLS)
async def mixes(bench: Bench, stalls: str) -> None:
    """Batches of writes that are all under way at once, and then of reads, against the model."""
    ram, model = registers(bench, stalls), GpModel()
    master = GpMaster(bench.dut, "gp__", bench.random, stalls=stalls).start()
    monitor = GpMonitor(bench.dut, "gp__").start()
    seen = set()
    for _ in range(15):
        writes = [master.send(random_access(bench.random, write=True)) for _ in range(8)]
        for access in writes:
            await access.answer()
            assert access.responses == [model.write(access)], access
        reads = [master.send(random_access(bench.random, write=False)) for _ in range(8)]
        for access in reads:
            await access.answer()
            assert (access.words, access.responses) == model.read(access), access
            seen.update(access.responses)
    assert ram.read(0, REGISTERS_BYTES) == bytes(model.memory)
    assert seen == {0, 2, 3}
    assert (monitor.reads, monitor.writes) == (15 * 8, 15 * 8)
    assert monitor.early > 10
    monitor.finish()


def foreign_master(bench: Bench, stalls: str) -> AxiMaster:
    """Somebody else's master: cocotbext-axi's, of which only AXI4's longer bursts and shorter lock
    are not AXI3's. It knows no WID; the bridge does not look at it."""
    dut = bench.dut
    with (
        patch.dict(AxiARSource._signal_widths, arlen=4, arlock=2),
        patch.dict(AxiAWSource._signal_widths, awlen=4, awlock=2),
    ):
        master = AxiMaster(AxiBus.from_prefix(dut, "gp_"), dut.clk, dut.rst, max_burst_len=16)
    for interface in (master.write_if, master.read_if):
        interface.log.setLevel("WARNING")
    for channel in (
        *(master.write_if.aw_channel, master.write_if.w_channel, master.write_if.b_channel),
        *(master.read_if.ar_channel, master.read_if.r_channel),
    ):
        channel.set_pause_generator(stall_pattern(stalls, Random(bench.random.getrandbits(64))))
    dut.gp__wid.value = 0
    return master


@testbench(cycle_limit=100_000)
@cocotb.parametrize(stalls=STALLS)
async def master_of_cocotbext_axi(bench: Bench, stalls: str) -> None:
    """Runs of bytes at any place, which it cuts into bursts, several at once."""
    registers(bench, stalls)
    master = foreign_master(bench, stalls)
    memory = bytearray(REGISTERS_BYTES)
    random = bench.random
    for _ in range(30):
        size, length = random.randint(0, 2), random.randint(1, 100)
        offset = random.randrange(REGISTERS_BYTES - length)
        data = random.randbytes(length)
        writing = await master.write(REGISTERS_BASE + offset, data, size=size)
        assert writing.resp == AxiResp.OKAY
        memory[offset : offset + length] = data
        length = random.randint(1, 100)
        offset = random.randrange(REGISTERS_BYTES - length)
        reads = [
            cocotb.start_soon(_read(master, REGISTERS_BASE + each, length, random.randint(0, 2)))
            for each in (offset, random.randrange(REGISTERS_BYTES - length))
        ]
        assert await reads[0] == memory[offset : offset + length]
        await reads[1]
    answer = await master.write(REGISTERS_BASE + REGISTERS_BYTES, bytes(4))
    assert answer.resp == AxiResp.DECERR
    wrapped = await master.read(REGISTERS_BASE, 16, burst=AxiBurstType.WRAP)
    assert wrapped.resp == AxiResp.SLVERR


async def _read(master: AxiMaster, address: int, length: int, size: int) -> bytes:
    answer = await master.read(address, length, size=size)
    assert answer.resp == AxiResp.OKAY
    return bytes(answer.data)
