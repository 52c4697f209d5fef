"""Results of a power measurement, as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fractrain.host.board.power.protocol import PHASES, PhaseResult
from fractrain.hw.contract.tables import terminal_table

if TYPE_CHECKING:
    from fractrain.host.bringup.workload import Workload

__all__ = ["channels_text", "phase_text"]


def phase_text(result: PhaseResult, workload: Workload | None) -> str:
    """One phase: what was done, and the power of each rail."""
    return f"{_headline(result, workload)}\n\n{_rails(result)}"


def _headline(result: PhaseResult, workload: Workload | None) -> str:
    what = PHASES.get(result.name, "as the board is")
    rate = result.sample_rate_hz
    reached = "" if rate is None else f", {rate:.4g} a second"
    text = f"{result.name}: {what}; {result.seconds:.1f} s, {len(result.samples)} samples{reached}"
    if workload is None:
        return text
    device, cycles = workload.device, workload.cycles_per_run
    text += f"\n  {workload.runs} programs of {cycles:,} cycles"
    if device.system.simulated:
        return f"{text}, simulated: no figure here is of the accelerator"
    busy = cycles * workload.runs / device.clock_hz / result.seconds
    return f"{text}, {100 * busy:.1f} % of the time"


def _rails(result: PhaseResult) -> str:
    if not result.rails:
        return "  power of no rail is known"
    rows = [
        [
            each.rail.name,
            each.rail.how,
            *_figures((each.power.mean, each.power.deviation) if each.power else (None, None)),
            str(each.power.count if each.power else 0),
            *_figures((each.joules, each.joules_per_repetition)),
        ]
        for each in result.rails
    ]
    heads = ["rail", "from", "mean W", "deviation", "samples", "J", "J per program"]
    return terminal_table(heads, rows)


def channels_text(results: Sequence[PhaseResult]) -> str:
    """All sensors, with a column for each phase."""
    rows = []
    for channel in results[0].channels:
        row = [channel.identity, channel.device, channel.label or "-", channel.unit]
        for result in results:
            found = result.values(channel)
            row.append("-" if found is None else f"{found.mean:.5g} ± {found.deviation:.2g}")
        rows.append(row)
    return terminal_table(
        ["sensor", "device", "label", "unit", *(each.name for each in results)], rows
    )


def _figures(values: Sequence[float | None]) -> list[str]:
    return ["-" if each is None else f"{each:.4g}" for each in values]
