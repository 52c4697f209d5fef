"""Programs of recorded convolutions: what to run, and what must come out."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.host.accelerator import Integers
from fractrain.host.backends.recording import RecordedCall
from fractrain.host.compiler import Geometry, Planes, Port, Program, Raw, Step, compile_program
from fractrain.host.simulation.step import TrainingStep
from fractrain.hw.contract.errors import MismatchError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass

PLANE_BITS = 16


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
        """Raise `MismatchError` at the first result that is not what it must be."""
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
    calls: Sequence[RecordedCall],
    form: ResultForm,
) -> Job:
    """One program of ``calls``. An operand that several of them read is stored once.

    With `ResultForm.PLANES`, sums of the forward and error passes are narrowed to 16 bits, shifted
    by no more than the largest of them needs; gradients leave raw.
    """
    names: dict[int, str] = {}
    operands: dict[str, Integers] = {}

    def name_of(values: Integers) -> str:
        if id(values) not in names:
            names[id(values)] = f"operand{len(names)}"
            operands[names[id(values)]] = values
        return names[id(values)]

    steps = []
    expected: dict[str, NDArray[np.int64]] = {}
    labels: dict[str, str] = {}
    for number, call in enumerate(calls):
        filters, channels, height, width = call.kernels
        destination = _destination(call, form)
        result = f"result{number}"
        steps.append(
            Step(
                call.pass_,
                Geometry(
                    call.images,
                    channels,
                    filters,
                    call.size,
                    (height, width),
                    call.stride,
                    call.padding,
                ),
                training.slots[call.name],
                name_of(call.rows),
                name_of(call.columns),
                result,
                call.bits,
                destination,
            )
        )
        expected[result] = call.result
        if isinstance(destination, Planes):
            expected[result] = destination.narrow(call.result)
        labels[result] = f"{call.name}, {call.pass_.label}, {call.bits[0]} x {call.bits[1]} bits"
    return Job(compile_program(parameters, steps), operands, expected, labels)


def _destination(call: RecordedCall, form: ResultForm) -> Raw | Port | Planes:
    if form is ResultForm.PORT:
        return Port()
    if form is ResultForm.RAW or call.pass_ is Pass.GRADIENT:
        return Raw()
    largest = int(np.abs(call.result).max())
    shift = max(0, largest.bit_length() - (PLANE_BITS - 1))
    return Planes(PLANE_BITS, shift, signed=True)
