"""The whole engine inside the simulator: memory at its ports, software at its registers."""

from __future__ import annotations

from collections.abc import Callable

from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from fractrain.hw.contract import registers as contract
from fractrain.hw.contract.commands import Fault, Tag
from fractrain.hw.contract.parameters import Parameters, parse_parameters
from fractrain.hw.contract.precision import Precision
from tests.harness import Bench
from tests.harness.axi3_memory import OKAY, Axi3Memory, Storage
from tests.harness.axi3_monitor import Axi3Monitor
from tests.hw.engine.small_programs import PROGRAM_BASE, SLOT, WINDOW, Job

CYCLE_LIMIT = 10_000
"""More than any program here takes."""

STATUS_FIELDS = (contract.IDLE, contract.DONE, contract.FAULT, contract.DRAINING)


class Machine:
    """Drives registers as software would, and keeps a protocol monitor at every port."""

    def __init__(
        self,
        bench: Bench,
        *,
        stalls: str = "never",
        latency: tuple[int, int] = (5, 30),
        port_stalls: str = "never",
    ) -> None:
        self.bench, self.dut = bench, bench.dut
        self.parameters: Parameters = parse_parameters(bench.parameters["machine"])
        self.storage = Storage()
        self.respond: Callable[[int], int] = lambda address: OKAY
        ports = range(self.parameters.memory.ports)
        self.memories = [
            Axi3Memory(
                bench.dut,
                f"hp{port}__",
                self.storage,
                bench.random,
                stalls=stalls,
                latency=latency,
                respond=lambda address: self.respond(address),
            ).start()
            for port in ports
        ]
        self.monitors = [
            Axi3Monitor(
                bench.dut,
                f"hp{port}__",
                outstanding=self.parameters.memory.outstanding,
                window=WINDOW,
            ).start()
            for port in ports
        ]
        bus = AxiLiteBus.from_prefix(bench.dut, "axi_lite_")
        self.axi = AxiLiteMaster(bus, bench.dut.clk, bench.dut.rst)
        self.port = bench.sink("port", stalls=port_stalls)

    async def read(self, register: contract.Register | int) -> int:
        address = register if isinstance(register, int) else register.address
        return await self.axi.read_dword(4 * address)

    async def write(self, register: contract.Register | int, value: int) -> None:
        address = register if isinstance(register, int) else register.address
        await self.axi.write_dword(4 * address, value)

    async def status(self) -> dict[str, int]:
        word = await self.read(contract.STATUS)
        return {each.name: each.extract(word) for each in (*STATUS_FIELDS, contract.CAUSE)}

    async def set_slot(self, precision: Precision, slot: int = SLOT) -> None:
        await self.write(contract.TABLE_BASE + slot, contract.encode_precision(precision))

    async def prepare(self) -> None:
        """What software does once."""
        await self.write(contract.WINDOW_FIRST, WINDOW[0])
        await self.write(contract.WINDOW_LAST, WINDOW[1])
        await self.write(contract.INTERRUPT_ENABLE, 1)

    def fill(self, job: Job) -> None:
        """Put the job's tensors into memory, and spoil what it must write."""
        for base, data in job.memory.items():
            self._store(base, data)
        for base, data in job.expected.items():
            self._store(base, bytes(byte ^ 0xFF for byte in data))

    def _store(self, base: int, data: bytes) -> None:
        for offset in range(0, len(data), 8):
            chunk = data[offset : offset + 8].ljust(8, b"\0")
            self.storage.store(base + offset, int.from_bytes(chunk, "little"), 0xFF)

    async def start(
        self, words: list[int], *, address: int = PROGRAM_BASE, count: int = -1
    ) -> None:
        self._store(PROGRAM_BASE, b"".join(word.to_bytes(32, "little") for word in words))
        await self.write(contract.PROGRAM_ADDRESS, address)
        await self.write(contract.PROGRAM_COMMANDS, len(words) if count < 0 else count)
        await self.write(contract.INTERRUPT, 1)
        await self.write(contract.CONTROL, contract.START.insert(1))

    async def interrupt(self) -> None:
        for _ in range(CYCLE_LIMIT):
            if int(self.dut.interrupt.value):
                return
            await RisingEdge(self.dut.clk)
        raise AssertionError(f"no interrupt: {await self.status()}")

    async def run(self, job: Job) -> None:
        """Run a good job and check all that it must do."""
        self.fill(job)
        await self.set_slot(job.precision)
        await self.start(job.words())
        await self.interrupt()
        status = await self.status()
        assert status == {"IDLE": 1, "DONE": 1, "FAULT": 0, "DRAINING": 0, "CAUSE": 0}, (
            status,
            await self.read(contract.FAULT_INDEX),
        )
        self.check(job)

    def check(self, job: Job) -> None:
        for base, data in job.expected.items():
            found = self.storage.read(base, -(-len(data) // 8) * 8).to_bytes(
                -(-len(data) // 8) * 8, "little"
            )[: len(data)]
            assert found == data, f"at {base:#x}: {found.hex()} is not {data.hex()}"
        if job.port is not None:
            assert self._port_beats() == job.port.tolist()

    def _port_beats(self) -> list[list[int]]:
        count = self.parameters.results_per_beat
        beats = []
        for payload in self.port.items:
            raw = payload.to_bytes(6 * count + 1, "little")
            values = [raw[6 * i : 6 * i + 6] for i in range(count)]
            beats.append([int.from_bytes(each, "little", signed=True) for each in values])
        self.port.items.clear()
        return beats

    async def fails(self, fault: Fault, index: int | None) -> None:
        """The program that was started must stop with this."""
        await self.interrupt()
        status = await self.status()
        found = await self.read(contract.FAULT_INDEX)
        assert (status["FAULT"], status["DONE"], status["IDLE"]) == (1, 0, 0), status
        assert Fault(status["CAUSE"]) is fault, Fault(status["CAUSE"]).name
        assert index is None or found == index, (found, index)

    async def reset(self) -> None:
        """Soft reset, until a program may be started."""
        await self.write(contract.CONTROL, contract.RESET.insert(1))
        for _ in range(CYCLE_LIMIT // 10):
            status = await self.status()
            assert not status["FAULT"] and not status["DONE"]
            if status["IDLE"]:
                assert not status["DRAINING"]
                self.port.items.clear()
                return
        raise AssertionError(f"not idle after a reset: {status}")

    async def counters(self) -> dict[tuple[Tag, str], int]:
        found = {}
        for tag in Tag:
            for counter in contract.COUNTERS:
                address = counter.address(tag)
                low, high = await self.read(address), await self.read(address + 1)
                found[tag, counter.name] = high << 32 | low
        return found

    def finish(self) -> None:
        for monitor in self.monitors:
            monitor.finish()


def job_seed(bench: Bench) -> int:
    return bench.random.getrandbits(32)
