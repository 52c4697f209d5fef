"""Matplotlib figures as SVG inside an HTML page that has a light and a dark side.

A figure is drawn with stand-in colours, which then become CSS variables of the page; its text stays
text and takes the page's font. Ids get the figure's name in front, for all figures share one page.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from host.optional import plain_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Stand-ins: no other colour of a figure may be one of these.
INK, MUTED, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
RUN_COLOURS = tuple(f"#05050{number}" for number in range(1, 9))
VARIABLES = {
    **{INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "card"},
    **{colour: f"run-{number}" for number, colour in enumerate(RUN_COLOURS, 1)},
}
DASHES = ("-", "--", ":", "-.")
SIZE_INCHES = (4.7, 3.2)

RC: dict[Any, Any] = {
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.7,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "fractrain",  # the same bytes for the same run
    "text.color": INK,
    "text.parse_math": False,  # names of runs and blocks may have dollar signs
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}


@dataclass(frozen=True)
class Picture:
    """One figure of the page: its title, its ``<svg>``, and what must be said below it."""

    title: str
    svg: str
    caption: str


def line_style(number: int) -> tuple[str, str]:
    """Colour and dashes of the run with this number, from 0: the same in every figure."""
    rounds, colour = divmod(number, len(RUN_COLOURS))
    return RUN_COLOURS[colour], DASHES[rounds % len(DASHES)]


def count_ticks(axes: Axes) -> None:
    """Steps on the x axis: whole numbers, with commas."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def mark(axes: Axes, x: Sequence[float], y: Sequence[float], colour: str) -> None:
    """Dots on the line of a run."""
    axes.plot(
        x,
        y,
        linestyle="none",
        marker="o",
        markersize=7,
        color=colour,
        markeredgecolor=PAPER,
        zorder=3,
    )


@contextmanager
def drawing() -> Iterator[tuple[Figure, Axes]]:
    """An empty figure of one plot, and our style while it is drawn and rendered.

    Raises `MissingToolError` without matplotlib.
    """
    with plain_matplotlib("report"), warnings.catch_warnings():
        import matplotlib
        from matplotlib.figure import Figure

        matplotlib.rcParams.update(RC)
        # Letters that matplotlib's font lacks are drawn by the browser.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        yield figure, figure.add_subplot()


def render(figure: Figure, name: str, description: str) -> str:
    """The ``<svg>`` element of ``figure``, within `drawing`.

    name : letters, digits and hyphens; unique on the page
    description : read out in place of the picture
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    svg = re.sub("|".join(VARIABLES), lambda found: f"var(--{VARIABLES[found[0]]})", svg)
    # The page decides the size (the viewBox keeps the shape) and the font.
    opening, bracket, rest = svg.partition(">")
    opening = re.sub(r' (width|height)="[^"]*"', "", opening)
    label = f' role="img" aria-label="{escape(description)}"'
    rest = re.sub(r" font-family: [^;\"]*;?", "", rest)
    return opening + label + bracket + rest.strip()
