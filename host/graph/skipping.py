"""Skipping: the operations of a step that are carried out when some slots have 0 bits."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TypeVar

from fractrain.host.graph.choice import is_skip
from fractrain.host.graph.operations import Operation
from fractrain.host.graph.slots import Slot
from fractrain.hw.contract.precision import Precision

Kind = TypeVar("Kind", bound=Operation)


def is_skipped(operation: Operation, table: Sequence[Precision]) -> bool:
    """Whether its own slot skips it."""
    return operation.slot is not None and is_skip(table[operation.slot])


def lacks(operation: Operation, missing: Container[str]) -> bool:
    """Whether it cannot be carried out without the tensors ``missing``: it needs one of them, or
    all its inputs are optional and missing."""
    needed, inputs = operation.needed, operation.inputs
    if needed:
        return any(each.name in missing for each in needed)
    return bool(inputs) and all(each.name in missing for each in inputs)


def find_running(
    operations: Iterable[Kind],
    table: Sequence[Precision],
    given: Container[str],
    *,
    stored: bool = False,
) -> Iterator[Kind]:
    """Those of ``operations``, of which none reads the result of another, that are carried out with
    the tensors ``given``, by their own names or by those of what is ``stored`` of them."""
    for each in operations:
        missing = {
            tensor.name
            for tensor in each.inputs
            if (tensor.stored if stored else tensor).name not in given
        }
        if not is_skipped(each, table) and not lacks(each, missing):
            yield each


def find_certain(operations: Iterable[Operation], slots: Sequence[Slot]) -> set[str]:
    """Names of those ``operations`` of a step that are carried out in any case."""
    certain: set[str] = set()
    doubtful: set[str] = set()
    for each in operations:
        slot = None if each.slot is None else slots[each.slot]
        if slot is not None and (slot.can_skip or slot.ones or slot.taken):
            bypass = each.bypass
            outputs = each.outputs
            if bypass is not None and bypass.name not in doubtful:
                outputs = outputs[1:]
        elif lacks(each, doubtful):
            outputs = each.outputs
        else:
            certain.add(each.name)
            continue
        doubtful.update(tensor.name for tensor in outputs)
    return certain


def carried_out(
    operations: Iterable[Operation], table: Sequence[Precision], missing: set[str] | None = None
) -> Iterator[Operation]:
    """Those of ``operations`` that are carried out with the precisions ``table`` of the slots.

    ``missing``: names of the tensors that do not exist; the function adds to them.
    """
    missing = set() if missing is None else missing
    for each in operations:
        outputs = each.outputs
        if is_skipped(each, table):
            if each.bypass is not None and each.bypass.name not in missing:
                outputs = outputs[1:]
        elif not lacks(each, missing):
            yield each
            continue
        missing.update(tensor.name for tensor in outputs)
