"""A piece of a step graph as steps of a program, laid out for the widest possible bits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fractrain.host.compiler.step import Step
from fractrain.host.graph.dispatch import Dispatch
from fractrain.host.graph.operations import Convolve, Operation
from fractrain.host.graph.tensor import Bits
from fractrain.hw.contract.errors import ParameterError

Widest = Callable[[Bits], int]
"""The most that the bits of a tensor can be."""

STEPS: Dispatch[Callable[[Operation, Widest], Step]] = Dispatch("the compiler")
"""How each class of operation becomes a step of the machine."""


@STEPS.register(Convolve)
def _convolve(operation: Operation, widest: Widest) -> Step:
    assert isinstance(operation, Convolve)
    row, column = operation.row.stored, operation.column.stored
    if row.bits is None or column.bits is None or operation.slot is None:
        real = row if row.bits is None else column
        raise ParameterError(
            f"operand {real.name} of {operation.name}",
            "real numbers",
            "integers: the machine multiplies nothing else",
        )
    return Step(
        operation.pass_,
        operation.geometry,
        operation.slot,
        row.name,
        column.name,
        operation.result.name,
        (widest(row.bits), widest(column.bits)),
        signs=(row.signed, column.signed),
    )


def steps_of(operations: Iterable[Operation], widest: Widest) -> list[Step]:
    """``operations`` as steps; `ParameterError` for one that the compiler does not know."""
    return [STEPS.of(each)(each, widest) for each in operations]


@dataclass(frozen=True)
class Numbered:
    """Steps with tensors and slots numbered in order of appearance: equal work gives equal steps,
    so pieces of the same shape share a program.

    ``names``, ``slots``: from those of the original steps to the numbers.
    """

    steps: tuple[Step, ...]
    names: Mapping[str, str]
    slots: Mapping[int, int]


def numbered(steps: Sequence[Step]) -> Numbered:
    """``steps``, numbered."""
    names: dict[str, str] = {}
    slots: dict[int, int] = {}
    for step in steps:
        slots.setdefault(step.slot, len(slots))
        for name in (step.row, step.column, step.result):
            names.setdefault(name, f"tensor {len(names)}")
    return Numbered(
        tuple(
            replace(
                step,
                slot=slots[step.slot],
                row=names[step.row],
                column=names[step.column],
                result=names[step.result],
            )
            for step in steps
        ),
        names,
        slots,
    )
