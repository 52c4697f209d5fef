"""Memory without bursts beside memory with them; the way back along what a program waited for."""

import functools

import pytest

from fractrain.host.compiler.whole_step import WholeStep, compile_whole_step
from fractrain.hw.contract.commands import opcode_of
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cycles import Prediction, predict
from fractrain.sim.cycles.critical_path import critical_path
from fractrain.sim.cycles.times import NEVER
from fractrain.sim.memory_model import MemoryModel
from tests.host.compiler.whole_step.test_steps import planned
from tests.host.compiler.whole_step.test_structure import graph

P, LOW = planned(), Precision(4, 4, 6)
CLOSE = 0.015
"""Of the cycles of a whole step of few images."""


@functools.cache
def compiled() -> WholeStep:
    return compile_whole_step(P, graph("resnet8", (LOW,), batch=4))


@functools.cache
def predicted(*, fluid: bool) -> Prediction:
    step = compiled()
    slots = len(step.memory.network.graph.slots)
    precisions, kept = step.tables([Precision(8, 8, 8)] + [LOW] * (slots - 1))
    return predict(
        P,
        step.commands,
        dict(enumerate(precisions)),
        MemoryModel.ddr(P),
        program_address=step.program_address,
        kept=dict(enumerate(kept)),
        fluid=fluid,
    )


def test_cycles_are_close_and_bytes_the_same() -> None:
    with_bursts, without = predicted(fluid=False), predicted(fluid=True)
    assert without.cycles == pytest.approx(with_bursts.cycles, rel=CLOSE)
    for name in ("BUSY", "BYTES_READ", "BYTES_WRITTEN", "STASH_READ", "STASH_WRITTEN"):
        assert without.total(name) == with_bursts.total(name)


@pytest.mark.parametrize("fluid", [False, True])
def test_times_of_commands(fluid: bool) -> None:
    """In the order of each stage; all have been carried out; bytes add up to those of counters."""
    found = predicted(fluid=fluid)
    last: dict[object, float] = {}
    for command, times in zip(compiled().commands[:-1], found.times[:-1], strict=True):
        stage = opcode_of(command).stage
        assert NEVER < times.queued <= times.ready <= times.begun <= times.ended <= found.cycles
        assert times.begun >= last.get(stage, 0.0)
        last[stage] = times.begun
    moved = sum(each.bytes_moved for each in found.times)
    names = ("BYTES_READ", "BYTES_WRITTEN", "STASH_READ", "STASH_WRITTEN")
    program = -(-len(compiled().commands) * 32 // P.word_bytes) * P.word_bytes
    assert moved + program == sum(map(found.total, names))


def test_the_way_back_covers_the_program() -> None:
    """Its parts follow one another from the end to the first command."""
    found = predicted(fluid=True)
    parts = critical_path(compiled().commands, found.times)
    assert parts[0].end == max(each.ended for each in found.times)
    for later, earlier in zip(parts, parts[1:], strict=False):
        assert earlier.end <= later.start
    covered = sum(each.end - each.start for each in parts)
    assert covered == pytest.approx(found.cycles, rel=0.01)
    for each in parts:
        assert opcode_of(compiled().commands[each.command]).stage is each.stage
