"""Runs inside the simulator: the whole bare top, and software that knows nothing but GP0."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from fractrain.host.compiler import Step, compile_program
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract import registers as contract
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.parameters import parse_parameters
from fractrain.hw.contract.precision import Pass, Precision
from fractrain.hw.contract.registers import REGISTERS_BYTES
from fractrain.hw.targets.zynq import REGISTERS_BASE
from tests.harness import STALLS, Bench, testbench
from tests.harness.axi3_memory import DECERR, OKAY, SLVERR, Axi3Memory, Storage
from tests.harness.axi3_monitor import Axi3Monitor
from tests.host.compiler.running import expected, random_operands
from tests.hw.zynq.gp_master import FIXED, WRAP, GpAccess, GpMaster
from tests.hw.zynq.gp_monitor import GpMonitor

HP_BURSTS = 8
"""Bursts of each direction that an HP port takes before it has answered the first of them: here
never more, so that it is the port that holds the engine back, and not the engine itself."""
BUFFER = 0x1000_0000
SLOT = 2
CYCLE_LIMIT = 60_000
SETTINGS = (contract.WINDOW_FIRST, contract.WINDOW_LAST, contract.PROGRAM_ADDRESS)


class Software:
    """A processing system: DDR behind the HP ports, a processor that reads and writes registers,
    and a monitor at every port."""

    def __init__(self, bench: Bench, *, stalls: str = "never") -> None:
        self.bench = bench
        self.parameters = parse_parameters(bench.parameters["machine"])
        self.storage = Storage()
        self.respond = lambda address: OKAY
        names = [f"hp{number}__" for number in range(self.parameters.memory.ports)]
        self.memories = [
            Axi3Memory(
                bench.dut,
                name,
                self.storage,
                bench.random,
                stalls=stalls,
                latency=(20, 60),
                accepts=HP_BURSTS,
                respond=lambda address: self.respond(address),
            ).start()
            for name in names
        ]
        self.master = GpMaster(bench.dut, "gp0__", bench.random, stalls=stalls).start()
        outstanding = self.parameters.memory.outstanding
        self.monitors = [
            GpMonitor(bench.dut, "gp0__").start(),
            *(Axi3Monitor(bench.dut, name, outstanding=outstanding).start() for name in names),
        ]

    async def write(self, register: contract.Register | int, *values: int) -> None:
        """``values`` to that register and those that follow, in one burst."""
        assert await self.master.write(_address(register), *values, id=0x801) == OKAY

    async def read(self, register: contract.Register | int) -> int:
        answer = await self.master.read(_address(register), id=0x0C0)
        assert answer.responses == [OKAY]
        return answer.words[0]

    async def interrupt(self) -> None:
        for _ in range(CYCLE_LIMIT):
            if int(self.bench.dut.interrupt.value):
                return
            await RisingEdge(self.bench.dut.clk)
        raise AssertionError(f"no interrupt, STATUS {await self.read(contract.STATUS):#x}")

    async def start(self, first: int, size: int, program: int, commands: int) -> None:
        """The window, the program and the interrupt; then START."""
        await self.write(contract.WINDOW_FIRST, first, first + size - 1, program, commands)
        await self.write(contract.INTERRUPT, 1, 1)
        await self.write(contract.CONTROL, contract.START.insert(1))

    def finish(self) -> None:
        for monitor in self.monitors:
            monitor.finish()


def _address(register: contract.Register | int) -> int:
    return REGISTERS_BASE + 4 * (register if isinstance(register, int) else register.address)


@testbench(cycle_limit=80_000)
@cocotb.parametrize(stalls=STALLS)
async def runs_a_convolution(bench: Bench, stalls: str) -> None:
    """A compiled program by register writes alone, its results in memory as golden has them."""
    software = Software(bench, stalls=stalls)
    precision, stored = Precision(5, 3, 4), (6, 4)
    geometry = Geometry(2, 8, 8, (16, 16), (3, 3), 1, 1)
    step = Step(Pass.FORWARD, geometry, SLOT, "a", "w", "y", stored)
    program = compile_program(software.parameters, [step], BUFFER)
    operands = random_operands(program, np.random.default_rng(bench.random.getrandbits(32)))
    memory = program.pack(operands)
    for offset in range(0, len(memory), 8):
        word = int.from_bytes(memory[offset : offset + 8].tobytes().ljust(8, b"\0"), "little")
        software.storage.store(BUFFER + offset, word, 0xFF)
    assert await software.read(contract.ID) == contract.IDENTITY
    assert await software.read(contract.BUILD_HASH) == bench.parameters["build_hash"]
    await software.write(contract.TABLE_BASE + SLOT, contract.encode_precision(precision))
    await software.start(BUFFER, len(memory), program.program_address, len(program.commands))
    await software.interrupt()
    assert contract.DONE.extract(await software.read(contract.STATUS))
    await software.write(contract.INTERRUPT, 1)
    assert not int(bench.dut.interrupt.value)
    size = -(-len(memory) // 8) * 8
    after = software.storage.read(BUFFER, size).to_bytes(size, "little")[: len(memory)]
    results = program.unpack(np.frombuffer(after, np.uint8), {SLOT: precision})
    assert stalls != "never" or any(memory.full_cycles for memory in software.memories)
    wanted = expected(program, operands, {SLOT: precision})["y"]
    assert wanted is not None and np.array_equal(results["y"], wanted)
    software.finish()


@testbench(cycle_limit=60_000)
@cocotb.parametrize(stalls=STALLS)
async def registers_by_any_access(bench: Bench, stalls: str) -> None:
    """Bursts of all kinds, several under way, against a list of what the registers hold."""
    software, random = Software(bench, stalls=stalls), bench.random
    first = _address(SETTINGS[0])
    values = [0] * len(SETTINGS)
    for _ in range(25):
        accesses = []
        for _ in range(4):
            start = random.randrange(len(values))
            burst = random.choice([1, 1, FIXED, WRAP])
            beats = random.randint(1, len(values) - start) if burst == 1 else random.randint(1, 4)
            data = [random.getrandbits(32) for _ in range(beats)]
            strobes = [random.choice([0xF, 0xF, 0xF, 0, 0x3, 0x8]) for _ in range(beats)]
            access = GpAccess(
                first + 4 * start, beats, random.getrandbits(12), burst=burst,
                data=data, strobes=strobes, lead=random.choice([0, 5]),
            )  # fmt: skip
            accesses.append((software.master.send(access), start))
        for access, start in accesses:
            answer = await access.answer()
            whole = [each == 0xF for each in access.strobes]
            fine = access.burst != WRAP and all(whole)
            assert answer.responses == [OKAY if fine else SLVERR], access
            for number, value in enumerate(access.data):
                if whole[number] and access.burst != WRAP:
                    values[start + (0 if access.burst == FIXED else number)] = value
        answer = await software.master.read(first, len(values), id=random.getrandbits(12))
        assert (answer.words, answer.responses) == (values, [OKAY] * len(values))
    software.finish()


@testbench(cycle_limit=20_000)
@cocotb.parametrize(stalls=STALLS)
async def reads_and_writes_take_turns(bench: Bench, stalls: str) -> None:
    """While many of both kinds wait, neither is more than a few ahead of the other."""
    software, count = Software(bench, stalls=stalls), 60
    monitor, address = software.monitors[0], _address(contract.WINDOW_FIRST)
    assert isinstance(monitor, GpMonitor)
    for number in range(count):
        software.master.send(GpAccess(address, 1, data=[number]))
        software.master.send(GpAccess(address, 1))
    # what one of them may do while the other's channels stall, 40 cycles at most
    ahead = {"never": 1, "rare": 3, "random": 4, "bursts": 12}[stalls]
    while max(monitor.reads, monitor.writes) < count:
        await bench.cycles()
        assert abs(monitor.reads - monitor.writes) <= ahead, (monitor.reads, monitor.writes)
    await bench.cycles(1000)
    assert monitor.reads == monitor.writes == count
    software.finish()


@testbench(cycle_limit=20_000)
async def elsewhere_is_nothing(bench: Bench) -> None:
    """All of GP0 but 4 KB is answered with DECERR, and changes nothing."""
    software = Software(bench)
    window = (0x1234_5678, 0x2345_6789, 0x3456_789A)
    await software.write(SETTINGS[0], *window)
    offset = 4 * SETTINGS[0].address
    for bit in range(12, 30):
        address = REGISTERS_BASE ^ 1 << bit | offset
        assert await software.master.write(address, 0xFFFF_FFFF) == DECERR
        answer = await software.master.read(address, 3)
        assert (answer.words, answer.responses) == ([0] * 3, [DECERR] * 3)
    # a burst that runs beyond the last register
    answer = await software.master.read(REGISTERS_BASE + REGISTERS_BYTES - 8, 4)
    assert answer.responses == [OKAY, OKAY, DECERR, DECERR]
    answer = await software.master.read(_address(SETTINGS[0]), 3)
    assert tuple(answer.words) == window
    software.finish()


@testbench(cycle_limit=20_000)
@cocotb.parametrize(response=[SLVERR, DECERR])
async def error_of_memory(bench: Bench, response: int) -> None:
    """It stops the machine with an interrupt; a soft reset makes it idle again."""
    software = Software(bench)
    software.respond = lambda address: response
    await software.start(BUFFER, 4096, BUFFER, 4)
    await software.interrupt()
    status = await software.read(contract.STATUS)
    assert contract.FAULT.extract(status)
    assert contract.CAUSE.extract(status) == Fault.READ_ERROR
    await software.write(contract.CONTROL, contract.RESET.insert(1))
    while not contract.IDLE.extract(await software.read(contract.STATUS)):
        pass
    software.finish()


@testbench(cycle_limit=20_000)
async def reset_of_the_fabric(bench: Bench) -> None:
    """What FCLK_RESET0_N does: all registers at their first values, no access before its time."""
    software, dut = Software(bench), bench.dut
    await software.write(SETTINGS[0], 1, 2, 3)
    await bench.cycles(5)
    dut.rst.value = 1
    await bench.cycles(3)
    waiting = software.master.send(GpAccess(_address(SETTINGS[0]), 3))
    await bench.cycles(20)
    assert not waiting.responses, "answered while in reset"
    dut.rst.value = 0
    answer = await waiting.answer()
    assert (answer.words, answer.responses) == ([0] * 3, [OKAY] * 3)
    assert await software.read(contract.ID) == contract.IDENTITY
    software.finish()
