"""Runs inside the simulator: random good programs, and every fault, against the contract."""

from random import Random
from types import SimpleNamespace
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from fractrain.hw.contract.commands import ENGINE_OPCODES, ENGINE_STAGES, Fault, Opcode, Stage
from fractrain.hw.contract.parameters import Parameters, parse_parameters
from fractrain.hw.flow.parties import parties
from fractrain.hw.flow.tasks import stage_task
from tests.harness import STALLS, Bench, testbench
from tests.hw.control.random_commands import (
    OWNER,
    good_command,
    spoiled,
    task_of,
    verdict,
    with_field,
)


def machine_of(bench: Bench) -> Parameters:
    return parse_parameters(bench.parameters["machine"])


def random_entry(random: Random, top: int) -> Any:
    bits = [random.choice([0, 1, top, random.randint(1, top)]) for _ in range(3)]
    return SimpleNamespace(activation=bits[0], weight=bits[1], error=bits[2])


class Driver:
    """The decoder's surroundings: table, streams, faults seen."""

    def __init__(self, bench: Bench, stalls: str = "never") -> None:
        self.bench, self.dut = bench, bench.dut
        self.parameters = machine_of(bench)
        self.layout = stage_task(self.parameters)
        self.source = bench.source("commands", stalls=stalls)
        stages = parties(self.parameters).stages
        self.sinks = [bench.sink(f"tasks__{stage.value}", stalls=stalls) for stage in stages]
        self.faults: list[tuple[int, int]] = []
        for name in ("start", "running", "quiescent", "halt", "write"):
            getattr(self.dut, name).value = 0
        self.table: list[Any] = []
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            if fault := int(self.dut.fault.value):
                self.faults.append((fault, int(self.dut.index.value)))

    async def set_table(self, top: int | None = None) -> None:
        for slot in range(self.parameters.precision.slots):
            await self.set_entry(
                slot, random_entry(self.bench.random, top or self.parameters.precision.max_bits)
            )

    async def set_entry(self, slot: int, entry: Any) -> None:
        if slot == len(self.table):
            self.table.append(entry)
        self.table[slot] = entry
        self.dut.write.value, self.dut.write_slot.value = 1, slot
        kept = getattr(entry, "kept", 0)
        self.dut.write_entry.value = (
            entry.activation | entry.weight << 5 | entry.error << 10 | kept << 15
        )
        await RisingEdge(self.dut.clk)
        self.dut.write.value = 0

    async def start(self, total: int) -> None:
        self.dut.total.value = total
        self.dut.start.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.start.value, self.dut.running.value = 0, 1
        await RisingEdge(self.dut.clk)
        assert not int(self.dut.done.value)

    async def reset(self) -> None:
        """Soft reset, as the engine does it."""
        self.dut.running.value = 0
        self.dut.rst.value = 1
        await self.bench.cycles(2)
        self.dut.rst.value = 0
        await self.bench.cycles(1)
        self.faults.clear()
        for sink in self.sinks:
            sink.items.clear()

    def matches(self, stage: Stage, expected: list[dict[str, Any]]) -> bool:
        seen = [self.layout.from_bits(payload) for payload in self.sinks[stage].items]
        return len(seen) == len(expected) and all(
            getattr(task, name) == value
            for task, wanted in zip(seen, expected, strict=True)
            for name, value in wanted.items()
            if value is not None
        )


@testbench(cycle_limit=20_000)
@cocotb.parametrize(stalls=STALLS)
async def good_programs(bench: Bench, stalls: str) -> None:
    """All tasks in order at their stages; DONE after END, once everything has been idle."""
    driver = Driver(bench, stalls)
    await driver.set_table()
    for _ in range(2):
        opcodes = [bench.random.choice(list(OWNER)) for _ in range(80)]
        words = [good_command(bench.random, driver.parameters, opcode) for opcode in opcodes]
        words.append(good_command(bench.random, driver.parameters, Opcode.END))
        beyond = [bench.random.getrandbits(256) for _ in range(3)]
        await driver.start(len(words) + len(beyond))
        driver.source.send(*words, *beyond)
        await driver.source.drained()
        await bench.cycles(200)
        assert not driver.faults
        for stage in ENGINE_STAGES:
            expected = [
                task_of(word, index, driver.table, driver.parameters)
                for index, (word, opcode) in enumerate(zip(words, opcodes, strict=False))
                if OWNER[opcode] == stage
            ]
            assert driver.matches(stage, expected)
            driver.sinks[stage].items.clear()
        assert not int(bench.dut.done.value)
        bench.dut.quiescent.value = 1
        await bench.cycles(30)
        assert int(bench.dut.done.value) and int(bench.dut.idle.value)
        bench.dut.quiescent.value = 0
        bench.dut.running.value = 0


@testbench(cycle_limit=200_000)
async def every_fault(bench: Bench) -> None:
    """Commands with one thing wrong, each behind a good one, which is still passed on."""
    driver = Driver(bench)
    await driver.set_table()
    unknown = [each for each in Opcode if each not in ENGINE_OPCODES]
    cases = [(f"opcode {byte}", int(byte)) for byte in (0, *unknown, max(Opcode) + 1, 255)]
    for opcode in ENGINE_OPCODES:
        cases += spoiled(bench.random, driver.parameters, opcode)
    for name, word in cases:
        expected = verdict(word, driver.table, driver.parameters)
        assert expected is not Fault.NONE, name
        good = good_command(bench.random, driver.parameters, Opcode.LOAD)
        await driver.start(5)
        driver.source.send(good, word)
        await driver.source.drained()
        await bench.cycles(12)
        assert driver.faults == [(expected, 1)], f"{name}: {driver.faults}"
        assert [len(sink.items) for sink in driver.sinks] == [1, 0, 0], name
        await driver.reset()


@testbench(cycle_limit=20_000)
async def precision_out_of_range(bench: Bench) -> None:
    driver = Driver(bench)
    limit = driver.parameters.precision.max_bits
    for operand in range(3):
        driver.table.clear()
        await driver.set_table()
        bits = [limit + 1 if each == operand else limit for each in range(3)]
        await driver.set_entry(
            2, SimpleNamespace(activation=bits[0], weight=bits[1], error=bits[2])
        )
        for opcode, used in ((Opcode.STORE, operand), (Opcode.STORE, (operand + 1) % 3)):
            word = good_command(bench.random, driver.parameters, opcode)
            for name, value in (("slot", 2), ("operand", used), ("partner", used)):
                word = with_field(word, opcode, name, value)
            await driver.start(2)
            driver.source.send(word)
            await bench.cycles(20)
            assert driver.faults == ([(Fault.PRECISION, 0)] if used == operand else [])
            await driver.reset()
        word = good_command(bench.random, driver.parameters, Opcode.PATTERN)
        await driver.start(2)
        driver.source.send(with_field(word, Opcode.PATTERN, "slot", 2))
        await bench.cycles(20)
        assert not driver.faults
        await driver.reset()


@testbench(cycle_limit=20_000)
async def streams_without_end(bench: Bench) -> None:
    driver = Driver(bench)
    await driver.set_table()
    for count in (0, 1, 3):
        words = [good_command(bench.random, driver.parameters, Opcode.LOAD) for _ in range(count)]
        await driver.start(count)
        driver.source.send(*words)
        await bench.cycles(8 * count + 20)
        assert driver.faults == [(Fault.PROGRAM, count)]
        await driver.reset()


OLD = SimpleNamespace(activation=2, weight=3, error=5)
NEW = SimpleNamespace(activation=7, weight=11, error=13)
"""All digits differ, with 4 planes in one, too: nothing of one is taken for the other's."""
REWRITTEN = 5


async def sends(driver: Driver, opcode: Opcode, count: int = 6) -> list[int]:
    """``count`` random commands of the slot `REWRITTEN`, which has the `OLD` entry yet."""
    await driver.set_entry(REWRITTEN, OLD)
    words = []
    for _ in range(count):
        word = good_command(driver.bench.random, driver.parameters, opcode)
        operand = driver.bench.random.randrange(3)
        word = with_field(word, opcode, "operand", operand)
        word = with_field(word, opcode, "partner", (operand + 1) % 3)
        words.append(with_field(word, opcode, "slot", REWRITTEN))
    await driver.start(1000)
    driver.source.send(*words)
    return words


def decoded_old(driver: Driver, opcode: Opcode, words: list[int]) -> int:
    """How many of ``words`` were decoded with `OLD`; all others must be behind, and have `NEW`."""
    choices = []
    for entry in (OLD, NEW):
        table = [*driver.table]
        table[REWRITTEN] = entry
        choices.append(
            [task_of(word, index, table, driver.parameters) for index, word in enumerate(words)]
        )
    old, new = choices
    fits = [n for n in range(len(words) + 1) if driver.matches(OWNER[opcode], old[:n] + new[n:])]
    assert len(fits) == 1, fits
    return fits[0]


@testbench(cycle_limit=20_000)
@cocotb.parametrize(opcode=[opcode.value for opcode in OWNER if opcode != Opcode.PATTERN])
async def table_written_in_any_cycle(bench: Bench, opcode: int) -> None:
    """What has left keeps its bits, what has not come takes the new ones; none has some of both."""
    driver = Driver(bench)
    await driver.set_table()
    sink = driver.sinks[OWNER[Opcode(opcode)]]
    seen = set()
    for delay in range(16):
        transferred = driver.source.transferred
        words = await sends(driver, Opcode(opcode))
        await bench.cycles(delay)
        left = len(sink.items)
        await driver.set_entry(REWRITTEN, NEW)
        await bench.cycles(1)
        come = driver.source.transferred - transferred
        await driver.source.drained()
        await bench.cycles(12)
        old = decoded_old(driver, Opcode(opcode), words)
        assert left <= old <= come, (delay, left, old, come)
        seen.add(old)
        await driver.reset()
    assert {0, 1, 2, 3} <= seen


@testbench(cycle_limit=5_000)
@cocotb.parametrize(opcode=[opcode.value for opcode in OWNER if opcode != Opcode.PATTERN])
async def table_written_while_the_stage_is_full(bench: Bench, opcode: int) -> None:
    """A task that waits for its stage has its bits; the command behind it, which is held, has
    been looked up; all that the decoder has not taken obey the table as it is now."""
    driver = Driver(bench)
    await driver.set_table()
    sink = driver.sinks[OWNER[Opcode(opcode)]]
    sink.paused = True
    words = await sends(driver, Opcode(opcode))
    await bench.cycles(40)
    assert not sink.items
    come = driver.source.transferred
    assert come < len(words) - 1
    await driver.set_entry(REWRITTEN, NEW)
    await bench.cycles(20)
    sink.paused = False
    await driver.source.drained()
    await bench.cycles(12)
    assert decoded_old(driver, Opcode(opcode), words) == come
    assert not driver.faults


@testbench(cycle_limit=2_000)
async def rate(bench: Bench) -> None:
    """A command in every so many cycles, each as late as all others."""
    driver = Driver(bench)
    await driver.set_table()
    words = [good_command(bench.random, driver.parameters, Opcode.PATTERN) for _ in range(50)]
    await driver.start(1000)
    driver.source.send(*words)
    interval, latency = bench.parameters["interval"], bench.parameters["latency"]
    streams = ("commands", f"tasks__{OWNER[Opcode.PATTERN].value}")
    handed: dict[str, list[int]] = {stream: [] for stream in streams}
    for cycle in range(interval * (len(words) + 1) + latency):
        await RisingEdge(bench.dut.clk)
        for stream, cycles in handed.items():
            valid, ready = (getattr(bench.dut, f"{stream}__{each}") for each in ("valid", "ready"))
            if int(valid.value) and int(ready.value):
                cycles.append(cycle)
    came, left = handed.values()
    assert came == [came[0] + interval * number for number in range(len(words))]
    assert left == [cycle + latency for cycle in came]


@testbench(cycle_limit=2_000)
async def halts(bench: Bench) -> None:
    driver = Driver(bench)
    await driver.set_table()
    await driver.start(1000)
    bench.dut.halt.value = 1
    driver.source.send(good_command(bench.random, driver.parameters, Opcode.LOAD))
    await bench.cycles(30)
    assert not driver.sinks[Stage.FETCH].items
