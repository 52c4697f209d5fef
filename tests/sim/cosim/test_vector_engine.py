"""The RTL of a machine with a vector unit against the functional machine: every byte of memory, and
the counters that both have, of the programs of whole blocks and of a compiled step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator, open_accelerator
from fractrain.host.modelling.whole_steps import rated_memory
from fractrain.hw.contract.commands import (
    SIGNAL,
    WAIT,
    Channel,
    Command,
    End,
    Fault,
    Fill,
    Form,
    Headed,
    Join,
    Normalize,
    Pattern,
    Quantize,
    Recall,
    Recalled,
    Report,
    Set,
    Shape,
    Spill,
    Stage,
    Tag,
    Update,
    encode_all,
    opcode_of,
)
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.precision import Operand, Precision
from fractrain.sim.cosim.convolution import ConvolutionSimulation
from fractrain.sim.cosim.convolution_faults import BusFaults, ErrorRegion
from fractrain.sim.cycles.commands import UNIT_QUEUE_SLACK
from fractrain.sim.functional import Order, RunResult
from fractrain.sim.memory_model import MemoryModel
from tests.host.compiler.whole_step.running import BASE, Stepped
from tests.host.compiler.whole_step.test_steps import HALVED, A, B, step
from tests.sim.cosim.unit_programs import read_counters, run_program, set_tables, soft_reset
from tests.sim.cosim.vector_engine import P
from tests.sim.functional.blocks.backward_chunk import BackwardChunk
from tests.sim.functional.blocks.forward_chunk import ForwardChunk
from tests.sim.functional.blocks.machine_block import MachineBlock
from tests.sim.functional.blocks.reference import Case, Reference
from tests.sim.functional.blocks.tokens import Program
from tests.sim.functional.limits import EVEN, ends
from tests.sim.functional.test_vector_blocks import SKIP, USUAL, two_in_flight

MEMORY_BYTES = 1 << 24
SLOW = 0.4
"""GB/s: an eighth of what a SPILL makes, and less."""
PROGRAM = 1 << 20
ENDS = ends(P)


@pytest.fixture(scope="module")
def machine() -> Iterator[ConvolutionSimulation]:
    with ConvolutionSimulation(P, memory_bytes=MEMORY_BYTES) as found:
        yield found


def check_counters(machine: ConvolutionSimulation, wanted: RunResult) -> None:
    """Passes, lines and bytes; cycles of channels and stalls are the RTL's own."""
    counters = read_counters(machine)
    for name, counts in (
        ("BUSY", wanted.passes),
        ("BYTES_READ", wanted.bytes_read),
        ("BYTES_WRITTEN", wanted.bytes_written),
        ("VECTOR_BUSY", wanted.lines),
        ("STASH_READ", wanted.stash_read),
        ("STASH_WRITTEN", wanted.stash_written),
    ):
        found = {tag: counters[tag, name] for tag in Tag}
        assert found == {tag: counts.get(tag, 0) for tag in Tag}, name


def clear_peaks(machine: ConvolutionSimulation) -> None:
    """As REPORT does."""
    assert P.vector is not None
    blocks = 8 * P.vector.peak_words // P.block_bytes
    words = encode_all([Report(address=0, blocks=blocks), End()])
    machine.memory[PROGRAM:][: words.size] = words.reshape(-1)
    assert run_program(machine, PROGRAM, len(words)).fault is Fault.NONE


class Twin:
    """A block on both machines."""

    def __init__(self, machine: ConvolutionSimulation, case: Case) -> None:
        self.machine, self.block = machine, MachineBlock(P, Reference(case))
        self.size = len(self.block.memory)
        clear_peaks(machine)
        machine.memory[: self.size] = self.block.memory
        unit = self.block.machine
        set_tables(machine, unit.table, unit.kept, unit.rounding)

    def run(self, program: Program) -> None:
        """On both: the same memory, the same counters."""
        place, words = self.block.program_region, encode_all(program.commands())
        wanted = self.block.run(program, Order.FETCH_FIRST)
        self.machine.memory[place.address :][: words.size] = words.reshape(-1)
        ended = run_program(self.machine, place.address, len(words))
        assert (ended.fault, ended.index) == (Fault.NONE, 0)
        np.testing.assert_array_equal(self.machine.memory[: self.size], self.block.memory)
        check_counters(self.machine, wanted)


@pytest.mark.parametrize("skipped", [False, True], ids=["", "skipped"])
@pytest.mark.parametrize(("filters", "stride"), [(8, 1), (16, 2)])
def test_blocks(machine: ConvolutionSimulation, filters: int, stride: int, skipped: bool) -> None:
    """Weights to planes, a block forward and back in chunks of which the last is short, its update;
    two chunks in flight."""
    table, kept = USUAL
    table = table[0], SKIP if skipped else Precision(4, 4, 6), *table[2:]
    twin = Twin(machine, Case(3, 2, 8, filters, (8, 8), stride, table, kept))
    block = twin.block
    numbers = range(len(block.chunks))
    twin.run(block.beginning())
    forward, backward = Program(), Program()
    two_in_flight([ForwardChunk(block, forward, n) for n in numbers], 1)
    twin.run(forward)
    two_in_flight([BackwardChunk(block, backward, n) for n in numbers], 2)
    twin.run(backward)
    twin.run(block.ending())


def check_fault(machine: ConvolutionSimulation, command: Headed, fault: Fault) -> None:
    """What ``command`` ends with, behind a SHAPE of one block."""
    set_tables(machine, [Precision(8, 8, 8)], [KeptBits(8, 8)], (0, 0))
    words = encode_all([Shape(entry=0), command, End()])
    machine.memory[PROGRAM:][: words.size] = words.reshape(-1)
    ended = run_program(machine, PROGRAM, len(words))
    assert (ended.fault, ended.index) == (fault, int(fault is not Fault.NONE))
    if fault is not Fault.NONE:
        soft_reset(machine)


@pytest.mark.parametrize(
    ("command", "name", "last"), ENDS, ids=[f"{type(c).__name__}-{n}" for c, n, _ in ENDS]
)
def test_the_ends_of_the_memories(
    machine: ConvolutionSimulation, command: Headed, name: str, last: int
) -> None:
    """Up to the last line, and not one past; after a reset the machine goes on."""
    for value, fault in ((last, Fault.NONE), (last + 1, Fault.ADDRESS), (last, Fault.NONE)):
        check_fault(machine, replace(command, **{name: value}), fault)


@pytest.mark.parametrize(
    ("command", "name"), EVEN, ids=[f"{type(c).__name__}-{n}" for c, n in EVEN]
)
def test_tensors_begin_with_an_even_line(
    machine: ConvolutionSimulation, command: Headed, name: str
) -> None:
    for value, fault in ((1, Fault.ADDRESS), (2, Fault.NONE)):
        check_fault(machine, replace(command, **{name: value}), fault)


IN_MEMORY: tuple[tuple[Headed, str], ...] = (
    (Recall(kind=Recalled.END, address=0), "address"),
    (Fill(address=0), "address"),
    (Set(address=0), "address"),
    (Channel(pixels=1, address=0), "address"),
    (Normalize(shape=0, stashed=True), "stash"),
    (Form(shape=0, stash_mask=True), "stash"),
    (Form(shape=0, pooled=True), "pool"),
    (Spill(address=0), "address"),
    (Report(address=0), "address"),
    (Quantize(operand=Operand.WEIGHT), "source"),
    (Quantize(operand=Operand.WEIGHT), "destination"),
    (Update(a_enable=True, velocity=1 << 12), "a_address"),
    (Update(a_enable=True), "velocity"),
)


@pytest.mark.parametrize(
    ("command", "name"), IN_MEMORY, ids=[f"{type(c).__name__}-{n}" for c, n in IN_MEMORY]
)
def test_what_memory_refuses(machine: ConvolutionSimulation, command: Headed, name: str) -> None:
    """Addresses beyond the window, and no multiples of a word or block."""
    for value, fault in ((MEMORY_BYTES, Fault.WINDOW), (8, Fault.ALIGNMENT)):
        check_fault(machine, replace(command, **{name: value}), fault)


LATER = [(c, n, last) for c, n, last in ENDS if opcode_of(c).stage is Stage.VECTOR]


@pytest.mark.parametrize(
    ("later", "name", "last"), LATER, ids=[f"{type(c).__name__}-{n}" for c, n, _ in LATER]
)
def test_a_write_on_its_way_is_refused_first(
    machine: ConvolutionSimulation, later: Headed, name: str, last: int
) -> None:
    """Memory is slow, so the last lines of a SPILL, which are beyond the window, are in the queue
    while the next command finds its own fault."""
    lines, beyond = 256, 32
    spill = Spill(address=MEMORY_BYTES - (lines - beyond) * P.line_bytes, lines=lines)
    bad = replace(later, **{name: last + 1})
    set_tables(machine, [Precision(8, 8, 8)], [KeptBits(8, 8)], (0, 0))
    words = encode_all([spill, Shape(entry=0), bad, End()])
    machine.memory[PROGRAM:][: words.size] = words.reshape(-1)
    try:
        machine.configure(rated_memory(P, SLOW))
        ended = run_program(machine, PROGRAM, len(words))
    finally:
        machine.configure(MemoryModel.ideal())
    assert (ended.fault, ended.index) == (Fault.WINDOW, 0)
    soft_reset(machine)
    check_fault(machine, bad, Fault.ADDRESS)


def test_a_bad_word_is_that_of_the_command_that_waits_for_it(
    machine: ConvolutionSimulation,
) -> None:
    """Words of the RECALL before it come faster than they are turned, and wait."""
    bad = 1 << 16
    recall = Recall(kind=Recalled.END, address=0, blocks=32)
    words = encode_all([recall, replace(recall, address=bad), End()])
    set_tables(machine, [Precision(8, 8, 8)], [KeptBits(8, 8)], (0, 0))
    machine.memory[PROGRAM:][: words.size] = words.reshape(-1)
    machine.inject(BusFaults((ErrorRegion(bad, bad + 7),)))
    ended = run_program(machine, PROGRAM, len(words))
    machine.inject(BusFaults())
    assert (ended.fault, ended.index) == (Fault.READ_ERROR, 1)
    soft_reset(machine)


HELD = P.queues.commands + UNIT_QUEUE_SLACK


@pytest.mark.parametrize(
    ("stage", "waits"),
    [
        (Stage.FETCH, Set(address=0)),
        (Stage.RESULT, Join(slot=1)),
        (Stage.EXECUTE, Pattern(entry=0)),
        (Stage.VECTOR, Form(shape=0, slot=1)),
    ],
    ids=lambda each: each.name if isinstance(each, Stage) else "",
)
def test_commands_behind_one_that_waits(
    machine: ConvolutionSimulation, stage: Stage, waits: Command
) -> None:
    """As many as the cycle model says have room, with the one that waits; with another one the
    command that gives the token does not come through."""
    giver = Stage.FETCH if stage is Stage.VECTOR else Stage.VECTOR
    given = 1 << SIGNAL[giver].index(stage)
    gives = Set(address=0, signal=given) if giver is Stage.FETCH else Shape(entry=0, signal=given)
    first = replace(waits, wait=1 << WAIT[stage].index(giver))
    set_tables(machine, [Precision(8, 8, 8), SKIP], [KeptBits(8, 8)] * 2, (0, 0))
    for count in (HELD, HELD + 1):
        words = encode_all([first, *[waits] * (count - 1), gives, End()])
        machine.memory[PROGRAM:][: words.size] = words.reshape(-1)
        if count == HELD:
            assert run_program(machine, PROGRAM, len(words)).fault is Fault.NONE
        else:
            with pytest.raises(AssertionError, match="no end within"):
                run_program(machine, PROGRAM, len(words), cycle_limit=2000)
            soft_reset(machine)


@pytest.fixture(scope="module")
def golden() -> Iterator[Accelerator]:
    with open_accelerator("golden") as accelerator:
        yield accelerator


class TwinStep(Stepped):
    """A compiled step, on the functional machine and then on the RTL. Pixels outside of pictures
    stay what they were, and are spilled with the others, so both begin with the same lines."""

    def run(self, order: Order = Order.FETCH_FIRST) -> RunResult:
        self.machine._chip.unit.staging[:] = 0
        return super().run(order)

    @staticmethod
    def clear_lines(machine: ConvolutionSimulation) -> None:
        assert P.vector is not None
        words = encode_all([Fill(address=0, lines=P.vector.staging_words), End()])
        machine.memory[: P.vector.staging_words * P.line_bytes] = 0
        machine.memory[PROGRAM:][: words.size] = words.reshape(-1)
        assert run_program(machine, PROGRAM, len(words)).fault is Fault.NONE

    def run_rtl(self, machine: ConvolutionSimulation) -> None:
        """Leaves what golden and the functional machine have left."""
        wanted = self.memory
        self.clear_lines(machine)
        self.memory = machine.memory[BASE:][: len(wanted)]
        self.memory[:] = self.filled()
        self.pack()
        set_tables(machine, self.machine.table, self.machine.kept, self.machine.rounding)
        compiled = self.compiled
        ended = run_program(
            machine, compiled.program_address, len(compiled.commands), host=self._host
        )
        assert (ended.fault, ended.index) == (Fault.NONE, 0)
        self.check()
        np.testing.assert_array_equal(self.memory, wanted)
        check_counters(machine, self.result)


def test_a_whole_step(machine: ConvolutionSimulation, golden: Accelerator) -> None:
    """Two stages, pictures whose rows do not fill blocks, the host's tokens: weights, momenta,
    moments, peaks and pooled sums are golden's."""
    TwinStep(step(golden, HALVED, (A, B), side=4, batch=3), P).run_rtl(machine)
