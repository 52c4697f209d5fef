"""What steps cost on a machine: a row for each."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.modelling.predictions import predict_program
from fractrain.host.modelling.step_model import StepModel
from fractrain.host.modelling.step_programs import training_program
from fractrain.host.modelling.tables.case import Case
from fractrain.host.reports.units import BYTES, JOULES, SECONDS
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import Pass

HEADS: Sequence[str] = (
    *("network", "blocks", "memory", "batch", "cycles", "array busy", "moved"),
    *("time", "energy"),
)
CHECK_HEADS: Sequence[str] = (*HEADS, "whole step, cycles", "error", "busy", "bytes")

ABOUT = "All figures are modelled (docs/step_model.md), convolutions only."
ABOUT_CHECK = (
    "Behind the energy: the same step on the cycle model as one command stream, and by how much "
    "the sum of passes differs from it."
)


MOST_CHECKED = 111 * 128 * 32**2
"""Convolutions x images x pixels of a step that is simulated whole, which takes some minutes then.
As of 110 layers on 128 images of 32 x 32 pixels."""


def check_whole(case: Case) -> None:
    """Raise `ParameterError` for a step that takes too long to be simulated whole."""
    batch, _, height, width = case.images
    forward = sum(each.pass_ is Pass.FORWARD for each in case.step.convolutions)
    if (work := forward * batch * height * width) > MOST_CHECKED:
        most = batch * MOST_CHECKED // work
        allowed = f"at most {most} images of {case.network.name} with --check"
        raise ParameterError("--batch", batch, allowed, hint="a whole step takes minutes then")


def step_row(case: Case, parameters: Parameters, *, check: bool) -> list[str]:
    """Under `HEADS`; with ``check``, which takes up to a minute, under `CHECK_HEADS`."""
    cost = StepModel(parameters, case.step, case.memory).cost(case.choices)
    row = [
        case.network.name,
        case.blocks,
        case.memory,
        str(case.step.batch),
        f"{cost.cycles:,.0f}",
        f"{100 * cost.busy_cycles / cost.cycles:.1f} %",
        BYTES.text(cost.bytes_moved),
        SECONDS.text(cost.seconds),
        JOULES.text(cost.joules),
    ]
    if not check:
        return row
    program, slots = training_program(parameters, case.step, case.choices, case.memory)
    whole = predict_program(program, slots, case.memory)
    modelled = cost.cycles, cost.busy_cycles, cost.bytes_moved
    errors = [100 * (given / wanted - 1) for given, wanted in zip(modelled, whole, strict=True)]
    return [*row, f"{whole[0]:,}", *(f"{error:+.2f} %" for error in errors)]
