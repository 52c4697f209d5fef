"""What steps cost on a machine: a row for each."""

from __future__ import annotations

from collections.abc import Sequence

from fractrain.host.modelling.layers import layer_precisions, layer_shapes, training_program
from fractrain.host.modelling.predictions import predict_program
from fractrain.host.modelling.step_model import StepModel
from fractrain.host.modelling.tables.case import Case
from fractrain.host.reports.units import BYTES, JOULES, SECONDS
from fractrain.hw.contract.parameters import Parameters

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


def step_row(case: Case, parameters: Parameters, *, check: bool) -> list[str]:
    """Under `HEADS`; with ``check``, which takes up to a minute, under `CHECK_HEADS`."""
    layers = layer_shapes(case.network, case.size)
    precisions = layer_precisions(case.network, case.precisions)
    cost = StepModel(parameters, layers, case.batch, case.memory).cost(precisions)
    row = [
        case.network.name,
        case.blocks,
        case.memory,
        str(case.batch),
        f"{cost.cycles:,.0f}",
        f"{100 * cost.busy_cycles / cost.cycles:.1f} %",
        BYTES.text(cost.bytes_moved),
        SECONDS.text(cost.seconds),
        JOULES.text(cost.joules),
    ]
    if not check:
        return row
    program, slots = training_program(parameters, layers, case.batch, precisions, case.memory)
    whole = predict_program(program, slots, case.memory)
    modelled = cost.cycles, cost.busy_cycles, cost.bytes_moved
    errors = [100 * (given / wanted - 1) for given, wanted in zip(modelled, whole, strict=True)]
    return [*row, f"{whole[0]:,}", *(f"{error:+.2f} %" for error in errors)]
