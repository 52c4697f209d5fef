"""A step as it was measured beside a step as it was modelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fractrain.host.reports.measured import PASSES, STALLS, Measured
from fractrain.host.reports.quantities import (
    MEASURED_ENERGY,
    MEASURED_TIME,
    MODELLED_ENERGY,
    MODELLED_TIME,
    Quantity,
    Source,
    percent,
)
from fractrain.host.reports.records import number
from fractrain.host.reports.run import Run
from fractrain.host.reports.tables import Row, Table
from fractrain.host.reports.units import BYTES, MISSING, significant

Cell = Callable[[Run], float | None]

TIME_REMARK = (
    "Accelerator time: cycles that the machine counted in the programs of a step, over its clock; "
    "wall clock: the whole step, host included, on the computer or board that trained."
)
ENERGY_REMARK = (
    "Measured energy is of the rails that report power, over the wall clock of a step, host "
    "included; modelled energy is of the convolutions alone."
)


def measured_table(runs: Sequence[Run]) -> Table | None:
    """Rows that any of ``runs`` has; None if nothing of them was measured."""
    if not any(len(run.measured) or run.measured.joules_per_step is not None for run in runs):
        return None
    rows = [*_time_rows(runs), *_counter_rows(runs), *_energy_rows(runs)]
    return Table(
        "A step, measured beside modelled",
        [run.name for run in runs],
        [row for row in rows if any(cell != MISSING for cell in row.cells)],
        _remarks(runs),
    )


def _time_rows(runs: Sequence[Run]) -> list[Row]:
    return [
        _text_row("measured on", Source.RECORDED, [run.measuring_machine for run in runs]),
        _count_row("steps measured", [len(run.measured) or None for run in runs]),
        _row(runs, MEASURED_TIME, lambda run: run.measured.mean("seconds")),
        _row(runs, MODELLED_TIME, lambda run: _modelled(run, MODELLED_TIME)),
        _row(runs, MEASURED_TIME, _median("wall_seconds"), name="wall clock, median"),
        _row(runs, MEASURED_TIME, _median("machine_seconds"), name="of it machine, median"),
    ]


def _counter_rows(runs: Sequence[Run]) -> list[Row]:
    """Shares of the cycles; and what moved."""

    def share(name: str, of: Callable[[Measured], float | None]) -> Row:
        cells = []
        for run in runs:
            cycles, part = run.measured.mean("cycles"), of(run.measured)
            cells.append(percent(part / cycles) if cycles and part is not None else MISSING)
        return Row(name, Source.MEASURED, cells)

    def moved(run: Run) -> float | None:
        ways = run.measured.mean("bytes_in"), run.measured.mean("bytes_out")
        return None if None in ways else sum(each for each in ways if each is not None)

    cycles = [run.measured.mean("cycles") for run in runs]
    return [
        _count_row("cycles", cycles),
        share("array busy", lambda measured: measured.mean("busy_cycles")),
        *(
            share(f"cycles of {name} passes" if name != "other" else "other cycles", _pass(name))
            for name in PASSES
        ),
        *(share(f"stalls, {name}", _column(f"stall_{name}")) for name in STALLS),
        _text_row(
            "moved to and from memory",
            Source.MEASURED,
            [None if each is None else BYTES.text(each) for each in map(moved, runs)],
        ),
    ]


def _energy_rows(runs: Sequence[Run]) -> list[Row]:
    rates = [number(run.measured.energy, "sample_rate_hz", run.name) for run in runs]
    samples = [number(run.measured.energy, "samples", run.name) for run in runs]
    return [
        _row(runs, MEASURED_ENERGY, lambda run: run.measured.joules_per_step),
        _row(runs, MODELLED_ENERGY, lambda run: _modelled(run, MODELLED_ENERGY)),
        _text_row(
            "power samples per second",
            Source.MEASURED,
            [None if each is None else significant(each) for each in rates],
        ),
        _count_row("power samples", samples),
    ]


def _row(runs: Sequence[Run], quantity: Quantity, cell: Cell, name: str | None = None) -> Row:
    """Values of ``quantity`` for a step."""
    texts = quantity.texts(cell(run) for run in runs)
    return Row(name or quantity.name, quantity.source, texts)


def _text_row(name: str, source: Source, cells: Sequence[str | None]) -> Row:
    return Row(name, source, [cell or MISSING for cell in cells])


def _count_row(name: str, counts: Sequence[float | None]) -> Row:
    cells = [MISSING if each is None else f"{each:,.0f}" for each in counts]
    return Row(name, Source.MEASURED, cells)


def _median(name: str) -> Cell:
    return lambda run: run.measured.median(name)


def _column(name: str) -> Callable[[Measured], float | None]:
    return lambda measured: measured.mean(name)


def _pass(name: str) -> Callable[[Measured], float | None]:
    return lambda measured: measured.mean_of_pass(name)


def _modelled(run: Run, quantity: Quantity) -> float | None:
    """Of a step, on average over those that the totals are of."""
    cost = run.totals.get(quantity)
    return cost.value / run.totals_step if cost is not None and run.totals_step else None


def _remarks(runs: Sequence[Run]) -> list[str]:
    remarks = [TIME_REMARK]
    for run in runs:
        measuring, modelled = run.measuring_machine, run.modelled_machine
        if measuring and modelled and not measuring.endswith(f" of {modelled}"):
            remarks.append(
                f"{run.name}: measured {measuring}, modelled for {modelled}: another machine."
            )
    notes = {run.name: run.measured.energy.get("note") for run in runs}
    if any(run.measured.joules_per_step is not None for run in runs):
        remarks.append(ENERGY_REMARK)
    return [*remarks, *(f"{name}: {note}" for name, note in notes.items() if note)]
