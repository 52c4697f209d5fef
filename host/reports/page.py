"""The report: one HTML page of training runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from fractrain.host.reports.accuracy_figures import accuracy_figures
from fractrain.host.reports.end_labels import MOST
from fractrain.host.reports.headline import headline
from fractrain.host.reports.heat_maps import heat_maps, highest_bits, one_precision_a_stage
from fractrain.host.reports.measured_table import measured_table
from fractrain.host.reports.published import published_tables
from fractrain.host.reports.quantities import MEANINGS
from fractrain.host.reports.run import Run
from fractrain.host.reports.savings import at_equal_accuracy, caveats
from fractrain.host.reports.settings import command_line
from fractrain.host.reports.step_figures import step_figures
from fractrain.host.reports.step_log import StageStart
from fractrain.host.reports.svg import Picture
from fractrain.host.reports.tables import (
    Table,
    different_settings_table,
    equal_accuracy_table,
    results_table,
    shared_settings_table,
)
from fractrain.host.reports.template import fill


@dataclass(frozen=True)
class RunSection:
    """What the page says of one run alone; ``precision``: in a line, where no picture is needed."""

    run: Run
    stages: Sequence[str]
    precision: str
    command: str | None


class MachineCosts(Protocol):
    """What the runs cost on several machines, made by `host.machines.tables`."""

    @property
    def tables(self) -> Sequence[Table]: ...

    @property
    def pictures(self) -> Sequence[Picture]: ...

    @property
    def quoted(self) -> Table: ...


def render_page(
    runs: Sequence[Run],
    say: Callable[[str], None] = lambda text: None,
    machines: MachineCosts | None = None,
) -> str:
    """The page of ``runs``, with what they cost on ``machines`` if that is given; ``say`` is told
    what is being drawn.

    Raises `MissingToolError` without the packages of the extra ``report``.
    """
    return fill("page.html", lambda: _contents(runs, say, machines))


def _contents(
    runs: Sequence[Run], say: Callable[[str], None], machines: MachineCosts | None
) -> dict[str, Any]:
    say("drawing accuracy and training")
    several = len(runs) > 1
    return {
        "title": "Training runs compared" if several else f"Training run {runs[0].name}",
        "headline": headline(runs),
        "runs": runs,
        "most_labels": MOST,
        "sections": [_section(run) for run in runs],
        "notes_of_runs": [*caveats(runs), *_notes(runs)],
        "results": results_table(runs),
        "measured": measured_table(runs),
        "equal_accuracy": [equal_accuracy_table(each) for each in at_equal_accuracy(runs)],
        "published": published_tables(runs),
        "accuracy": {name: [picture] for name, picture in accuracy_figures(runs).items()},
        "training": step_figures(runs),
        "maps": _maps(runs, say),
        "machines": machines,
        "settings": [different_settings_table(runs), shared_settings_table(runs)],
        "meanings": {source.value: text for source, text in MEANINGS.items()},
    }


def _notes(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        if run.summary is None:
            yield f"{run.name} has not ended; it is still going or was stopped."
        yield from (f"{run.name}: {note}" for note in run.notes)


def _maps(runs: Sequence[Run], say: Callable[[str], None]) -> dict[str, list[Picture]]:
    """Pictures by what they show: one for each run with gates that chose, named as the run."""
    highest = highest_bits(runs)
    found: dict[str, list[Picture]] = {}
    for number, run in enumerate(runs, 1):
        say(f"drawing the blocks of {run.name}")
        for title, picture in heat_maps(run, number, highest).items():
            titled = replace(picture, title=run.name) if len(runs) > 1 else picture
            found.setdefault(title, []).append(titled)
    return found


def _section(run: Run) -> RunSection:
    starts = run.log.stage_starts()
    alike = one_precision_a_stage(run)
    if alike and len(starts) <= 1:
        bits = f"{_bits(starts[0].bits)} bits of " if starts and starts[0].bits else ""
        precision = f"{bits}activations/weights/errors in all blocks, in every step."
    else:
        precision = "The same bits in all blocks, by the stage of the schedule." if alike else ""
    return RunSection(
        run=run,
        stages=[_stage(start) for start in starts],
        precision=precision if starts or alike else "No bits are recorded.",
        command=command_line(run),
    )


def _stage(start: StageStart) -> str:
    """``stage 1 from step 242 (epoch 11): 4/4/6``."""
    text = f"stage {start.stage} from step {start.step:,}"
    if start.epoch is not None:
        text += f" (epoch {start.epoch:,})"
    if start.bits is not None:
        text += f": {_bits(start.bits)}"
    if start.target_cp is not None:
        text += f", target {start.target_cp:.3g} %"
    return text


def _bits(means: Sequence[float]) -> str:
    return "/".join(f"{round(each, 2):g}" for each in means)
