"""What a machine with a vector unit refuses: every field of every command wrong, by the contract's
tables, on the RTL as on the functional machine; it stops readably, and goes on after a reset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from fractrain.hw.contract.commands import FIELDS, Fault, Opcode
from tests.coverage.vector_unit.fields import Kind, Wrong, kind_of, wrong_numbers
from tests.coverage.vector_unit.pair import ENDED, Pair
from tests.coverage.vector_unit.refusals import refusals
from tests.sim.cosim.vector_engine import P

SEED = 1
SOMETIMES = 16
"""A program that ends well is followed by the good one once in so many times."""


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    opened = Pair(P)
    yield opened
    opened.close()


def test_every_field_wrong(pair: Pair) -> None:
    """Each wrong number that the tables know is refused with its fault and the number of the
    command, by both; of what is free, both say the same of either end."""
    hit: Counter[tuple[Opcode, Wrong]] = Counter()
    ends: Counter[Fault] = Counter()
    wrong = []
    for number, case in enumerate(refusals(pair, SEED)):
        found = pair.run(case.words)
        if found != case.ended:
            wrong.append(f"{case}, on the RTL {found}")
        if found != ENDED or number % SOMETIMES == 0:
            pair.recovers(reset=found != ENDED)
        hit[case.opcode, case.wrong] += 1
        ends[found.fault] += 1
    assert not wrong, "\n".join(wrong)
    print(f"{sum(ends.values())} programs, {pair.cycles} cycles: {dict(ends)}")
    every = [(opcode, wrong) for opcode in FIELDS for wrong in wrong_numbers(P, opcode)]
    missing = [each for each in every if each[1].fault and not hit[each]]
    assert not missing
    wanted = (*("OPCODE", "SLOT", "PRECISION", "COUNT"), *("ADDRESS", "WINDOW", "ALIGNMENT"))
    assert {each.name for each in ends} == {"NONE", *wanted}


def test_a_new_field_is_of_some_kind() -> None:
    """Places in memories, slots and codes are recognized: none of them passes for free."""
    kinds = Counter(kind_of(opcode, name) for opcode in FIELDS for name in FIELDS[opcode])
    assert all(kinds[each] for each in Kind)
    for opcode, fields in FIELDS.items():
        for name, field in fields.items():
            if kind_of(opcode, name) is Kind.FREE:
                told = "memory: first", "memory: its first", "first byte", "slot that"
                assert not any(each in field.meaning for each in told), (opcode, name)
