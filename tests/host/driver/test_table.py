"""The precision table: written where it differs, and known only while nobody else can have
changed it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.errors import MachineError, ParameterError
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.registers import encode_precision
from tests.host.driver.engine_double import TINY, EngineDouble

SLOTS = TINY.precision.slots
PRECISIONS = st.builds(Precision, *[st.integers(0, TINY.precision.max_bits)] * 3)
TABLES = st.dictionaries(st.integers(0, SLOTS - 1), PRECISIONS)


@settings(max_examples=60, deadline=None)
@given(st.lists(TABLES | st.just("reset") | st.just("forget"), max_size=12))
def test_the_machine_has_what_was_set_and_no_more_is_written_than_differs(steps: list) -> None:
    machine = EngineDouble(masks=False)
    table, known = machine.driver.table, dict[int, Precision]()
    for step in steps:
        if step == "reset":
            machine.driver.stop()
            known.clear()
        elif step == "forget":  # the machine has lost its table
            machine.table = dict.fromkeys(machine.table, 0x1F1F1F)
            table.forget()
            known.clear()
        else:
            changed = sum(known.get(slot) != precision for slot, precision in step.items())
            before = machine.table_writes
            assert table.set(step) == machine.table_writes - before == changed
            known |= step
        for slot, precision in known.items():
            assert machine.table[slot] == table.read(slot) == encode_precision(precision)
    assert table.writes == machine.table_writes


@pytest.mark.parametrize("slot", [-1, SLOTS])
def test_a_slot_that_there_is_not(slot: int) -> None:
    """Is refused before any other is written."""
    machine = EngineDouble(masks=False)
    table = machine.driver.table
    for act in (
        lambda: table.set({0: Precision(1, 2, 3), slot: Precision(1, 2, 3)}),
        lambda: table.write(slot, Precision(1, 2, 3)),
        lambda: table.read(slot),
    ):
        with pytest.raises(ParameterError, match=rf"slot: got {slot}, allowed: 0\.\.{SLOTS - 1}"):
            act()
    assert not machine.table_writes


def test_an_entry_whose_write_failed_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = EngineDouble(masks=False)
    table, wanted = machine.driver.table, {3: Precision(1, 2, 3), 4: Precision(4, 5, 6)}
    table.set(wanted)
    with monkeypatch.context() as patched:

        def fails(address: int, value: int) -> None:
            raise MachineError("no answer")

        patched.setattr(machine, "write", fails)
        with pytest.raises(MachineError):
            table.set({3: Precision(7, 7, 7)})
    assert table.set(wanted) == 1
    assert table.set(wanted) == 0


def test_one_that_is_asked_for_is_written_anyway() -> None:
    machine = EngineDouble(masks=False)
    table = machine.driver.table
    table.write(0, Precision(1, 1, 1))
    table.write(0, Precision(1, 1, 1))
    assert table.writes == 2 and table.set({0: Precision(1, 1, 1)}) == 0
