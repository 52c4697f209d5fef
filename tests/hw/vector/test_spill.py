"""SPILL against the functional machine."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import Spill as SpillCommand
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from fractrain.hw.vector.spill import Spill
from tests.harness.stalls import STALLS
from tests.hw.machines import machine
from tests.hw.refusals import assert_refused
from tests.hw.vector.memory_bench import (
    BASE,
    SIZE,
    VECTOR,
    Design,
    Stalls,
    Surroundings,
    carry_out,
    unit_machine,
)

MACHINES = {8: unit_machine(), 16: unit_machine("zc706")}
WORDS = VECTOR["staging_words"]
HEADER = dict(slot=0, operand=Operand.ACTIVATION, partner=Operand.WEIGHT)


@functools.cache
def design(channels: int) -> Design:
    """The larger one with the multiplexers that the FPGA has."""
    p, primitives = MACHINES[channels], channels == 16
    return Design(Spill(p, primitives=primitives), p, f"spill_{channels}", primitives=primitives)


def spill_of(**fields: int) -> SpillCommand:
    return SpillCommand(**HEADER, **fields)


def run(p: Parameters, commands: list[SpillCommand], **around: object) -> Surroundings:
    return carry_out(design(p.block.channels), p, commands, **around)


@st.composite
def spills(draw: st.DrawFn, p: Parameters) -> SpillCommand:
    """Runs that do not overlap in memory."""
    runs, lines = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    stride = draw(st.integers(0, (WORDS - lines) // runs))
    source = draw(st.integers(0, WORDS - lines - stride * (runs - 1)))
    last = draw(st.booleans())
    if last:
        source = WORDS - lines - stride * (runs - 1)
    run_stride = draw(st.integers(lines, lines + 5))
    units = (SIZE - p.line_bytes * (run_stride * runs)) // p.block_bytes
    address = BASE + p.block_bytes * draw(st.integers(0, units))
    return spill_of(
        address=address,
        runs=runs,
        lines=lines,
        run_stride=run_stride,
        source=source,
        source_run_stride=stride,
    )


@pytest.mark.parametrize("channels", MACHINES)
@pytest.mark.parametrize("stalls", STALLS)
@settings(deadline=None, max_examples=5)
@given(data=st.data())
def test_lines(channels: int, stalls: str, data: st.DataObject) -> None:
    p = MACHINES[channels]
    commands = data.draw(st.lists(spills(p), min_size=1, max_size=3))
    each = Stalls(blocks=stalls, reads=data.draw(st.sampled_from(STALLS)))
    run(p, commands, seed=data.draw(st.integers(0, 1 << 20)), stalls=each)


def test_commands_follow_each_other() -> None:
    p = MACHINES[8]
    commands = [
        spill_of(address=BASE + 4096 * n, lines=n + 1, source=7 * n, runs=2, run_stride=9)
        for n in range(5)
    ]
    run(p, commands, stalls=Stalls(blocks="bursts", reads="random"))


@pytest.mark.parametrize("channels", MACHINES)
def test_a_block_a_cycle(channels: int) -> None:
    p = MACHINES[channels]
    found = run(p, [spill_of(address=BASE, lines=200)], stalls=Stalls(acknowledge=(1, 1)))
    blocks = 200 * p.line_bytes // p.block_bytes
    assert found.cycles[0] < blocks + 30


@pytest.mark.parametrize("channels", MACHINES)
@pytest.mark.parametrize("stalls", ["never", "bursts"])
def test_faults(channels: int, stalls: str) -> None:
    """Of the memory, beyond the staging memory, of the ports, beyond 32 bits; each after what was
    good before it."""
    p = MACHINES[channels]
    line = p.line_bytes
    each = Stalls(blocks=stalls, reads=stalls)
    good = spill_of(address=BASE, lines=4)
    top = (1 << 32) - line
    wrong = [
        spill_of(address=BASE, lines=3, source=WORDS - 2),
        spill_of(address=BASE, lines=WORDS, source=1),
        spill_of(address=BASE, lines=2, runs=3, run_stride=2, source=252, source_run_stride=2),
        spill_of(address=BASE, lines=1, runs=255, run_stride=1, source_run_stride=65535),
        spill_of(address=BASE + p.block_bytes // 2, lines=3),
        spill_of(address=BASE - line, lines=3),
        spill_of(address=BASE + SIZE - 2 * line, lines=3),
        spill_of(address=top, lines=3),
        spill_of(address=BASE, lines=1, runs=200, run_stride=(1 << 24) - 1),
    ]
    for command in wrong:
        found = run(p, [good, command], stalls=each)
        assert found.own_faults or found.faults


def test_what_fails_first_is_said() -> None:
    """A run beyond the window, then one beyond the staging memory: the first one's fault."""
    p = MACHINES[8]
    command = spill_of(
        address=BASE - p.line_bytes, runs=2, run_stride=1, source=0, source_run_stride=WORDS
    )
    found = run(p, [command])
    assert not found.own_faults


def test_errors_of_memory() -> None:
    for number in (0, 5):
        run(MACHINES[8], [spill_of(address=BASE, lines=9)], bad_block=number)


def test_refusals() -> None:
    assert_refused(lambda: Spill(machine("tiny")), "vector")


def test_random_contents_differ() -> None:
    """Lest the comparison be of nothing."""
    found = run(MACHINES[8], [spill_of(address=BASE, lines=4)])
    fresh = np.random.default_rng(0).integers(256, size=SIZE, dtype=np.uint8)
    assert not np.array_equal(found.data, fresh)
