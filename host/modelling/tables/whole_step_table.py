"""What whole steps cost on a machine with a vector unit: tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fractrain.host.modelling.step_model import StepModel
from fractrain.host.modelling.tables.case import Case
from fractrain.host.modelling.whole_steps import WholeStepCost, rated_memory, whole_step_cost
from fractrain.host.reports.units import BYTES, JOULES, SECONDS
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.tables import terminal_table

HEADS: Sequence[str] = (
    *("network", "blocks", "memory", "batch", "cycles", "array busy", "moved"),
    *("time", "energy", "array time"),
)
SECTION_HEADS: Sequence[str] = (
    *("part of the step, ms", "time", "array", "lines", "channel", "memory"),
    "waited for, most first",
)
ABOUT = (
    "All figures are modelled (docs/step_model.md, docs/whole_step.md): whole steps on the cycle "
    "model, of a host that takes no time. Array time is that of the convolutions alone, results at "
    "the port."
)
MOST_NAMED = 4
"""Causes in a row."""


def whole_step(
    case: Case, parameters: Parameters, rate: float | None, stash: float | None, *, check: bool
) -> WholeStepCost:
    """Of ``case``; ``rate``, ``stash``: of memory, and of a second one for the stash, in GB/s;
    ``check``: with every burst."""
    from fractrain.sim.memory_model import MemoryModel

    if case.mode != "hardware":
        raise ParameterError("--mode", case.mode, "hardware with --whole-step")
    if rate is not None:
        memory = rated_memory(parameters, rate)
    elif case.memory == "ddr":
        memory = MemoryModel.ddr(parameters)
    else:
        memory = MemoryModel.ideal()
    table = case.step.table(case.choices)
    second = None if stash is None else rated_memory(parameters, stash)
    return whole_step_cost(parameters, case.step, table, memory, stash=second, bursts=check)


def row(
    case: Case,
    cost: WholeStepCost,
    parameters: Parameters,
    rate: float | None,
    stash: float | None,
) -> list[str]:
    """Under `HEADS`."""
    memory = case.memory if rate is None else f"{rate:g} GB/s"
    array = StepModel(parameters, case.step, "port").cost(case.choices)
    return [
        case.network.name,
        case.blocks,
        memory if stash is None else f"{memory}, stash {stash:g} GB/s",
        str(case.step.batch),
        f"{cost.cycles:,}",
        f"{100 * cost.busy_cycles / cost.cycles:.1f} %",
        BYTES.text(cost.bytes_moved),
        SECONDS.text(cost.seconds),
        JOULES.text(cost.joules),
        SECONDS.text(array.seconds),
    ]


def sections(cost: WholeStepCost) -> str:
    """Where the time of a step goes, and what the program waited for."""
    clock = cost.step.parameters.clock_mhz

    def milliseconds(cycles: float) -> str:
        return f"{cycles / clock / 1000:.2f}"

    def most(waited: Mapping[str, float]) -> str:
        named = sorted(waited.items(), key=lambda each: -each[1])[:MOST_NAMED]
        return ", ".join(f"{name} {milliseconds(cycles)}" for name, cycles in named)

    rows = [
        [
            each.name,
            *map(milliseconds, (each.cycles, each.array, each.lines, each.channel, each.memory)),
            most(each.waited),
        ]
        for each in cost.sections
    ]
    table = terminal_table(SECTION_HEADS, rows)
    units: dict[str, float] = {}
    for name, cycles in cost.waited.items():
        unit = name.partition(" ")[0]
        units[unit] = units.get(unit, 0.0) + cycles
    shares = sorted(units.items(), key=lambda each: -each[1])
    summary = ", ".join(f"{name} {100 * cycles / cost.cycles:.1f} %" for name, cycles in shares)
    return f"{table}\nwaited for: {summary}\n            {most(cost.waited)}"
