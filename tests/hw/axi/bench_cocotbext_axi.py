"""Runs inside the simulator: memories that somebody else wrote, cocotbext-axi's, behind the ports.

They speak AXI4 and check that ARLEN and AWLEN have 8 bits and the locks 1. In bursts that both know
AXI3 differs in nothing else that they look at; WID they ignore, it is the monitor that checks it.
"""

from random import Random
from unittest.mock import patch

import cocotb
from cocotbext.axi import AxiReadBus, AxiSlaveRead, AxiSlaveWrite, AxiWriteBus, MemoryRegion
from cocotbext.axi.axi_channels import AxiARSink, AxiAWSink

from fractrain.hw.flow.layouts import client_request, write_block
from tests.harness import STALLS, Bench, testbench
from tests.harness.axi3_monitor import Axi3Monitor
from tests.harness.stalls import stall_pattern
from tests.hw.axi.ports import machine_of

MEMORY_BYTES = 1 << 14


class ForeignPorts:
    """The design's ports on one memory of ``MEMORY_BYTES``, with our monitors."""

    def __init__(self, bench: Bench, stalls: str) -> None:
        self.bench, self.memory = bench, MemoryRegion(MEMORY_BYTES)
        self.memory[:] = bench.random.randbytes(MEMORY_BYTES)
        limits = machine_of(bench).memory
        self.monitors = []
        for number in range(limits.ports):
            for channel in self._serve(f"hp{number}_"):
                random = Random(bench.random.getrandbits(64))
                channel.set_pause_generator(stall_pattern(stalls, random))
            monitor = Axi3Monitor(
                bench.dut,
                f"hp{number}__",
                outstanding=limits.outstanding,
                window=(0, MEMORY_BYTES - 1),
            )
            self.monitors.append(monitor.start())
        bench.dut.window_last.value = MEMORY_BYTES - 1
        for name in ("window_first", "watchdog", "halt", "clear"):
            getattr(bench.dut, name).value = 0

    def _serve(self, prefix: str) -> list:
        """The channels of a memory on one port, which has reads or writes."""
        dut = self.bench.dut
        with (
            patch.dict(AxiARSink._signal_widths, arlen=4, arlock=2),
            patch.dict(AxiAWSink._signal_widths, awlen=4, awlock=2),
        ):
            if hasattr(dut, f"{prefix}_arvalid"):
                bus = AxiReadBus.from_prefix(dut, prefix)
                reads = AxiSlaveRead(bus, dut.clk, dut.rst, self.memory)
                reads.log.setLevel("WARNING")
                return [reads.ar_channel, reads.r_channel]
            bus = AxiWriteBus.from_prefix(dut, prefix)
            writes = AxiSlaveWrite(bus, dut.clk, dut.rst, self.memory)
            writes.log.setLevel("WARNING")
            return [writes.aw_channel, writes.w_channel, writes.b_channel]

    def random_run(self, size: int) -> tuple[int, int]:
        """Address and number of items of a run within the memory."""
        count = self.bench.random.randint(1, 20)
        return self.bench.random.randrange(MEMORY_BYTES // size - count) * size, count

    async def finish(self) -> None:
        while not int(self.bench.dut.quiet.value):
            await self.bench.cycles()
        for monitor in self.monitors:
            monitor.finish()


@testbench(cycle_limit=20_000)
@cocotb.parametrize(stalls=STALLS)
async def reads(bench: Bench, stalls: str) -> None:
    ports, size = ForeignPorts(bench, stalls), machine_of(bench).word_bytes
    requests = bench.source("requests", encode=lambda run: run)
    words = bench.sink("words", stalls=stalls)
    wanted = []
    for _ in range(30):
        address, count = ports.random_run(size)
        request = {"address": address, "words": count, "client": 1}
        requests.send(client_request().const(request).as_value().value)
        for place in range(address, address + count * size, size):
            data = int.from_bytes(ports.memory[place : place + size], "little")
            wanted.append(data | 1 << 8 * size)
    assert await words.receive(len(wanted)) == wanted
    await ports.finish()


@testbench(cycle_limit=20_000)
@cocotb.parametrize(stalls=STALLS)
async def writes(bench: Bench, stalls: str) -> None:
    ports, size = ForeignPorts(bench, stalls), machine_of(bench).block_bytes
    layout = write_block(8 * size)
    blocks = bench.source("blocks", stalls=stalls, encode=lambda block: block)
    wanted, written = bytearray(ports.memory[:]), set()
    for _ in range(40):
        address, count = ports.random_run(size)
        places = range(address, address + count * size, size)
        if not written.isdisjoint(places):
            continue  # in which order two writes to one place arrive, nobody says
        written.update(places)
        for place in places:
            data = bench.random.randbytes(size)
            wanted[place : place + size] = data
            fields = {"address": place, "data": int.from_bytes(data, "little")}
            blocks.send(layout.const(fields).as_value().value)
    await blocks.drained()
    while not int(bench.dut.idle.value):
        await bench.cycles()
    await ports.finish()
    assert ports.memory[:] == bytes(wanted)
