"""A comparison of machines as people read it: on the terminal and on a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fractrain.host.machines.comparison import (
    BIT_FUSION,
    OURS_DDR,
    RECURSIVE,
    Result,
    compare_machines,
)
from fractrain.host.machines.pictures import bars, roofline
from fractrain.host.machines.run_traces import trace_of_run
from fractrain.host.machines.trace import EIGHT, Trace
from fractrain.host.reports.quantities import MEANINGS, Source, percent
from fractrain.host.reports.run import Run
from fractrain.host.reports.svg import Picture
from fractrain.host.reports.tables import Row, Table
from fractrain.host.reports.template import fill
from fractrain.host.reports.units import BYTES, JOULES, SECONDS, significant
from fractrain.hw.contract.precision import Pass
from fractrain.hw.contract.tables import terminal_table
from fractrain.sim.machines import QUOTED

HEADS = ("time", "saved", "energy", "saved", "GMAC/s", "pJ/MAC", "memory", *(p.label for p in Pass))

ABOUT = (
    "Convolutions of training only. Saved: against the same steps with all layers at 8 bits on the "
    "same machine; the last three columns are the passes' shares of the time.",
    "Arrays and clocks of Eyeriss, its 15 pJ a DRAM bit, packing and full use of DSPs are free "
    "choices: docs/machines.md has them all.",
)


@dataclass(frozen=True)
class MachinesSection:
    """For the page of runs: tables, pictures, and what to know of them."""

    tables: Sequence[Table]
    pictures: Sequence[Picture]
    quoted: Table


def machines_section(results: Sequence[Result]) -> MachinesSection:
    """Raises `MissingToolError` without matplotlib."""
    traces = traces_of(results)
    pictures = [
        each
        for number, trace in enumerate(_drawn(results))
        for each in bars([r for r in results if r.trace is trace], number)
    ]
    return MachinesSection(
        [machines_table(results, trace) for trace in traces],
        [*pictures, roofline(results)],
        quoted_table(),
    )


def machines_of_runs(runs: Sequence[Run], say: Callable[[str], None]) -> MachinesSection:
    """What ``runs`` cost on all machines; `DataError` for a run without the bits of its steps."""
    return machines_section(compare_machines([trace_of_run(each) for each in runs], say=say))


def machines_page(results: Sequence[Result]) -> str:
    """An HTML page of its own."""
    return fill(
        "machines.html",
        lambda: {
            "title": "Training on several machines",
            "headline": headline(results),
            "machines": machines_section(results),
            "meanings": {each.value: MEANINGS[each] for each in (Source.MODELLED, Source.QUOTED)},
        },
    )


def headline(results: Sequence[Result]) -> str:
    """What each trace saves on the machines that gain by few bits, in a sentence each."""
    return " ".join(
        f"Against FW8/BW8, {trace.name} saves "
        + ", ".join(
            f"{percent(each.seconds_saved)} of the time on {each.contender.label}"
            for each in results
            if each.trace is trace and each.contender in (BIT_FUSION, RECURSIVE, OURS_DDR)
        )
        + "."
        for trace in _drawn(results)
    )


def _drawn(results: Sequence[Result]) -> list[Trace]:
    """Traces with something to see: at 8 bits throughout nothing is saved."""
    traces = traces_of(results)
    return [each for each in traces if each.kept_at != EIGHT] or traces


def traces_of(results: Sequence[Result]) -> list[Trace]:
    """In their order."""
    return list({id(each.trace): each.trace for each in results}.values())


def machines_table(results: Sequence[Result], trace: Trace) -> Table:
    """A row for each machine."""
    chosen = [each for each in results if each.trace is trace]
    time = SECONDS.scale(each.cost.total.seconds for each in chosen)
    energy = JOULES.scale(each.cost.total.joules for each in chosen)
    notes = dict.fromkeys(note for each in chosen for note in each.cost.notes)
    rows = []
    for each in chosen:
        cost = each.cost.total
        shares = [each.cost.of_pass(p).seconds / cost.seconds for p in Pass]
        cells = [
            time.text(cost.seconds),
            percent(each.seconds_saved),
            energy.text(cost.joules),
            percent(each.joules_saved),
            significant(each.macs_per_second / 1e9),
            significant(each.joules_per_mac * 1e12),
            BYTES.text(cost.bytes_moved),
            *(f"{100 * share:.0f} %" for share in shares),
        ]
        rows.append(Row(each.contender.label, Source.MODELLED, cells))
    return Table(title_of(trace), HEADS, rows, [*ABOUT, *(f"{each}." for each in notes)], "machine")


def title_of(trace: Trace) -> str:
    """``fractrain-s0: resnet20, 6,000 steps of 128 images, blocks at cp 2.6 %``."""
    steps = f"{trace.steps:,.6g} step{'s' * (trace.steps != 1)} of {trace.batch} images"
    return f"{trace.name}: {trace.model}, {steps}, blocks at cp {trace.cp:.3g} %"


def quoted_table() -> Table:
    """Machines that are quoted, never modelled."""
    rows = [
        Row(each.machine, Source.QUOTED, [each.what, each.text, each.source]) for each in QUOTED
    ]
    remark = "Each measured by its authors, under conditions of their own."
    return Table("Quoted, not modelled", ("what", "figure", "source"), rows, [remark], "quotation")


def machines_text(results: Sequence[Result]) -> str:
    """All tables for the terminal."""
    tables = [machines_table(results, each) for each in traces_of(results)]
    shown = [
        f"{each.title}\n"
        + terminal_table(["", *each.heads], [[row.name, *row.cells] for row in each.rows])
        for each in tables
    ]
    remarks = dict.fromkeys(remark for each in tables for remark in each.remarks)
    quoted = terminal_table(["quoted", "", ""], [[q.machine, q.what, q.text] for q in QUOTED])
    return "\n\n".join([*shown, "\n".join(["All figures modelled.", *remarks]), quoted])
