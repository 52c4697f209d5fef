"""Figures as SVG inside the page, in its colours, also in dark mode.

Matplotlib writes hexadecimal colours and does not know whether the page is light or dark. So
colours are drawn as stand-ins, which `render` replaces by variables of the page; text stays text
and takes the page's font. Ids begin with the figure's name, as all figures share one page.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from fractrain.host.reports.matplotlib_defaults import plain_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

# Stand-ins: no other colour of a figure may be one of these.
INK, MUTED, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
RUN_COLOURS = tuple(f"#05050{number}" for number in range(1, 9))
VARIABLES = {
    **{INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "card"},
    **{colour: f"run-{number}" for number, colour in enumerate(RUN_COLOURS, 1)},
}
DASHES: Mapping[str, tuple[float, ...]] = {
    "solid": (),
    "dashed": (4.5, 1.8),
    "dash-dotted": (6.5, 1.6, 1.1, 1.6),
    "dotted": (1.2, 1.3),
}
"""Lengths of dashes and gaps, in widths of the line."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Shapes of dots, so that groups of them differ in more than their colours."""

LINE_WIDTH, RAW_WIDTH = 1.7, 0.6
SMALL, WIDE = (4.7, 3.2), (9.4, 4.1)
"""In inches: for a phone or a third of a screen, and for the width of a page."""

HALO = "halo"
"""In the ids of texts that may lie on lines: the page puts its colour around their letters."""

RC: dict[Any, Any] = {
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 72,  # a pixel is a point, as in the SVG
    "figure.facecolor": "none",
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "lines.linewidth": LINE_WIDTH,
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
    """One figure of the page.

    svg : its ``<svg>``; small : another one for small screens, where ``svg`` is a wide one
    caption : what must be said below it
    """

    title: str
    svg: str
    caption: str
    small: str = ""


@dataclass(frozen=True)
class LineStyle:
    """How the line of a run looks in every figure."""

    colour: str
    dashes: tuple[float, ...]

    @property
    def variable(self) -> str:
        """The page's name of the colour."""
        return VARIABLES[self.colour]

    @property
    def matplotlib(self) -> dict[str, Any]:
        """For ``Axes.plot``."""
        return {"color": self.colour, "linestyle": (0, self.dashes) if self.dashes else "-"}


def line_style(number: int) -> LineStyle:
    """That of the run with this number, from 0.

    Neighbours differ in colour and in dashes, so that no eye depends on the colour alone; the
    first 32 are all different.
    """
    rounds, colour = divmod(number, len(RUN_COLOURS))
    dashes = list(DASHES.values())
    return LineStyle(RUN_COLOURS[colour], dashes[(number + rounds) % len(dashes)])


def sample(number: int, x: float = 0, y: float = 4, length: float = 28) -> str:
    """A ``<line>`` like the line of run ``number``, for legends."""
    style = line_style(number)
    dashes = " ".join(f"{LINE_WIDTH * each:.2f}" for each in style.dashes) or "none"
    return (
        f'<line x1="{x:g}" x2="{x + length:g}" y1="{y:g}" y2="{y:g}" stroke-width="{LINE_WIDTH}" '
        f'stroke="var(--{style.variable})" stroke-dasharray="{dashes}"/>'
    )


def marker_sample(number: int) -> str:
    """A ``<path>`` as the dots of group ``number``, around 0, for legends; within `drawing`'s
    needs."""
    from matplotlib.markers import MarkerStyle

    style = MarkerStyle(MARKERS[number % len(MARKERS)])
    (polygon,) = style.get_path().transformed(style.get_transform()).to_polygons()
    corners = np.asarray(polygon) * (10, -10)
    points = " L".join(f"{x:.2f} {y:.2f}" for x, y in corners)
    return f'<path d="M{points} Z" fill="var(--{line_style(number).variable})"/>'


def mark(axes: Axes, x: ArrayLike, y: ArrayLike, colour: str, **more: Any) -> None:
    """Dots on the line of a run."""
    look: dict[str, Any] = {"marker": "o", "markersize": 7, "markeredgecolor": PAPER, "zorder": 3}
    axes.plot(x, y, linestyle="none", color=colour, **look | more)


@contextmanager
def drawing(
    size: tuple[float, float] = SMALL, extra: str = "report"
) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure of one plot, and our style while it is drawn and rendered.

    Raises `MissingToolError` naming ``extra`` without matplotlib.
    """
    with plain_matplotlib(extra), warnings.catch_warnings():
        import matplotlib
        from matplotlib.figure import Figure

        matplotlib.rcParams.update(RC)
        # Letters that matplotlib's font lacks are drawn by the browser.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=size, layout="constrained")
        yield figure, figure.add_subplot()


def render(
    figure: Figure,
    name: str,
    description: str,
    tooltips: Mapping[str, str | Sequence[str]] | None = None,
) -> str:
    """The ``<svg>`` element of ``figure``, within `drawing`.

    name : letters, digits and hyphens; unique on the page
    description : read out in place of the picture
    tooltips : by the ``gid`` of what was drawn: a text for all of it, or one for each of its dots
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = _rounded(svg)
    for gid, texts in (tooltips or {}).items():
        svg = _with_tooltips(svg, gid, texts)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    svg = re.sub("|".join(VARIABLES), lambda found: f"var(--{VARIABLES[found[0]]})", svg)
    # The page decides the size (the viewBox keeps the shape) and the font.
    opening, bracket, rest = svg.partition(">")
    opening = re.sub(r' (width|height)="[^"]*"', "", opening)
    label = f' role="img" aria-label="{escape(description)}"'
    rest = re.sub(r" font-family: [^;\"]*;?", "", rest)
    rest = re.sub(rf'(<g id="[^"]*{HALO}[^"]*")', rf'\1 class="{HALO}"', rest)
    return opening + label + bracket + rest.strip()


def _rounded(svg: str) -> str:
    """Coordinates to hundredths of a point: half as long, and no eye sees more."""

    def shorter(found: re.Match[str]) -> str:
        return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", found[0])

    return re.sub(r'\b(?:d|x|y|transform)="[^"]*"', shorter, svg)


def _with_tooltips(svg: str, gid: str, texts: str | Sequence[str]) -> str:
    """``<title>`` elements, which browsers show beside the pointer, in the group ``gid``."""
    opening = f'<g id="{gid}">'
    before, found, rest = svg.partition(opening)
    if not found:
        raise RuntimeError(f"the figure has no group {gid}")
    if isinstance(texts, str):
        return f"{before}{opening}<title>{escape(texts)}</title>{rest}"
    inside, *others = re.split(r"(?=<g id=)", rest, maxsplit=1)
    pieces = re.split(r"(<use [^>]*/>)", inside)
    dots = pieces[1::2]
    if len(dots) != len(texts):
        raise RuntimeError(f"{gid} has {len(dots)} dots and {len(texts)} tooltips")
    pieces[1::2] = [
        f"<g><title>{escape(text)}</title>{dot}</g>" for text, dot in zip(texts, dots, strict=True)
    ]
    return before + opening + "".join([*pieces, *others])
