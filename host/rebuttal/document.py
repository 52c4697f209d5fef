"""The rebuttal as one JSON document, and as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fractrain.host.machines.comparison import Result, machines_document, trace_entry
from fractrain.host.rebuttal.claim import Claim, Figure
from fractrain.host.rebuttal.inputs import Inputs
from fractrain.host.reports.quantities import MEANINGS, Source
from fractrain.hw.contract.tables import terminal_table

TITLE = "The rebuttal of FracTrain, reproduced"

SOURCES = {each: MEANINGS[each] for each in (Source.MEASURED, Source.MODELLED, Source.QUOTED)} | {
    Source.MODELLED: "what a model of a machine, or the published cost model, says; computed now"
}


@dataclass(frozen=True)
class Rebuttal:
    """All that is shown: the claims, what they are made of, and our runs on every machine."""

    claims: Sequence[Claim]
    inputs: Inputs
    results: Sequence[Result]


def summary(claims: Sequence[Claim]) -> str:
    """How many claims could be checked, in a sentence."""
    counts = {
        status: sum(each.status is status for each in claims)
        for status in dict.fromkeys(each.status for each in claims)
    }
    said = ", ".join(f"{count} {status.value}" for status, count in counts.items())
    return f"{len(claims)} subjects: {said}."


def rebuttal_document(rebuttal: Rebuttal) -> dict[str, Any]:
    """Everything unrounded; fractions stay fractions."""
    return {
        "title": TITLE,
        "claims": [_claim(each) for each in rebuttal.claims],
        "traces": [trace_entry(each) for each in rebuttal.inputs.traces.values()],
        "runs_without_a_trace": list(rebuttal.inputs.without),
        "machines": machines_document(rebuttal.results, layers=False),
        "sources": {source.value: text for source, text in SOURCES.items()},
    }


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "id": claim.identifier,
        "title": claim.title,
        "says": claim.says,
        "status": claim.status.value,
        "finding": claim.finding,
        "figures": [_figure(each) for each in claim.figures],
        "why": list(claim.why),
        "free_choices": list(claim.choices),
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "unit": figure.unit.value,
        "claimed": figure.claimed,
        "ours": figure.value,
        "source": figure.source.value,
        "command": figure.command or None,
        "about": figure.about,
    }


def rebuttal_text(rebuttal: Rebuttal) -> str:
    """Each claim, its finding, and the figures to look at first."""
    parts = [TITLE, summary(rebuttal.claims)]
    for claim in rebuttal.claims:
        shown = [each for each in claim.figures if each.main] or list(claim.figures)
        rows = [
            [each.name, each.unit.text(each.claimed), each.unit.text(each.value), each.source.value]
            for each in shown
        ]
        lines = [f"{claim.title} ({claim.status.value})", claim.says, claim.finding]
        if rows:
            lines.append(terminal_table(["", "claimed", "here", ""], rows, indent="  "))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
