"""REPORT against the functional machine."""

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.commands import Report as ReportCommand
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Operand
from fractrain.hw.vector.report import Report
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
WORDS = VECTOR["peak_words"]
HEADER = dict(slot=0, operand=Operand.ACTIVATION, partner=Operand.WEIGHT)


@functools.cache
def design(channels: int) -> Design:
    p = MACHINES[channels]
    return Design(Report(p), p, f"report_{channels}")


def report_of(**fields: int) -> ReportCommand:
    return ReportCommand(**HEADER, **fields)


def run(p: Parameters, commands: list[ReportCommand], **around: object) -> Surroundings:
    return carry_out(design(p.block.channels), p, commands, **around)


@st.composite
def reports(draw: st.DrawFn, p: Parameters) -> ReportCommand:
    each = p.block_bytes // 8
    blocks = draw(st.integers(1, WORDS // each))
    first = draw(st.integers(0, WORDS - blocks * each) | st.just(WORDS - blocks * each))
    place = draw(st.integers(0, SIZE // p.block_bytes - blocks))
    return report_of(address=BASE + p.block_bytes * place, first=first, blocks=blocks)


@pytest.mark.parametrize("channels", MACHINES)
@pytest.mark.parametrize("stalls", STALLS)
@settings(deadline=None, max_examples=5)
@given(data=st.data())
def test_peaks(channels: int, stalls: str, data: st.DataObject) -> None:
    p = MACHINES[channels]
    commands = data.draw(st.lists(reports(p), min_size=1, max_size=3))
    each = Stalls(blocks=stalls, reads=data.draw(st.sampled_from(STALLS)))
    run(p, commands, seed=data.draw(st.integers(0, 1 << 20)), stalls=each)


@pytest.mark.parametrize("channels", MACHINES)
def test_faults(channels: int) -> None:
    p = MACHINES[channels]
    each, size = p.block_bytes // 8, p.block_bytes
    good = report_of(address=BASE, first=1)
    wrong = [
        report_of(address=BASE, first=WORDS - each + 1),
        report_of(address=BASE, first=4095),
        report_of(address=BASE, blocks=WORDS // each + 1),
        report_of(address=BASE, blocks=4095),
        report_of(address=BASE + size // 2),
        report_of(address=BASE - size),
        report_of(address=BASE + SIZE - size, blocks=2),
        report_of(address=(1 << 32) - size, blocks=2),
    ]
    for command in wrong:
        found = run(p, [good, command], stalls=Stalls(blocks="random"))
        assert found.own_faults or found.faults


def test_nothing_is_read_before_a_fault_of_the_stage() -> None:
    p = MACHINES[8]
    found = run(p, [report_of(address=BASE, blocks=4095)])
    assert found.own_faults and not found.written
    assert (found.chip.unit.peaks != 0).all()


def test_errors_of_memory() -> None:
    run(MACHINES[8], [report_of(address=BASE, blocks=3)], bad_block=1)


def test_refusals() -> None:
    assert_refused(lambda: Report(machine("tiny")), "vector")
