"""What is around a command of the vector stage that works on memory, and what it must leave there.

The unit is in Amaranth's simulator, behind a `WriteBehind`; memories and the ports to them are
here. `Surroundings.check` carries out the same command on the functional machine's memories.
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Command, Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import Record, pack_records
from fractrain.hw.flow.layouts import write_block
from fractrain.hw.vector.write_behind import WriteBehind
from fractrain.sim.functional.decoding import Task
from fractrain.sim.functional.fault import StageFault
from fractrain.sim.functional.vector_stage import VectorStage
from fractrain.sim.functional.words import ChipMemories, ExternalMemory
from tests.harness.simulation import Simulation, simulate
from tests.harness.stalls import stall_pattern
from tests.hw.machines import machine

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


def unit_machine(preset: str = "tiny", **changes: object) -> Parameters:
    """A machine with a small vector unit."""
    return machine(preset, array__spatial_bits=1, vector=VECTOR, **changes)


class Behind(wiring.Component):
    """The unit with a `WriteBehind` at its blocks."""

    def __init__(self, unit: wiring.Component, parameters: Parameters) -> None:
        self.unit, self.behind = unit, WriteBehind(parameters)
        members = {
            name: member
            for name, member in unit.signature.members.items()
            if name not in ("blocks", "settled")
        }
        layout = write_block(parameters.block_bits)
        super().__init__(
            {
                **members,
                "blocks": Out(stream.Signature(layout)),
                "writer_idle": In(1),
                "halt": In(1),
            }
        )
        self._names = list(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit, m.submodules.behind = self.unit, self.behind
        wiring.connect(m, self.unit.blocks, self.behind.i)
        wiring.connect(m, self.behind.blocks, wiring.flipped(self.blocks))
        m.d.comb += [
            self.unit.settled.eq(self.behind.settled),
            self.behind.writer_idle.eq(self.writer_idle),
            self.behind.halt.eq(self.halt),
        ]
        for name in self._names:
            inner, outer = getattr(self.unit, name), getattr(self, name)
            member = self.signature.members[name]
            if member.is_signature:
                wiring.connect(m, inner, wiring.flipped(outer))
            elif member.flow == In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)
        return m


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
    """Memories with random contents, as the unit sees them (``data``, ``chip``) and as the
    functional machine does (``reference``)."""

    parameters: Parameters
    seed: int = 0
    size: int = SIZE
    stalls: Stalls = field(default_factory=Stalls)
    bad_word: int | None = None
    """Number of the word whose answer is an error."""
    bad_block: int | None = None
    """Number of the block whose answer is an error."""

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.rng = rng
        self.data = rng.integers(256, size=self.size, dtype=np.uint8)
        self.chip = ChipMemories(self.parameters, rng)
        # what counts lies below what a memory's words can hold
        self.chip.unit.peaks[:] = rng.integers(1 << 40, size=len(self.chip.unit.peaks))
        self.written: list[int] = []
        self.words_read = 0
        self.faults: list[tuple[Fault, int]] = []
        """Of reader and writer."""
        self.own_faults: list[tuple[Fault, int]] = []
        """Of the unit."""
        self.cycles: list[int] = []
        """That each command took."""

    def put_record(self, record: Record, place: int, **fields: int) -> None:
        self.chip.unit.records[place] = pack_records(record, fields)[0]

    # -- the reference ----------------------------------------------------------------------

    def reference(self) -> tuple[VectorStage, ChipMemories, ExternalMemory]:
        chip = copy.deepcopy(self.chip)
        external = ExternalMemory(self.data.copy(), BASE, self.parameters)
        stage = VectorStage(self.parameters, chip, external)
        stage.rounding = (SEED, STEP)
        return stage, chip, external

    def run(
        self, unit: wiring.Component, items: list[tuple[Command, Task]], *, limit: int = 40_000
    ) -> None:
        """All commands, one behind the other, in the unit and in the functional machine; they must
        leave the same. The last may fault."""
        stage, chip, external = self.reference()
        fault = None
        for command, task in items:
            try:
                stage.run(task, command)
            except StageFault as found:
                fault = (found.fault, task.index)
                break
        errors = [each for each in (self.bad_word, self.bad_block) if each is not None]
        failing = fault is not None or errors

        async def body(simulation: Simulation) -> None:
            ports = Ports(simulation, self)
            for command, task in items:
                began = simulation.cycle
                if not await ports.carry_out(task_of(unit, command, task)):
                    break
                self.cycles.append(simulation.cycle - began)
            if failing:
                await ports.rest(200)

        simulate(Behind(unit, self.parameters), body, cycle_limit=limit, seed=self.seed)
        found = self.own_faults + self.faults
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


def task_of(unit: wiring.Component, command: Command, task: Task) -> dict[str, Any]:
    layout = unit.tasks.payload.shape()
    known = {"index": task.index, "bits": task.bits, "absent": int(task.absent)}
    return {
        name: known[name] if name in known else int(getattr(command, name))
        for name in layout.members
    }


class Ports:
    """Drives the ports that the unit has."""

    def __init__(self, simulation: Simulation, around: Surroundings) -> None:
        self.simulation, self.around = simulation, around
        stalls, self.random = around.stalls, simulation.random
        self.tasks = simulation.source("tasks")
        self.blocks = simulation.sink("blocks", stalls=stalls.blocks)
        self.unacknowledged: deque[tuple[int, int]] = deque()
        """Cycles in which a block was taken, and from which it is acknowledged."""
        self.dead_writer = self.dead_reader = False
        self.seen_blocks = self.first_written = 0
        members = simulation.component.signature.members
        self.parts: list[Any] = []
        if "reads" in members:
            self.parts.append(Staging(self))
        if "requests" in members:
            self.parts.append(Reader(self))
        if "record_reads" in members:
            self.parts.append(Records(self))
        if "peak_reads" in members:
            self.parts.append(PeakReads(self))
        simulation.set(writer_idle=1)

    async def carry_out(self, task: dict[str, Any]) -> bool:
        """Whether it ended; else it will not."""
        self.tasks.send(task)
        self.first_written = len(self.around.written)
        quiet = 0
        while True:
            ended = self.simulation.get("ended")
            if ended:
                assert not self.unacknowledged, "ended before memory has acknowledged"
                assert not self.dead_writer
            await self.cycle()
            if ended:
                return True
            if self.around.own_faults or self.around.faults:
                quiet += 1
                if quiet > 200:
                    return False

    async def rest(self, cycles: int) -> None:
        for _ in range(cycles):
            assert not self.simulation.get("ended"), "ended after a fault"
            await self.cycle()

    async def cycle(self) -> None:
        simulation, around, now = self.simulation, self.around, self.simulation.cycle
        fault = Fault(simulation.get("fault"))
        if fault is not Fault.NONE:
            around.own_faults.append((fault, simulation.get("index")))
        while self.unacknowledged and self.unacknowledged[0][1] <= now:
            self.unacknowledged.popleft()
        # low from the second cycle on
        busy = any(taken < now - 1 for taken, _ in self.unacknowledged)
        simulation.set(writer_idle=not busy and not self.dead_writer)
        for part in self.parts:
            part.before()
        await simulation.tick()
        for part in self.parts:
            part.after()
        for item in self.blocks.items[self.seen_blocks :]:
            self._write(now, int(item["address"]), int(item["data"]))
        self.seen_blocks = len(self.blocks.items)

    def _write(self, now: int, address: int, value: int) -> None:
        around, size = self.around, self.around.parameters.block_bytes
        last = max([now, *(until for _, until in self.unacknowledged)])
        self.unacknowledged.append((now, last + self.random.randint(*around.stalls.acknowledge)))
        if self.dead_writer:
            return
        offset = address - BASE
        number = len(around.written)
        if address % size or not 0 <= offset <= around.size - size or number == around.bad_block:
            cause = Fault.WINDOW
            if address % size:
                cause = Fault.ALIGNMENT
            elif number == around.bad_block:
                cause = Fault.WRITE_ERROR
            around.faults.append((cause, self.index))
            self.dead_writer = True
            return
        assert address not in around.written[self.first_written :], "a block twice"
        around.written.append(address)
        around.data[offset : offset + size] = np.frombuffer(
            value.to_bytes(size, "little"), np.uint8
        )

    @property
    def index(self) -> int:
        return self.simulation.get("index")


class Granting:
    """A port of reads: grants by a pattern, answers some cycles later, in order."""

    latency = 4

    def __init__(self, ports: Ports, reads: str) -> None:
        self.ports = ports
        self.sink = ports.simulation.sink(reads, stalls=ports.around.stalls.reads)
        self.due: deque[tuple[int, Any]] = deque()
        self.seen = 0

    def delay(self) -> int:
        return self.latency

    def before(self) -> None:
        now = self.ports.simulation.cycle
        there = bool(self.due) and self.due[0][0] <= now
        self.answer(self.due.popleft()[1] if there else None)

    def after(self) -> None:
        now = self.ports.simulation.cycle
        for item in self.sink.items[self.seen :]:
            self.due.append((now - 1 + self.delay(), item))
        self.seen = len(self.sink.items)

    def answer(self, place: Any) -> None:
        raise NotImplementedError


class Staging(Granting):
    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, "reads")

    def answer(self, place: Any) -> None:
        simulation = self.ports.simulation
        if place is not None:
            lines = self.ports.around.chip.unit.staging[2 * place : 2 * place + 2]
            simulation.set(pair=[_line(each) for each in lines])
        simulation.set(answer=place is not None)


def _line(values: np.ndarray) -> int:
    return int.from_bytes(values.astype("<i2").tobytes(), "little")


class PeakReads(Granting):
    """Peaks that are read, and cleared."""

    latency = 2

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, "peak_reads")

    def answer(self, place: Any) -> None:
        simulation, peaks = self.ports.simulation, self.ports.around.chip.unit.peaks
        if place is not None:
            simulation.set(peak=int(peaks[place["address"]]))
            assert place["clear"]
            peaks[place["address"]] = 0
        simulation.set(peak_answer=place is not None)


class Records(Granting):
    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, "record_reads")

    def answer(self, place: Any) -> None:
        simulation = self.ports.simulation
        if place is not None:
            record = self.ports.around.chip.unit.records[place]
            simulation.set(record=int.from_bytes(record.tobytes(), "little"))
        simulation.set(record_answer=place is not None)


class Reader:
    """Words in the order of the requests."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        stalls = ports.around.stalls
        self.sink = ports.simulation.sink("requests", stalls=stalls.requests)
        self.pattern = stall_pattern(stalls.words, ports.random)
        self.source = ports.simulation.source("words")
        self.due: deque[tuple[int, int]] = deque()
        self.seen = 0

    def before(self) -> None:
        if self.source._driving:
            assert self.ports.simulation.get("words", "ready"), "a word has to wait"
        around, now = self.ports.around, self.ports.simulation.cycle
        if self.due and self.due[0][0] <= now and self.source.drained and not next(self.pattern):
            if self.ports.dead_reader:
                return
            _, address = self.due.popleft()
            if around.words_read == around.bad_word:
                around.faults.append((Fault.READ_ERROR, self.ports.index))
                self.ports.dead_reader = True
                return
            around.words_read += 1
            size = around.parameters.word_bytes
            word = around.data[address - BASE :][:size]
            self.source.send(int.from_bytes(word.tobytes(), "little"))

    def after(self) -> None:
        around, now = self.ports.around, self.ports.simulation.cycle
        for item in self.sink.items[self.seen :]:
            address, words = int(item["address"]), int(item["words"])
            size = around.parameters.word_bytes
            offset = address - BASE
            inside = offset >= 0 and offset + size * words <= around.size
            if address % size or not inside:
                if not self.ports.dead_reader:
                    cause = Fault.ALIGNMENT if address % size else Fault.WINDOW
                    around.faults.append((cause, int(item["index"])))
                self.ports.dead_reader = True
                continue
            earliest = max([now, *(each for each, _ in self.due)])
            start = max(earliest, now + self.ports.random.randint(*around.stalls.latency))
            self.due.extend((start, address + size * number) for number in range(words))
        self.seen = len(self.sink.items)
