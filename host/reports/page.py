"""The report: one HTML page that needs nothing but itself.

The text around the figures is a Jinja template, for a reason: run names, commands and settings are
other people's text, and a template that escapes whatever it is given cannot forget to. Only our own
SVG is exempt; matplotlib escapes the text in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from host import __version__
from host.optional import needs_extra
from host.reports.accuracy_figures import accuracy_figures
from host.reports.heat_maps import heat_maps, highest_bits
from host.reports.measured_table import measured_table
from host.reports.published import published_tables
from host.reports.quantities import MEANINGS, significant
from host.reports.run import Run
from host.reports.savings import at_equal_accuracy, caveats
from host.reports.settings import command_line
from host.reports.step_figures import step_figures
from host.reports.step_log import StageStart
from host.reports.svg import RUN_COLOURS, Picture, line_style
from host.reports.tables import (
    different_settings_table,
    equal_accuracy_table,
    results_table,
    shared_settings_table,
)


@dataclass(frozen=True)
class RunSection:
    """What the page says of one run alone."""

    run: Run
    colour: int
    dashed: bool
    heat_maps: Sequence[Picture]
    stages: Sequence[str]
    command: str | None


def render_page(runs: Sequence[Run], say: Callable[[str], None] = lambda text: None) -> str:
    """The page of ``runs``; ``say`` is told what is being drawn.

    Raises `MissingToolError` without the packages of the extra ``report``.
    """
    with needs_extra("report"):
        import jinja2
        from markupsafe import Markup
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("host.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = lambda picture: Markup(picture.svg)
    return environment.get_template("page.html").render(_contents(runs, say))


def _contents(runs: Sequence[Run], say: Callable[[str], None]) -> dict[str, Any]:
    say("drawing accuracy and training")
    several = len(runs) > 1
    return {
        "title": "Training runs compared" if several else f"Training run {runs[0].name}",
        "version": __version__,
        "several": several,
        "sections": _sections(runs, say),
        "caveats": caveats(runs),
        "results": results_table(runs),
        "measured": measured_table(runs),
        "equal_accuracy": [equal_accuracy_table(each) for each in at_equal_accuracy(runs)],
        "published": published_tables(runs),
        "accuracy": accuracy_figures(runs),
        "training": step_figures(runs),
        "settings": [different_settings_table(runs), shared_settings_table(runs)],
        "meanings": {source.value: text for source, text in MEANINGS.items()},
    }


def _sections(runs: Sequence[Run], say: Callable[[str], None]) -> list[RunSection]:
    highest = highest_bits(runs)
    sections = []
    for number, run in enumerate(runs):
        say(f"drawing the blocks of {run.name}")
        colour, dashes = line_style(number)
        sections.append(
            RunSection(
                run=run,
                colour=RUN_COLOURS.index(colour) + 1,
                dashed=dashes != "-",
                heat_maps=heat_maps(run, number + 1, highest),
                stages=[_stage(start) for start in run.log.stage_starts()],
                command=command_line(run),
            )
        )
    return sections


def _stage(start: StageStart) -> str:
    """``stage 1 from step 242 (epoch 11): 4/4/6``."""
    text = f"stage {start.stage} from step {start.step:,}"
    if start.epoch is not None:
        text += f" (epoch {start.epoch:,})"
    if start.bits is not None:
        text += ": " + "/".join(f"{round(each, 2):g}" for each in start.bits)
    if start.target_cp is not None:
        text += f", target {significant(start.target_cp)} %"
    return text
