"""Programs of convolutions of a step, with the expected results."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Integers
from fractrain.host.compiler import Planes, Port, Program, Raw, Step, compile_program
from fractrain.host.compiler.results import PLANE_BITS
from fractrain.host.simulation.step import Executed, TrainingStep
from fractrain.hw.contract.errors import MismatchError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass


class ResultForm(enum.Enum):
    """How results leave the machine."""

    PORT = "port"
    RAW = "raw"
    PLANES = "planes"


@dataclass(frozen=True)
class Job:
    """A program, the ``operands`` it reads and the ``expected`` results by name."""

    program: Program
    operands: dict[str, Integers]
    expected: dict[str, NDArray[np.int64]]
    labels: dict[str, str]

    def check(self, results: dict[str, NDArray[np.int64] | None]) -> None:
        """Raise `MismatchError` at the first result that differs from the expected one."""
        for name, expected in self.expected.items():
            found = results.get(name)
            if found is None or found.shape != expected.shape:
                shape = None if found is None else found.shape
                raise MismatchError(
                    f"{self.labels[name]}: the machine gave {shape} results, the model "
                    f"{expected.shape}"
                )
            if not np.array_equal(found, expected):
                wrong = np.argwhere(found != expected)
                first = tuple(int(index) for index in wrong[0])
                raise MismatchError(
                    f"{self.labels[name]}: {len(wrong)} of {found.size} results differ, first at "
                    f"{list(first)}: the machine gave {found[first]}, the model {expected[first]}"
                )


def make_job(
    parameters: Parameters,
    training: TrainingStep,
    convolutions: Sequence[Executed],
    form: ResultForm,
) -> Job:
    """One program of ``convolutions``. An operand that several of them read is stored once.

    With `ResultForm.PLANES`, sums of the forward and error passes are narrowed to 16 bits, shifted
    by no more than the largest of them needs; gradients leave raw.
    """
    operands: dict[str, Integers] = {}
    expected: dict[str, NDArray[np.int64]] = {}
    labels: dict[str, str] = {}
    steps = []
    for each in convolutions:
        operation, convolution = each.operation, each.convolution
        row, column, result = operation.row.name, operation.column.name, operation.result.name
        operands |= {row: each.rows, column: each.columns}
        destination = _destination(each, form)
        steps.append(
            Step(
                convolution.pass_,
                convolution.geometry,
                training.slots[each.precision],
                row,
                column,
                result,
                convolution.stored,
                destination,
                convolution.signed,
            )
        )
        expected[result] = each.result
        if isinstance(destination, Planes):
            expected[result] = destination.narrow(each.result)
        labels[result] = f"{each.layer}, {each.pass_.label}, {each.bits[0]} x {each.bits[1]} bits"
    return Job(compile_program(parameters, steps), operands, expected, labels)


def _destination(executed: Executed, form: ResultForm) -> Raw | Port | Planes:
    if form is ResultForm.PORT:
        return Port()
    if form is ResultForm.RAW or executed.pass_ is Pass.GRADIENT:
        return Raw()
    largest = int(np.abs(executed.result).max())
    shift = max(0, largest.bit_length() - (PLANE_BITS - 1))
    return Planes(PLANE_BITS, shift, signed=True)
