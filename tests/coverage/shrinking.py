"""A case that fails, made smaller for as long as it fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fractrain.host.compiler import Raw, Step
from fractrain.host.graph.geometry import Geometry
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision
from fractrain.sim.cosim.stalls import BusStalls
from fractrain.sim.memory_model import MemoryModel
from tests.coverage.cases import Case
from tests.coverage.machine import Machine, Mismatch

MOST_TRIES = 400


def shrink(machine: Machine, found: Mismatch) -> Mismatch:
    """The mismatch of a smaller case, of the same kind."""
    tries = 0
    found.case = replace(found.case, runs=found.case.runs[: found.run + 1])
    goes_on = True
    while goes_on:
        goes_on = False
        for case in _smaller(found.case):
            tries += 1
            if tries > MOST_TRIES:
                return found
            smaller = _fails(machine, case)
            if smaller is not None and smaller.kind == found.kind:
                found, goes_on = smaller, True
                break
    return found


def _fails(machine: Machine, case: Case) -> Mismatch | None:
    try:
        machine.check(case)
    except Mismatch as found:
        return found
    except ParameterError:
        return None  # the smaller one is none that may be asked for
    return None


def _smaller(case: Case) -> Iterator[Case]:
    """Cases that are simpler in one thing, the greatest steps first."""
    if len(case.runs) > 1:
        for run in case.runs:
            yield replace(case, runs=(replace(run, fresh=True),))
        for index in range(len(case.runs)):
            yield replace(case, runs=_without(case.runs, index))
    if len(case.steps) > 1:
        yield from (replace(case, steps=(step,)) for step in case.steps)
        for index in range(len(case.steps)):
            yield replace(case, steps=_without(case.steps, index))
    for index, run in enumerate(case.runs):
        plain = replace(run, bus="ideal", model=MemoryModel.ideal(), stalls=BusStalls(), fresh=True)
        if plain != run:
            yield replace(case, runs=_with(case.runs, index, plain))
    for index, step in enumerate(case.steps):
        if not isinstance(step.destination, Raw):
            yield replace(case, steps=_with(case.steps, index, replace(step, destination=Raw())))
    for geometry in dict.fromkeys(step.geometry for step in case.steps):
        for other in _smaller_geometries(geometry):
            steps = (
                replace(step, geometry=other) if step.geometry == geometry else step
                for step in case.steps
            )
            yield replace(case, steps=tuple(steps))
    yield from _fewer_bits(case)
    if case.base:
        yield replace(case, base=0)


def _smaller_geometries(g: Geometry) -> Iterator[Geometry]:
    height, width = g.size
    for changes in (
        *({"images": 1}, {"images": g.images - 1}),
        *({"channels": count} for count in (1, g.channels // 2, g.channels - 1)),
        *({"filters": count} for count in (1, g.filters // 2, g.filters - 1)),
        *({"size": (rows, width)} for rows in (height // 2, height - 1)),
        *({"size": (height, columns)} for columns in (width // 2, width - 1)),
        *({"padding": g.padding - 1}, {"stride": 1}),
    ):
        try:
            other = replace(g, **changes)  # type: ignore[arg-type]
        except ParameterError:
            continue
        if other != g:
            yield other


def _fewer_bits(case: Case) -> Iterator[Case]:
    """Stored no wider than they are read, and read at fewer bits."""
    for index, step in enumerate(case.steps):
        widest = tuple(
            max(1, *(run.table[step.slot].bits(operand) for run in case.runs))
            for operand in (step.pass_.row, step.pass_.column)
        )
        if widest != step.stored_bits:
            yield replace(case, steps=_with(case.steps, index, _stored(step, widest)))
    for index, run in enumerate(case.runs):
        for slot, precision in run.table.items():
            bits = [precision.activation, precision.weight, precision.error]
            for operand, width in enumerate(bits):
                for fewer in {1, width // 2, width - 1}:
                    if 0 < fewer < width:
                        less = Precision(*_with(tuple(bits), operand, fewer))
                        table = {**run.table, slot: less}
                        yield replace(case, runs=_with(case.runs, index, replace(run, table=table)))


def _stored(step: Step, bits: tuple[int, ...]) -> Step:
    return replace(step, stored_bits=(bits[0], bits[1]))


def _without(values: tuple, index: int) -> tuple:
    return values[:index] + values[index + 1 :]


def _with(values: tuple, index: int, value: object) -> tuple:
    return (*values[:index], value, *values[index + 1 :])
