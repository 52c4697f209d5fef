"""The rebuttal as one HTML page that needs nothing else."""

from __future__ import annotations

from typing import Any

from fractrain.host.machines.tables import machines_section
from fractrain.host.rebuttal.document import SOURCES, TITLE, Rebuttal, summary
from fractrain.host.rebuttal.pictures import pictures_of
from fractrain.host.reports.template import fill


def rebuttal_page(rebuttal: Rebuttal) -> str:
    """Raises `MissingToolError` without the packages of the extra ``report``."""
    return fill("rebuttal.html", lambda: _contents(rebuttal))


def _contents(rebuttal: Rebuttal) -> dict[str, Any]:
    return {
        "title": TITLE,
        "headline": summary(rebuttal.claims),
        "claims": rebuttal.claims,
        "pictures": {each.identifier: pictures_of(each) for each in rebuttal.claims},
        "traces": rebuttal.inputs.traces.values(),
        "without": rebuttal.inputs.without,
        "machines": machines_section(rebuttal.results) if rebuttal.results else None,
        "meanings": {source.value: text for source, text in SOURCES.items()},
    }
