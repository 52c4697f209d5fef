"""The page of a sweep: accuracy over saving with a dot for each run, and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fractrain.host.reports.axis_scales import error_scale
from fractrain.host.reports.end_labels import MOST, End, label_ends
from fractrain.host.reports.quantities import MEANINGS, Source
from fractrain.host.reports.svg import (
    MARKERS,
    MUTED,
    SMALL,
    WIDE,
    Picture,
    drawing,
    line_style,
    mark,
    render,
)
from fractrain.host.reports.template import fill

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARGIN = 0.06
"""Beside the dots, of their range."""


@dataclass(frozen=True)
class Dot:
    """A finished run.

    label : its number in the table; about : its settings, in words
    group : what its colour and its shape stand for
    saving, accuracy : a fraction, and percent of so many ``images``
    """

    label: str
    group: str
    saving: float
    accuracy: float
    about: str = ""
    images: int | None = None


@dataclass(frozen=True)
class Grid:
    """A table: what its columns are called and where their figures are from, and its rows.

    marked : numbers of rows to look at first, from 0
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    sources: Sequence[Source | None]
    marked: Sequence[int] = ()


@dataclass(frozen=True)
class SweepPage:
    """What the page shows; ``headline``: what came of it, in a sentence."""

    name: str
    headline: str
    tables: Sequence[Grid]
    dots: Sequence[Dot]
    notes: Sequence[str] = field(default_factory=list)


def render_sweep_page(page: SweepPage) -> str:
    """The HTML; `MissingToolError` without the packages of the extra ``report``."""
    return fill("sweep.html", lambda: _contents(page))


def _contents(page: SweepPage) -> dict[str, Any]:
    return {
        "page": page,
        "groups": [name for name in groups(page.dots) if name],
        "picture": scatter(page.dots) if page.dots else None,
        "meanings": {source.value: text for source, text in MEANINGS.items()},
    }


def groups(dots: Sequence[Dot]) -> list[str]:
    """In the order of the dots; the number of a group decides its look."""
    return list(dict.fromkeys(dot.group for dot in dots))


def best_dots(dots: Sequence[Dot]) -> list[Dot]:
    """Those than which no other is better in one of accuracy and saving and as good in the other;
    the thriftiest last."""
    best: list[Dot] = []
    for dot in sorted(dots, key=lambda each: (-each.accuracy, -each.saving)):
        if not best or dot.saving > best[-1].saving:
            best.append(dot)
    return best


def scatter(dots: Sequence[Dot]) -> Picture:
    """Test accuracy over the saving of effective MACs; `MissingToolError` without matplotlib."""
    caption = (
        "Numbers are those of the table; savings are against the same steps at FW8/BW8. Thin line: "
        "runs than which no other is more accurate and saves more. Vertical scale: logarithm of "
        "what is missing to 100 %."
    )
    title = "Test accuracy over saving of effective MACs"
    return Picture(title, _figure(dots, WIDE), caption, _figure(dots, SMALL))


def _figure(dots: Sequence[Dot], size: tuple[float, float]) -> str:
    best = best_dots(dots)
    tooltips = {}
    with drawing(size) as (figure, axes):
        axes.plot(
            *zip(*((100 * dot.saving, dot.accuracy) for dot in best), strict=True),
            color=MUTED,
            linewidth=0.8,
            zorder=1.5,
        )
        for number, group in enumerate(groups(dots)):
            some = [dot for dot in dots if dot.group == group]
            places = [100 * dot.saving for dot in some], [dot.accuracy for dot in some]
            look: dict[str, Any] = {
                "marker": MARKERS[number % len(MARKERS)],
                "gid": f"group-{number}",
            }
            mark(axes, *places, line_style(number).colour, **look)
            tooltips[f"group-{number}"] = [_tooltip(dot) for dot in some]
        images = max(dot.images or 10_000 for dot in dots)
        error_scale(axes, [dot.accuracy for dot in dots], images)
        _limits(axes, [100 * dot.saving for dot in dots])
        axes.set_xlabel("saving of effective MACs, % (computed)")
        axes.set_ylabel("test accuracy, % (measured)")
        labelled = dots if len(dots) <= MOST else best[:MOST]
        label_ends(figure, axes, [End(each.label, *_place(each), MUTED) for each in labelled])
        name = "accuracy-saving" + ("" if size == WIDE else "-small")
        return render(figure, name, _description(best), tooltips)


def _place(dot: Dot) -> tuple[float, float]:
    return 100 * dot.saving, dot.accuracy


def _limits(axes: Axes, savings: Sequence[float]) -> None:
    """All dots inside, with room; equal values would leave no range at all."""
    room = MARGIN * (max(savings) - min(savings)) or 1.0
    axes.set_xlim(min(savings) - room, max(savings) + room)


def _tooltip(dot: Dot) -> str:
    about = f" ({dot.about})" if dot.about else ""
    return f"{dot.label}{about}: {_result(dot)}"


def _result(dot: Dot) -> str:
    return f"{dot.accuracy:.2f} % test accuracy, saving {100 * dot.saving:.1f} %"


def _description(best: Sequence[Dot]) -> str:
    runs = "; ".join(f"{dot.label} {_result(dot)}" for dot in best)
    return f"Test accuracy over saving of effective MACs; the best runs: {runs}."
