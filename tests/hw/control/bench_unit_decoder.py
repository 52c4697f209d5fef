"""Runs inside the simulator: the decoder of a machine with a vector unit, against the functional
machine's."""

import itertools
from collections import Counter
from collections.abc import Iterable
from random import Random

from cocotb.triggers import RisingEdge

from fractrain.hw.contract.commands import FIELDS, Fault, Opcode, Stage
from tests.harness import Bench, testbench
from tests.hw.control.bench_decoder import Driver
from tests.hw.control.random_commands import with_field
from tests.hw.control.unit_commands import (
    Entry,
    decoded,
    random_entry,
    random_word,
    task_fields,
)

ALL = Entry(8, 8, 8, 8, 8)


class Judge(Driver):
    """Gives the decoder one command after the other, and compares what becomes of each."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.started = False
        self.seen: Counter[tuple[Opcode, Fault]] = Counter()

    async def fill(self, entry: Entry = ALL) -> None:
        for slot in range(self.parameters.precision.slots):
            await self.set_entry(slot, entry)

    async def check(self, word: int, name: str = "") -> None:
        if not self.started:
            await self.start(1 << 30)
            self.started, self.index = True, 0
        fault, task = decoded(word, self.index, self.table, self.parameters)
        opcode = Opcode(word & 0xFF)
        self.seen[opcode, fault] += 1
        self.source.send(word)
        await self.source.drained()
        for _ in range(12):
            await RisingEdge(self.dut.clk)
        if task is None:
            assert self.faults == [(fault, self.index)], f"{name} {opcode.name}: {self.faults}"
            assert not any(sink.items for sink in self.sinks), name
            await self.reset()
            self.started = False
            return
        assert not self.faults, f"{name} {opcode.name}: {self.faults}"
        for stage, sink in enumerate(self.sinks):
            wanted = [task_fields(task, word)] if stage == task.stage else []
            assert self.matches(Stage(stage), wanted), f"{name} {opcode.name} at {stage}: {task}"
            sink.items.clear()
        self.index += 1


def commands() -> list[Opcode]:
    """All but END, behind which nothing is judged."""
    return [opcode for opcode in FIELDS if opcode is not Opcode.END]


def good(random: Random, judge: Judge, opcode: Opcode) -> int:
    """A command that is carried out with `ALL` everywhere."""
    table = [ALL] * judge.parameters.precision.slots
    while True:
        word = random_word(random, judge.parameters, opcode)
        fault, task = decoded(word, 0, table, judge.parameters)
        if task is not None and not getattr(task.command, "skipped", False):
            return word


@testbench(cycle_limit=2_000_000)
async def random_commands(bench: Bench) -> None:
    """Each command often, with every fault that it can have."""
    judge = Judge(bench)
    for slot in range(judge.parameters.precision.slots):
        await judge.set_entry(slot, random_entry(bench.random))
    for number in range(5_000):
        await judge.check(random_word(bench.random, judge.parameters, commands()[number % 21]))
        await judge.set_entry(
            bench.random.randrange(judge.parameters.precision.slots), random_entry(bench.random)
        )
    faults = (Fault.NONE, Fault.SLOT, Fault.COUNT)
    for opcode, fault in itertools.product(commands(), faults):
        assert judge.seen[opcode, fault], (opcode, fault)
    for opcode in commands():
        assert (judge.seen[opcode, Fault.PRECISION] > 0) == opcode.skips, opcode


@testbench(cycle_limit=1_000_000)
async def every_token_and_slot(bench: Bench) -> None:
    """All values of wait and signal; the first slot that does not exist in each slot field."""
    judge = Judge(bench)
    await judge.fill()
    slots = judge.parameters.precision.slots
    for opcode in commands():
        word = good(bench.random, judge, opcode)
        for name, value in itertools.product(("wait", "signal"), range(16)):
            await judge.check(with_field(word, opcode, name, value), f"{name} {value}")
        for name in ("slot", "kept_slot", "form_slot", "mask_slot"):
            if name in FIELDS[opcode]:
                for value in (slots - 1, slots, 255):
                    await judge.check(with_field(word, opcode, name, value), f"{name} {value}")
        for name, field in FIELDS[opcode].items():
            if field.count:
                await judge.check(with_field(word, opcode, name, 0), f"no {name}")


def cases() -> Iterable[tuple[Opcode, dict[str, int], dict[str, int]]]:
    """(command, fields, bits of the entry of its slot fields): small spaces, whole."""
    two = range(2)
    for kept in range(16):
        both = [{"inner": kept, "outer": 8}, {"inner": 8, "outer": kept}]
        for entry, kind in itertools.product(both, range(4)):
            yield Opcode.RECALL, {"kind": kind, "bits": 8}, entry
        for entry, a, b in itertools.product(both, two, two):
            yield Opcode.CHANNEL, {"backward": a, "end": b}, entry
            yield Opcode.APPLY, {"end": a}, entry
            yield Opcode.NORMALIZE, {"stashed": a}, entry
            yield Opcode.RECOMPUTE, {}, entry
            for c in two:
                names = ("normalized", "end", "stash_normalized")
                yield Opcode.FORM, dict(zip(names, (a, b, c), strict=True)), entry
    for bits in range(32):
        for kind in range(3):
            yield Opcode.RECALL, {"kind": kind, "bits": bits}, {}
        for kept, second in itertools.product(two, range(4)):
            fields = {"kept": kept, "second": second, "residual_bits": bits}
            yield Opcode.FORM, fields, {}
        for opcode in (Opcode.FORM, Opcode.RECOMPUTE):
            yield opcode, {}, {"activation": bits}
        for masked in two:
            for opcode in (Opcode.JOIN, Opcode.CARRY):
                yield opcode, {"masked": masked}, {"activation": bits}
    for opcode in FIELDS:
        for name in ("row_pixels", "earlier", "operand", "partner"):
            if name in FIELDS[opcode] and opcode is not Opcode.END:
                yield from ((opcode, {name: value}, {}) for value in range(4))
    for pixels in (0, 1, (1 << 17) - 1, 1 << 17, (1 << 17) + 1, (1 << 18) - 1):
        yield Opcode.CHANNEL, {"pixels": pixels}, {}


@testbench(cycle_limit=2_000_000)
async def small_spaces(bench: Bench) -> None:
    """Formats of x̂, residual bits, masks, codes and pixels, all of them."""
    judge = Judge(bench)
    await judge.fill()
    words = {opcode: good(bench.random, judge, opcode) for opcode in commands()}
    further = {"kept_slot": 3, "form_slot": 4, "mask_slot": 3}
    for opcode, fields, bits in cases():
        word = with_field(words[opcode], opcode, "slot", 1)
        for name, value in (further | fields).items():
            if name in FIELDS[opcode]:
                word = with_field(word, opcode, name, value)
        for slot in (3, 4):
            await judge.set_entry(slot, Entry(**(ALL.__dict__ | bits)))
        await judge.check(word, f"{fields} {bits}")


@testbench(cycle_limit=2_000_000)
async def bits_of_operands(bench: Bench) -> None:
    """0..31 bits of operand and partner: who is skipped, refused, or carried out for once."""
    judge = Judge(bench)
    await judge.fill()
    for opcode in commands():
        word = with_field(good(bench.random, judge, opcode), opcode, "slot", 1)
        for name in ("operand", "partner"):
            word = with_field(word, opcode, name, ("operand", "partner").index(name))
        for skipped in range(2 if "skipped" in FIELDS[opcode] else 1):
            if skipped:
                word = with_field(word, opcode, "skipped", 1)
            for bits in range(32):
                for entry in (Entry(bits, 8, 8), Entry(8, bits, 8), Entry(0, bits, 8)):
                    await judge.set_entry(1, entry)
                    await judge.check(word, f"{entry}")


@testbench(cycle_limit=20_000)
async def rate(bench: Bench) -> None:
    """A command in every so many cycles, each as late as all others of its kind."""
    judge = Judge(bench)
    await judge.fill()
    for opcode, more in ((Opcode.NARROW, 0), (Opcode.SET, 0), (Opcode.FORM, 1), (Opcode.JOIN, 1)):
        await judge.start(1000)
        further = more * bench.parameters["further"]
        interval = bench.parameters["interval"] + further
        latency = bench.parameters["latency"] + further
        judge.source.send(*[good(bench.random, judge, opcode)] * 20)
        handed: dict[str, list[int]] = {"commands": [], f"tasks__{opcode.stage.value}": []}
        for cycle in range(interval * 21 + latency):
            await RisingEdge(bench.dut.clk)
            for stream, cycles in handed.items():
                pair = (getattr(bench.dut, f"{stream}__{each}") for each in ("valid", "ready"))
                if all(int(each.value) for each in pair):
                    cycles.append(cycle)
        came, left = handed.values()
        assert came == [came[0] + interval * number for number in range(20)]
        assert left == [cycle + latency for cycle in came]
        await judge.reset()
