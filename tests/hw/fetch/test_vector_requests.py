"""Which words the commands of the fetch stage ask for, straight from their contract."""

from random import Random

import pytest

from fractrain.hw.contract.commands import Fill, Load, Memory, Move, Recall, Recalled, Set
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.kinds import Kind
from fractrain.hw.fetch.vector_requests import VectorRequests
from fractrain.hw.flow.tasks import stage_task
from fractrain.sim.functional.decoding import Task
from tests.harness.simulation import Simulation, simulate
from tests.hw.fetch.unit_reference import encode_task, random_task
from tests.hw.machines import with_vector

PIECE = 32
Request = tuple[int, int]
"""Address, words."""


def requests(task: Task, p: Parameters) -> list[Request]:
    command, size = task.command, p.word_bytes
    if task.skip or isinstance(command, Move):
        return []
    if isinstance(command, Load):
        strides = command.digit_stride, command.run_stride
        places = [(d, r) for d in range(task.bits) for r in range(command.runs)]
        return [
            (command.address + size * (d * strides[0] + r * strides[1]), command.words)
            for d, r in places
        ]
    if isinstance(command, Set):
        pieces = range(0, command.words, PIECE)
        return [(command.address + size * i, min(PIECE, command.words - i)) for i in pieces]
    if isinstance(command, Fill):
        each = p.line_bytes // size
        places = [(r, i) for r in range(command.runs) for i in range(0, command.lines, PIECE)]
        return [
            (
                command.address + p.line_bytes * (r * command.run_stride + i),
                each * min(PIECE, command.lines - i),
            )
            for r, i in places
        ]
    assert isinstance(command, Recall)
    bits = command.bits if command.kind is Recalled.RESIDUAL else task.kept and task.kept.bits
    assert bits
    planes = [*range(bits), *([command.mask_plane] if command.masked else [])]
    return [
        (command.address + size * (q * command.plane_stride + g * command.group_stride + b), 1)
        for g in range(command.channel_groups)
        for b in range(command.blocks)
        for q in planes
    ]


def entry(task: Task, p: Parameters) -> dict[str, object]:
    kind = Kind[type(task.command).__name__.upper()]
    return {"task": stage_task(p).from_bits(encode_task(task, p)), "kinds": 1 << kind.value}


def large(index: int) -> list[Task]:
    """The longest loops that fields can say, as far as a test can wait for them."""
    fill = Fill(address=0x1000, runs=255, lines=33, run_stride=(1 << 24) - 1)
    recall = Recall(
        kind=Recalled.RESIDUAL,
        bits=8,
        masked=True,
        mask_plane=31,
        plane_stride=(1 << 22) + 5,
        group_stride=(1 << 20) + 3,
        channel_groups=20,
        address=64,
    )
    return [Task(index, fill, 8, 8), Task(index + 1, recall, 8, 8)]


def beyond(p: Parameters, wanted: list[Request]) -> list[Request]:
    """As the reader sees them: an address that does not fit is at the end, and reaches beyond."""
    last, most = (1 << 32) - p.word_bytes, (1 << 12) - 1
    return [
        (address, words) if address < 1 << 32 else (last | address % p.word_bytes, most)
        for address, words in wanted
    ]


@pytest.mark.parametrize("preset", ["tiny", "zc706"])
@pytest.mark.parametrize("stalls", ["never", "random"])
def test_requests(preset: str, stalls: str) -> None:
    p, draw = with_vector(preset), Random(f"{preset} {stalls}")
    small = with_vector(preset, vector__staging_words=101, vector__side_words=130)
    load = Load(
        slot=0,
        operand=1,  # type: ignore[arg-type]
        partner=0,  # type: ignore[arg-type]
        memory=Memory.PLANES,
        address=0x4000,
        runs=1,
        words=3,
        destination=0,
    )
    tasks = [Task(7, load, 1, 1)]
    tasks += [random_task(draw, small, index) for index in range(40)] + large(40)
    wanted = [(*each, t.index) for t in tasks for each in beyond(p, requests(t, p))]

    async def body(simulation: Simulation) -> None:
        sink = simulation.sink("requests", stalls=stalls)
        source = simulation.source("tasks", *(entry(task, p) for task in tasks))
        await simulation.until(lambda: len(sink.items) >= len(wanted))
        await simulation.tick(20)
        found = [(each.address, each.words, each.index) for each in sink.items]
        assert found == wanted
        if stalls == "never":
            first = source.transfers[0].cycle + VectorRequests.latency_cycles
            assert sink.cycles[0] == first
            # a cycle for each, and for each of the tasks without any
            idle = sum(not requests(task, p) for task in tasks)
            assert sink.cycles[-1] - first + 1 == len(wanted) + idle

    simulate(VectorRequests(p), body)
