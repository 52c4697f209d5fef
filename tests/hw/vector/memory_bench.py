"""What is around a command of the vector stage that works on memory, and what it must leave there.

The unit is compiled, with its queues to memory; memories and the ports to them are here.
`Surroundings.run` carries out the same commands on the functional machine's memories.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
from amaranth.hdl import Const, Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Command, Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import Record, pack_records
from fractrain.hw.flow.layouts import read_request, write_block
from fractrain.hw.vector.random_bytes import RandomBytes
from fractrain.hw.vector.read_ahead import ReadAhead
from fractrain.hw.vector.write_behind import WriteBehind
from fractrain.sim.functional.decoding import Task
from fractrain.sim.functional.fault import StageFault
from fractrain.sim.functional.vector_stage import VectorStage
from fractrain.sim.functional.words import ChipMemories, ExternalMemory
from tests.harness.stalls import stall_pattern
from tests.hw.machines import machine
from tests.hw.vector.beats import ends_and_random
from tests.hw.verilator import Stepper, primitive_models

VECTOR = {
    "staging_words": 256,
    "side_words": 64,
    "side_bits": 8,
    "parameter_words": 64,
    "moment_words": 16,
    "peak_words": 48,
}
SEED, STEP = 0x1234_5678_9ABC_DEF, 0x2_3456_789A
BASE, SIZE = 1 << 16, 1 << 17
QUIET_CYCLES = 200
"""After a fault, in which nothing may end."""


def unit_machine(preset: str = "tiny", **changes: object) -> Parameters:
    """A machine with a small vector unit."""
    return machine(preset, array__spatial_bits=1, vector=VECTOR, **changes)


# -- the design --------------------------------------------------------------------------------


class WithQueues(wiring.Component):
    """The unit with its `WriteBehind`, and what else it takes of `ReadAhead` and `RandomBytes`."""

    INSIDE = (
        *("blocks", "settled", "runs", "weights"),
        *("key", "load", "counters", "random_valid", "random"),
    )

    def __init__(self, unit: wiring.Component, parameters: Parameters) -> None:
        self.unit, self.parameters = unit, parameters
        given = unit.signature.members
        members = {name: each for name, each in given.items() if name not in self.INSIDE}
        self._names = list(members)
        members |= {
            "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
            "writer_idle": In(1),
            "halt": In(1),
        }
        if "runs" in given:
            members |= {
                "requests": Out(stream.Signature(read_request())),
                "words": In(stream.Signature(8 * parameters.word_bytes)),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unit, behind = self.unit, WriteBehind(self.parameters)
        m.submodules.unit, m.submodules.behind = unit, behind
        wiring.connect(m, unit.blocks, behind.i)
        wiring.connect(m, behind.blocks, wiring.flipped(self.blocks))
        m.d.comb += [
            unit.settled.eq(behind.settled),
            behind.writer_idle.eq(self.writer_idle),
            behind.halt.eq(self.halt),
        ]
        if "runs" in unit.signature.members:
            m.submodules.ahead = ahead = ReadAhead(self.parameters)
            wiring.connect(m, unit.runs, ahead.runs)
            wiring.connect(m, ahead.o, unit.weights)
            wiring.connect(m, ahead.requests, wiring.flipped(self.requests))
            wiring.connect(m, wiring.flipped(self.words), ahead.words)
        if "counters" in unit.signature.members:
            m.submodules.random = random = RandomBytes()
            wiring.connect(m, unit.counters, random.counters)
            m.d.comb += [
                random.key.eq(unit.key),
                random.load.eq(unit.load),
                unit.random.eq(random.random),
                unit.random_valid.eq(random.valid),
            ]
        for name in self._names:
            inner, outer = getattr(unit, name), getattr(self, name)
            member = self.signature.members[name]
            if member.is_signature:
                wiring.connect(m, inner, wiring.flipped(outer))
            elif member.flow == In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)
        return m


class Design:
    """A unit with its queues, compiled; ``primitives``: it has instances of the 7 series."""

    def __init__(
        self, unit: wiring.Component, parameters: Parameters, name: str, *, primitives: bool = False
    ) -> None:
        self.component = self.around(unit, parameters)
        models = primitive_models() if primitives else ""
        self.stepper = Stepper(self.component, f"vector_memory_{name}", models=models)
        self.ports = {
            "__".join(map(str, path)): member.shape
            for path, member, _ in self.component.signature.flatten(self.component)
        }

    @staticmethod
    def around(unit: wiring.Component, parameters: Parameters) -> wiring.Component:
        return WithQueues(unit, parameters)

    def tasks_of(self, command: Command) -> str:
        """The stream of the tasks of ``command``."""
        return "tasks"

    def has(self, name: str) -> bool:
        return name in self.component.signature.members

    def set(self, name: str, value: Any) -> None:
        shape = self.ports[name]
        if isinstance(shape, data.Layout):
            value = Const.cast(shape.const(value)).value
        if name in self.stepper.inputs:  # not if the unit does not look at it
            self.stepper.set(**{name: value})

    def get(self, name: str) -> Any:
        shape, value = self.ports[name], self.stepper.get(name)
        return shape.from_bits(value) if isinstance(shape, data.Layout) else value


# -- what it does, and what it should ----------------------------------------------------------


@dataclass
class Stalls:
    """Patterns of each port: who grants or takes, and the memory's latencies in cycles."""

    blocks: str = "never"
    words: str = "never"
    requests: str = "never"
    reads: str = "never"
    acknowledge: tuple[int, int] = (1, 12)
    latency: tuple[int, int] = (3, 20)


@dataclass
class Surroundings:
    """Memories with random contents: as the unit leaves them."""

    parameters: Parameters
    seed: int = 0
    base: int = BASE
    size: int = SIZE
    stalls: Stalls = field(default_factory=Stalls)
    bad_word: int | None = None
    """Number of the word whose answer is an error."""
    bad_block: int | None = None
    """Number of the block whose answer is an error."""

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.data = self.rng.integers(256, size=self.size, dtype=np.uint8)
        self.chip = ChipMemories(self.parameters, self.rng)
        self.written: list[int] = []
        """Addresses of blocks."""
        self.words_read = 0
        self.faults: list[tuple[Fault, int]] = []
        """Of reader and writer."""
        self.own_faults: list[tuple[Fault, int]] = []
        """Of the unit."""
        self.cycles: list[int] = []
        """That each command took."""

    def put_record(self, record: Record, place: int, **fields: int) -> None:
        self.chip.unit.records[place] = pack_records(record, fields)[0]

    def put_numbers(self, address: int, size: int) -> None:
        """Numbers of 32 bits in ``size`` bytes, many around their ends and zero."""
        values = ends_and_random(self.rng, -(1 << 31), (1 << 31) - 1, size // 4)
        self.data[address - self.base :][:size] = values.astype("<i4").view(np.uint8)

    def run(
        self, design: Design, items: list[tuple[Command, Task]], *, limit: int = 40_000
    ) -> None:
        """All commands, one behind the other, in the unit and in the functional machine; they must
        leave the same. The last one may fault."""
        chip = copy.deepcopy(self.chip)
        external = ExternalMemory(self.data.copy(), self.base, self.parameters)
        stage = VectorStage(self.parameters, chip, external)
        stage.rounding = (SEED, STEP)
        fault = None
        for command, task in items:
            try:
                stage.run(task, command)
            except StageFault as found:
                fault = (found.fault, task.index)
                break
        self._play(design, items, limit)
        found = self.own_faults + self.faults
        errors = [each for each in (self.bad_word, self.bad_block) if each is not None]
        if fault is not None:
            assert found == [fault]
        elif errors:
            cause = Fault.WRITE_ERROR if self.bad_word is None else Fault.READ_ERROR
            assert found == [(cause, 0)]
        else:
            assert not found
            assert np.array_equal(self.data, external.data)
            assert np.array_equal(self.chip.unit.peaks, chip.unit.peaks)
            assert len(self.written) * self.parameters.block_bytes == external.bytes_written
            assert self.words_read * self.parameters.word_bytes == external.bytes_read

    def _play(self, design: Design, items: list[tuple[Command, Task]], limit: int) -> None:
        ports = Ports(design, self, limit)
        for command, task in items:
            began = ports.now
            name = design.tasks_of(command)
            layout = getattr(design.component, name).payload.shape()
            if not ports.carry_out(name, task_of(layout, command, task)):
                return
            self.cycles.append(ports.now - began)


def task_of(layout: data.StructLayout, command: Command, task: Task) -> dict[str, int]:
    known = {"index": task.index, "bits": task.bits, "absent": int(task.absent)}
    return {
        name: known[name] if name in known else int(getattr(command, name))
        for name in layout.members
    }


class Source:
    """Offers items to an input stream; what is on offer stays."""

    def __init__(self, design: Design, name: str, stalls: Iterator[bool]) -> None:
        self.design, self.name, self.stalls = design, name, stalls
        self.items: deque[Any] = deque()
        self.offered = False

    def before(self) -> None:
        if not self.offered and self.items and not next(self.stalls):
            self.offered = True
            self.design.set(f"{self.name}__payload", self.items[0])
        self.design.set(f"{self.name}__valid", self.offered)

    def after(self) -> None:
        if self.offered and self.design.get(f"{self.name}__ready"):
            self.items.popleft()
            self.offered = False


class Sink:
    """Takes from an output stream, and checks that what is on offer stays."""

    def __init__(self, design: Design, name: str, stalls: Iterator[bool]) -> None:
        self.design, self.name, self.stalls = design, name, stalls
        self.offered: Any = None
        self.taken: Any = None
        """In this cycle."""
        self.takes = False

    def before(self) -> None:
        self.takes = not next(self.stalls)
        self.design.set(f"{self.name}__ready", self.takes)

    def after(self) -> None:
        payload = None
        if self.design.get(f"{self.name}__valid"):
            payload = self.design.get(f"{self.name}__payload")
        assert self.offered is None or self.offered == payload, f"{self.name} changed its offer"
        self.taken = payload if self.takes else None
        self.offered = None if self.takes else payload


class Ports:
    """Drives the ports that the unit has, from power-up on."""

    def __init__(self, design: Design, around: Surroundings, limit: int) -> None:
        self.design, self.around, self.limit = design, around, limit
        self.random, self.now, self.index = Random(around.seed), 0, 0
        design.stepper.start()
        self.tasks: dict[str, Source] = {}
        self.writer = Writer(self)
        self.parts: list[Any] = [self.writer]
        for name, part in PARTS.items():
            if design.has(name):
                self.parts.append(part(self))
        self.ended = False

    def pattern(self, name: str) -> Iterator[bool]:
        return stall_pattern(name, Random(self.random.getrandbits(64)))

    def carry_out(self, name: str, task: dict[str, int]) -> bool:
        """Whether it ended; else it will not."""
        if name not in self.tasks:
            self.tasks[name] = Source(self.design, name, self.pattern("never"))
            self.parts.append(self.tasks[name])
        self.tasks[name].items.append(task)
        self.writer.begin()
        quiet = 0
        while quiet < QUIET_CYCLES:
            self.cycle()
            failed = bool(self.around.own_faults or self.around.faults)
            if self.ended:
                assert not failed, "ended after a fault"
                return True
            quiet += failed
        return False

    def cycle(self) -> None:
        design, around = self.design, self.around
        for part in self.parts:
            part.before()
        design.stepper.step()
        self.index = design.get("index")
        fault = Fault(design.get("fault"))
        if fault is not Fault.NONE:
            around.own_faults.append((fault, self.index))
        self.ended = bool(design.get("ended"))
        if self.ended:
            assert not self.writer.unacknowledged, "ended before memory has acknowledged"
        for part in self.parts:
            part.after()
        self.now += 1
        assert self.now < self.limit, f"not done after {self.limit} cycles"


class Writer:
    """Takes blocks into memory, and acknowledges them in order."""

    def __init__(self, ports: Ports) -> None:
        self.ports, self.around = ports, ports.around
        self.sink = Sink(ports.design, "blocks", ports.pattern(self.around.stalls.blocks))
        self.unacknowledged: deque[tuple[int, int]] = deque()
        """Cycles in which a block was taken, and from which it is acknowledged."""
        self.dead = False
        self.addresses: set[int] = set()
        """Of this command."""

    def begin(self) -> None:
        self.addresses = set()

    def before(self) -> None:
        now = self.ports.now
        while self.unacknowledged and self.unacknowledged[0][1] <= now:
            self.unacknowledged.popleft()
        # low from the second cycle on
        busy = any(taken < now - 1 for taken, _ in self.unacknowledged)
        self.ports.design.set("writer_idle", not busy and not self.dead)
        self.sink.before()

    def after(self) -> None:
        self.sink.after()
        if self.sink.taken is not None and not self.dead:
            self._write(int(self.sink.taken["address"]), int(self.sink.taken["data"]))

    def _write(self, address: int, value: int) -> None:
        around, now = self.around, self.ports.now
        size, offset = around.parameters.block_bytes, address - around.base
        until = now + self.ports.random.randint(*around.stalls.acknowledge)
        before = (each for _, each in self.unacknowledged)
        self.unacknowledged.append((now, max((until, *before))))
        cause = Fault.NONE
        if address % size:
            cause = Fault.ALIGNMENT
        elif not 0 <= offset <= around.size - size:
            cause = Fault.WINDOW
        elif len(around.written) == around.bad_block:
            cause = Fault.WRITE_ERROR
        if cause is not Fault.NONE:
            around.faults.append((cause, self.ports.index))
            self.dead = True
            return
        assert address not in self.addresses, "a block twice"
        self.addresses.add(address)
        around.written.append(address)
        octets = np.frombuffer(value.to_bytes(size, "little"), np.uint8)
        around.data[offset : offset + size] = octets


class Reader:
    """Words in the order of the requests; none may have to wait."""

    def __init__(self, ports: Ports) -> None:
        self.ports, self.around = ports, ports.around
        stalls = self.around.stalls
        self.sink = Sink(ports.design, "requests", ports.pattern(stalls.requests))
        self.stalls = ports.pattern(stalls.words)
        self.due: deque[tuple[int, int]] = deque()
        self.dead = self.offers = False

    def before(self) -> None:
        self.sink.before()
        around = self.around
        self.offers = False
        there = bool(self.due) and self.due[0][0] <= self.ports.now and not self.dead
        if there and not next(self.stalls):
            _, address = self.due.popleft()
            if around.words_read == around.bad_word:
                around.faults.append((Fault.READ_ERROR, self.ports.index))
                self.dead = True
            else:
                around.words_read += 1
                word = around.data[address - around.base :][: around.parameters.word_bytes]
                value = int.from_bytes(word.tobytes(), "little")
                self.ports.design.set("words__payload", value)
                self.offers = True
        self.ports.design.set("words__valid", self.offers)

    def after(self) -> None:
        assert not self.offers or self.ports.design.get("words__ready"), "a word has to wait"
        self.sink.after()
        if self.sink.taken is None or self.dead:
            return
        around, size = self.around, self.around.parameters.word_bytes
        address, words, index = (
            int(self.sink.taken[each]) for each in ("address", "words", "index")
        )
        offset = address - around.base
        if address % size or not 0 <= offset <= around.size - size * words:
            cause = Fault.ALIGNMENT if address % size else Fault.WINDOW
            around.faults.append((cause, index))
            self.dead = True
            return
        start = self.ports.now + self.ports.random.randint(*around.stalls.latency)
        self.due.extend((start, address + size * number) for number in range(words))


class Granting:
    """A port of reads: grants by a pattern, answers some cycles later, in order."""

    reads = ""
    latency = 4

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.sink = Sink(ports.design, self.reads, ports.pattern(ports.around.stalls.reads))
        self.due: deque[tuple[int, Any]] = deque()

    def before(self) -> None:
        self.sink.before()
        there = bool(self.due) and self.due[0][0] <= self.ports.now
        self.answer(self.due.popleft()[1] if there else None)

    def after(self) -> None:
        self.sink.after()
        if self.sink.taken is not None:
            self.due.append((self.ports.now + self.delay(), self.sink.taken))

    def delay(self) -> int:
        return self.latency

    def answer(self, place: Any) -> None:
        raise NotImplementedError


class Staging(Granting):
    reads = "reads"

    def answer(self, place: Any) -> None:
        if place is not None:
            lines = self.ports.around.chip.unit.staging[2 * place : 2 * place + 2]
            octets = [each.astype("<i2").tobytes() for each in lines]
            self.ports.design.set("pair", [int.from_bytes(each, "little") for each in octets])
        self.ports.design.set("answer", place is not None)


class PeakReads(Granting):
    """Peaks that are read, and cleared."""

    reads = "peak_reads"
    latency = 2

    def answer(self, place: Any) -> None:
        peaks = self.ports.around.chip.unit.peaks
        if place is not None:
            assert place["clear"]
            self.ports.design.set("peak", int(peaks[place["address"]]))
            peaks[place["address"]] = 0
        self.ports.design.set("peak_answer", place is not None)


class Records(Granting):
    reads = "record_reads"

    def answer(self, place: Any) -> None:
        if place is not None:
            record = self.ports.around.chip.unit.records[place]
            self.ports.design.set("record", int.from_bytes(record.tobytes(), "little"))
        self.ports.design.set("record_answer", place is not None)


class Gradients(Granting):
    """Beats of the gradient memory: some of them late, as the result stage has its turn first."""

    reads = "beat_reads"

    def delay(self) -> int:
        latest = max((cycle for cycle, _ in self.due), default=0)
        late = self.ports.random.choice((0, 0, 0, 9))
        return max(self.latency + late, latest + 1 - self.ports.now)

    def answer(self, place: Any) -> None:
        if place is not None:
            sums = self.ports.around.chip.gradients[place].tolist()
            self.ports.design.set("beat", [each for each in sums])
        self.ports.design.set("beat_answer", place is not None)


class Peaks:
    """Values that peaks are raised to, or grow by."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.sink = Sink(ports.design, "peaks", ports.pattern(ports.around.stalls.reads))

    def before(self) -> None:
        self.sink.before()

    def after(self) -> None:
        self.sink.after()
        given = self.sink.taken
        if given is not None:
            peaks, place, value = (
                self.ports.around.chip.unit.peaks,
                given["address"],
                given["value"],
            )
            old = int(peaks[place])
            peaks[place] = old + value & (1 << 64) - 1 if given["adds"] else max(old, value)


class Rounding:
    """Seed and step."""

    def __init__(self, ports: Ports) -> None:
        ports.design.set("seed", SEED)
        ports.design.set("step", STEP)

    def before(self) -> None:
        pass

    def after(self) -> None:
        pass


PARTS = {
    "reads": Staging,
    "requests": Reader,
    "record_reads": Records,
    "peak_reads": PeakReads,
    "beat_reads": Gradients,
    "peaks": Peaks,
    "seed": Rounding,
}
