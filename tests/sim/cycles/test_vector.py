"""The cycle model of a vector unit: work and bytes are those of the functional machine, whole
blocks come to their end, and time is not shorter than what takes it."""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from fractrain.hw.contract.commands import SIGNAL, WAIT, Command, End, Set, Shape, Stage
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.normalized import KeptBits
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cycles import Prediction, SecondMemory, predict
from fractrain.sim.functional import Order, RunResult
from fractrain.sim.memory_model import MemoryModel
from tests.sim.functional.blocks.backward_chunk import BackwardChunk
from tests.sim.functional.blocks.forward_chunk import ForwardChunk
from tests.sim.functional.blocks.machine_block import MachineBlock
from tests.sim.functional.blocks.reference import Case, Reference
from tests.sim.functional.blocks.tokens import Program
from tests.sim.functional.test_vector_blocks import SKIP, USUAL, P, two_in_flight

IDEAL, DDR = MemoryModel.ideal(), MemoryModel.ddr(P)


def programs(block: MachineBlock) -> Iterator[Program]:
    """All of a step of one block, each knowing the shapes of the first."""
    yield block.beginning()
    for kind, late in ((ForwardChunk, 1), (BackwardChunk, 2)):
        program = Program()
        two_in_flight([kind(block, program, n) for n in range(len(block.chunks))], late)
        yield program
    yield block.ending()


def predicted(
    commands: Sequence[Command],
    table: Sequence[Precision],
    kept: Sequence[KeptBits],
    memory: MemoryModel = IDEAL,
) -> Prediction:
    return predict(P, commands, dict(enumerate(table)), memory, kept=dict(enumerate(kept)))


def work(run: RunResult) -> Mapping[str, int]:
    return {
        "BUSY": sum(run.passes.values()),
        "BYTES_READ": sum(run.bytes_read.values()),
        "BYTES_WRITTEN": sum(run.bytes_written.values()),
        "STASH_READ": sum(run.stash_read.values()),
        "STASH_WRITTEN": sum(run.stash_written.values()),
    }


@pytest.mark.parametrize("skipped", [False, True])
@pytest.mark.parametrize(("filters", "stride"), [(8, 1), (16, 2)])
def test_work_of_a_step(filters: int, stride: int, skipped: bool) -> None:
    """Of a block in three chunks, the last one short, on two memories."""
    table, kept = USUAL
    table = (table[0], SKIP if skipped else table[1], *table[2:])
    case = Case(5, 2, 8, filters, (8, 8), stride, table, kept)
    block = MachineBlock(P, Reference(case))
    shapes: list[Command] = []
    for program in programs(block):
        run = block.run(program, Order.FETCH_FIRST)
        commands = [*shapes, *program.commands()]
        fast, slow = (predicted(commands, table, kept, memory) for memory in (IDEAL, DDR))
        expected = work(run)
        stream = 32 * len(shapes)
        for found in (fast, slow):
            totals = {name: found.total(name) for name in expected}
            totals["BYTES_READ"] -= stream
            assert totals == expected
            assert found.cycles > max(found.total("BUSY"), found.total("VECTOR_BUSY"))
        assert slow.cycles >= fast.cycles
        shapes = shapes or [each for each in program.commands() if isinstance(each, Shape)]


def test_the_host_takes_its_time() -> None:
    """A token to the host, and one back, for which the fetch stage waits."""
    give = 1 << SIGNAL[Stage.VECTOR].index(Stage.HOST)
    wait = 1 << WAIT[Stage.FETCH].index(Stage.HOST)
    chunks: list[Command] = [Shape(entry=0, signal=give)] * 3
    commands = [*chunks, Set(address=0, wait=wait), End()]
    quick, slow = (predict(P, commands, {}, IDEAL, host_cycles=each) for each in (1000, 2000))
    assert slow.cycles == quick.cycles + 3 * 1000


def test_a_memory_of_its_own_for_the_stash() -> None:
    """What both have to move is less than what one had to."""
    table, kept = USUAL
    block = MachineBlock(P, Reference(Case(4, 2, 8, 8, (8, 8), 1, table, kept)))
    *_, forward, _, _ = programs(block)
    commands: list[Command] = [
        each for each in next(programs(block)).commands() if isinstance(each, Shape)
    ]
    commands += forward.commands()
    stash = min(each.region.address for each in block.stash.values())
    tables = dict(enumerate(table)), DDR
    one, two = (
        predict(P, commands, *tables, kept=dict(enumerate(kept)), second=second)
        for second in (None, SecondMemory(stash, DDR))
    )
    assert two.cycles < one.cycles
    assert two.total("STASH_WRITTEN") == one.total("STASH_WRITTEN")


def test_a_shape_that_was_not_written() -> None:
    table, kept = USUAL
    block = MachineBlock(P, Reference(Case(2, 2, 8, 8, (8, 8), 1, table, kept)))
    program = Program()
    two_in_flight([ForwardChunk(block, program, 0)], 1)
    with pytest.raises(ParameterError, match="one that a SHAPE has written"):
        predicted(program.commands(), table, kept)
