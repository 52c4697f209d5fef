"""The records of a step: all that the machine needs, and nothing that it does not read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fractrain.host.accelerator import Accelerator
from fractrain.host.graph import operations as ops
from fractrain.host.graph.machine_records import ScaleKey
from fractrain.host.machine_step.records import RecordColumns, StepColumns, clip_shifts
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.records import RECORDS, Record, clip_shift, pack_records
from tests.host.machine_step.golden_machine import GoldenMachine
from tests.host.machine_step.test_whole_runs import CASES, MIXED, on_machine
from tests.host.machine_step.trainers import Case, make, train

CASE = replace(CASES["scripted"], options=MIXED)


def end(case: Case, golden: Accelerator, **named: Any) -> bytes:
    """All that a step of two leaves."""
    trainer = on_machine(case, golden, **named)
    train(trainer, 2)
    state = trainer.state()
    arrays = [state.arrays[name].tobytes() for name in sorted(state.arrays)]
    return repr(sorted(state.document["history"].items())).encode() + b"".join(arrays)


@pytest.fixture(scope="module")
def undisturbed(golden: Accelerator) -> bytes:
    return end(CASE, golden)


FIELDS = [
    (record, name)
    for record in (Record.SCALE, Record.NORM, Record.UPDATE)
    for name in RECORDS[record]
]


@pytest.mark.parametrize(("record", "field"), FIELDS, ids=lambda each: getattr(each, "name", each))
def test_every_field_matters(
    golden: Accelerator, undisturbed: bytes, record: Record, field: str
) -> None:
    """One that is off leaves something else."""

    def tamper(of: Record, fields: dict[str, Any]) -> dict[str, Any]:
        if of is not record or field not in fields:
            return fields
        value = fields[field]
        return fields | {field: value + 1 + abs(value) // 64}

    assert end(CASE, golden, tamper=tamper) != undisturbed


class Noted(GoldenMachine):
    """Keeps the records of its last step."""

    def forward(self, order: Any) -> Any:
        self.before = order.records
        yield from super().forward(order)

    def backward(self, errors: Any, records: StepColumns) -> Any:
        self.late = records
        return super().backward(errors, records)


def noted(case: Case, golden: Accelerator, steps: int) -> tuple[Noted, Any]:
    made: list[Noted] = []

    def machine(case: Case, accelerator: Accelerator) -> Noted:
        made.append(Noted(accelerator, case.options, accelerator.step_math))
        return made[0]

    trainer = make(case, golden, machine)
    train(trainer, steps)
    return made[0], trainer


def test_records_are_those_of_the_compilers_interface(golden: Accelerator) -> None:
    """Keys and fields of `ScaleKey`'s table, and the same bytes as from columns."""
    machine, trainer = noted(CASES["static"], golden, 1)
    graph = trainer.step_graph
    expected: dict[ScaleKey, set[str]] = {}
    late: dict[ScaleKey, set[str]] = {}
    for each in graph.operations:
        if isinstance(each, ops.Narrow):
            expected[ScaleKey(each.name)] = {"narrow_shift"}
        elif isinstance(each, ops.Form) and each.residual is not None:
            expected[ScaleKey(each.name)] = {"residual_factor"}
        elif isinstance(each, ops.Apply):
            expected[ScaleKey(each.name)] = {"gain_shift"}
        elif isinstance(each, ops.QuantizeWeights):
            expected[ScaleKey(each.name)] = {"mantissa", "shift"}
        elif isinstance(each, ops.Join):
            found = late if any(of.name == "pool.back" for of in each.streams) else expected
            for part in range(len(each.sums)):
                found[ScaleKey(each.name, part)] = {"before", "mantissa", "shift"}
                if each.streams:
                    found[ScaleKey(each.name, part)].add("stream_shift")
            for part in range(len(each.streams)):
                found[ScaleKey(each.name, len(each.sums) + part)] = {"stream_shift"}
    for columns, keys in ((machine.before, expected), (machine.late, late)):
        records = columns.records()
        assert records.scales.keys() == keys.keys()
        for key, fields in records.scales.items():
            rest = {name for name, value in fields.items() if value}
            assert rest <= keys[key], f"{key}: no other fields"
    records = machine.before.records()
    forms = [each for each in graph.operations if isinstance(each, ops.Form)]
    assert {(key.form, key.part) for key in records.norms} == {
        (form.name, part) for form in forms for part in range(len(form.ys))
    }
    weights = {each.name for each in trainer.network.parameters() if each.multiplied}
    assert records.updates.keys() == weights
    for columns, mapping in (
        (machine.before.scales, records.scales),
        (machine.before.norms, records.norms),
        (machine.before.updates, records.updates),
    ):
        one_by_one = [pack_records(columns.kind, each) for each in mapping.values()]
        np.testing.assert_array_equal(np.concatenate(one_by_one), columns.pack())


def test_what_is_skipped_has_no_record_but_weights_descend(golden: Accelerator) -> None:
    machine, trainer = noted(CASES["scripted"], golden, 4)
    records = machine.before.records()
    assert {key.operation.split(".")[1] for key in records.scales if "block" in key.operation} == {
        "block0"
    }
    kinds = {
        key.operation.rsplit(".", 1)[-1] for key in records.scales if "stage0" in key.operation
    }
    assert kinds == {"form", "e"}, "of the residual that passes, and of its error"
    skipped = records.updates["stage0.block0.first.weight"]
    assert skipped["before"] == 0 and skipped["rate_mantissa"] and skipped["decay_mantissa"]


def test_keys_of_steps_alike_are_the_same_tuples(golden: Accelerator) -> None:
    """Whoever places records may remember where, by the tuple."""
    machine, trainer = noted(CASES["static"], golden, 1)
    first = machine.before
    train(trainer, 2)
    assert machine.before is not first
    for name in ("scales", "norms", "updates"):
        assert getattr(machine.before, name).keys is getattr(first, name).keys


def test_shifts_are_clipped_as_the_contract_does() -> None:
    shifts = np.arange(-200, 200)
    np.testing.assert_array_equal(clip_shifts(shifts), [clip_shift(int(each)) for each in shifts])


def test_a_value_that_does_not_fit_is_refused() -> None:
    columns = RecordColumns(Record.SCALE, ("a", "b"), {"shift": np.array([3, 64])})
    with pytest.raises(ParameterError, match="shift"):
        columns.pack()
