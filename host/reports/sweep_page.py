"""The page of a sweep: its table, and accuracy over saving with a dot for each run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from host import __version__
from host.optional import needs_extra
from host.reports.svg import Picture, drawing, line_style, mark, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARGIN = 0.08
"""Around the dots, of their range."""


@dataclass(frozen=True)
class Dot:
    """A finished run: ``saving`` as a fraction, ``accuracy`` in percent; ``group``: its colour."""

    label: str
    group: str
    saving: float
    accuracy: float


@dataclass(frozen=True)
class SweepPage:
    """What the page shows; ``tables`` are pairs of heads and rows."""

    name: str
    tables: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]]
    dots: Sequence[Dot]
    notes: Sequence[str]


def render_sweep_page(page: SweepPage) -> str:
    """The HTML; `MissingToolError` without the packages of the extra ``report``."""
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
    picture = scatter(page.dots) if page.dots else None
    contents: dict[str, Any] = {
        "page": page,
        "groups": groups(page.dots),
        "picture": picture,
        "svg": None if picture is None else Markup(picture.svg),
        "version": __version__,
    }
    return environment.get_template("sweep.html").render(contents)


def groups(dots: Sequence[Dot]) -> dict[str, int]:
    """The groups in their order, each with the number of its colour on the page, from 1."""
    names = dict.fromkeys(dot.group for dot in dots)
    return {name: int(line_style(number)[0][-1]) for number, name in enumerate(names)}


def scatter(dots: Sequence[Dot]) -> Picture:
    """Test accuracy over the saving of effective MACs; `MissingToolError` without matplotlib."""
    title = "Test accuracy over saving of effective MACs"
    with drawing() as (figure, axes):
        for number, group in enumerate(groups(dots)):
            some = [dot for dot in dots if dot.group == group]
            colour = line_style(number)[0]
            mark(axes, [100 * dot.saving for dot in some], [dot.accuracy for dot in some], colour)
        for dot in dots:
            axes.annotate(
                dot.label,
                (100 * dot.saving, dot.accuracy),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=8,
            )
        _limits(axes, dots)
        axes.set_xlabel("saving of effective MACs, % (computed)")
        axes.set_ylabel("test accuracy, % (measured)")
        svg = render(figure, "accuracy-saving", title)
    return Picture(
        title, svg, "Numbers are those of the table; savings are against the same steps at FW8/BW8."
    )


def _limits(axes: Axes, dots: Sequence[Dot]) -> None:
    """All dots inside, with room; equal values would leave no range at all."""
    for values, place in (
        ([100 * dot.saving for dot in dots], axes.set_xlim),
        ([dot.accuracy for dot in dots], axes.set_ylim),
    ):
        room = MARGIN * (max(values) - min(values)) or 1.0
        place(min(values) - room, max(values) + room)
