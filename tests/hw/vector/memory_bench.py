"""What is around a command of the vector stage that works on memory, and what it must leave there.

The unit is compiled, with its queues to memory; memories and the ports to them are here.
`Surroundings.run` carries out the same commands on the functional machine's memories.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
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
from tests.hw.vector.memory_ports import PARTS, SEED, STEP, Source, Writer
from tests.hw.verilator import Stepper, primitive_models

VECTOR = {
    "staging_words": 256,
    "side_words": 64,
    "side_bits": 8,
    "parameter_words": 64,
    "moment_words": 16,
    "peak_words": 48,
}
BASE, SIZE = 1 << 16, 1 << 17
QUIET_CYCLES = 200
"""After a fault, in which nothing may end."""


def unit_machine(preset: str = "tiny", **changes: object) -> Parameters:
    """A machine with a small vector unit."""
    return machine(preset, array__spatial_bits=1, vector=VECTOR, **changes)


# -- the design --------------------------------------------------------------------------------

PLACES = 16
"""Of `WriteBehind`: few, so that it is full now and then."""


def behind_members(parameters: Parameters) -> dict[str, wiring.Member]:
    return {
        "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
        "writer_idle": In(1),
        "halt": In(1),
    }


def connect_behind(m: Module, unit: Any, outer: Any, parameters: Parameters) -> None:
    """A `WriteBehind` between ``unit`` and `behind_members` of ``outer``."""
    m.submodules.behind = behind = WriteBehind(parameters, PLACES)
    wiring.connect(m, unit.blocks, behind.i)
    wiring.connect(m, behind.blocks, wiring.flipped(outer.blocks))
    m.d.comb += [
        unit.settled.eq(behind.settled),
        behind.writer_idle.eq(outer.writer_idle),
        behind.halt.eq(outer.halt),
    ]


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
        members |= behind_members(parameters)
        if "runs" in given:
            members |= {
                "requests": Out(stream.Signature(read_request())),
                "words": In(stream.Signature(8 * parameters.word_bytes)),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit
        connect_behind(m, unit, self, self.parameters)
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


def carry_out(
    design: Design, parameters: Parameters, commands: Sequence[Command], **around: Any
) -> Surroundings:
    """What is around ``design`` after ``commands``, none of which looks up its bits."""
    surroundings = Surroundings(parameters, **around)
    items = [(command, Task(index, command)) for index, command in enumerate(commands)]
    surroundings.run(design, items)
    return surroundings
