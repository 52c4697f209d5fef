"""What the benches of both directions share: memories and monitors on all ports."""

from collections.abc import Callable

from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.parameters import Parameters
from tests.harness import Bench, StreamSink, StreamSource
from tests.harness.axi3_memory import OKAY, Axi3Memory, Storage
from tests.harness.axi3_monitor import Axi3Monitor, Burst
from tests.hw.machines import machine

WHOLE = (0, 0xFFFF_FFFF)


def machine_of(bench: Bench) -> Parameters:
    return machine(bench.parameters["preset"], **bench.parameters["changes"])


class Ports:
    """The ports of the design with a memory and a monitor each, and its faults as they come."""

    def __init__(
        self,
        bench: Bench,
        *,
        window: tuple[int, int] = WHOLE,
        watchdog: int = 0,
        stalls: str = "never",
        latency: tuple[int, int] = (2, 2),
        respond: Callable[[int], int] = lambda address: OKAY,
    ) -> None:
        self.bench, self.storage = bench, Storage()
        self.parameters = machine_of(bench)
        memory = self.parameters.memory
        names = [f"hp{number}__" for number in range(memory.ports)]
        self.memories = [
            Axi3Memory(
                bench.dut,
                name,
                self.storage,
                bench.random,
                stalls=stalls,
                latency=latency,
                respond=respond,
            ).start()
            for name in names
        ]
        self.monitors = [
            Axi3Monitor(bench.dut, name, outstanding=memory.outstanding, window=window).start()
            for name in names
        ]
        dut = bench.dut
        dut.window_first.value, dut.window_last.value = window
        dut.watchdog.value = watchdog
        dut.halt.value = dut.clear.value = 0

    @property
    def bursts(self) -> list[list[Burst]]:
        """All bursts so far, by port."""
        return [monitor.reads + monitor.writes for monitor in self.monitors]

    @property
    def burst_count(self) -> int:
        return sum(map(len, self.bursts))

    def finish(self) -> None:
        for monitor in self.monitors:
            monitor.finish()
        assert int(self.bench.dut.quiet.value)

    async def fault(self, limit: int = 2000) -> Fault:
        """Wait for a fault; raise ``halt`` in the cycle after it, as the engine does."""
        dut = self.bench.dut
        for _ in range(limit):
            await self.bench.cycles()
            if cause := int(dut.fault.value):
                dut.halt.value = 1
                await self.bench.cycles()
                assert int(dut.fault.value) == 0, "a fault lasts one cycle"
                return Fault(cause)
        raise AssertionError(f"no fault in {limit} cycles")

    async def clear(self, *streams: StreamSource | StreamSink) -> None:
        """Clear for a cycle; ``streams`` are reset by it as well."""
        dut = self.bench.dut
        dut.clear.value = 1
        await self.bench.cycles()
        for each in streams:
            each.abandon()
        dut.clear.value = dut.halt.value = 0
        await self.bench.cycles()

    async def quiet(self, limit: int = 2000) -> None:
        for _ in range(limit):
            await self.bench.cycles()
            if int(self.bench.dut.quiet.value):
                return
        raise AssertionError(f"not quiet after {limit} cycles")
