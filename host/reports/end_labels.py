"""Labels at the ends of lines, instead of a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fractrain.host.reports.names import text_width
from fractrain.host.reports.svg import HALO

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT_SIZE, HEIGHT, GAP, MARGIN = 9, 11, 5, 2
"""Of labels, in points: letters, lines, between a line and its label, at the edge of the figure."""

MOST = 14
"""More do not fit beside each other: the legend has to do."""


@dataclass(frozen=True)
class End:
    """Where a line ends, in the coordinates of its data, and what is written there."""

    text: str
    x: float
    y: float
    colour: str


@dataclass(frozen=True)
class Box:
    """Of a label, in points: from ``left`` to ``right``, ``HEIGHT`` around ``middle``."""

    left: float
    right: float
    middle: float

    def meets(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and abs(self.middle - other.middle) < HEIGHT - 1e-6
        )


def label_ends(figure: Figure, axes: Axes, ends: Sequence[End]) -> None:
    """Write ``ends`` beside the lines, moved apart where they would cover each other.

    The plot becomes as much narrower as the labels need. Call it when all else is drawn.
    """
    ends = [each for each in ends if math.isfinite(each.x) and math.isfinite(each.y)]
    if not ends or len(ends) > MOST:
        return
    widths = [text_width(each.text, FONT_SIZE) for each in ends]
    _make_room(figure, axes, ends, widths)
    total_width, total_height = figure.bbox.size
    low, high = (axes.bbox.y0 + HEIGHT / 2, axes.bbox.y1 - HEIGHT / 2)
    points = axes.transData.transform([(each.x, each.y) for each in ends])
    wanted = [
        Box(x + GAP, x + GAP + width, min(max(y, low), high))
        for (x, y), width in zip(points, widths, strict=True)
    ]
    for number, (end, box) in enumerate(zip(ends, spread(wanted, low, high), strict=True)):
        x, y = points[number]
        if abs(box.middle - y) > HEIGHT / 2:
            _leader(figure, end.colour, (x, y), (box.left - 1, box.middle))
        figure.text(
            box.left / total_width,
            box.middle / total_height,
            end.text,
            fontsize=FONT_SIZE,
            va="center_baseline",
            gid=f"{HALO}-{number}",
        ).set_in_layout(False)


def spread(wanted: Sequence[Box], low: float, high: float) -> list[Box]:
    """``wanted`` without overlaps, each as near to its place as those before it leave it, within
    ``low`` and ``high`` if there is room."""
    placed: dict[int, Box] = {}
    for index in sorted(range(len(wanted)), key=lambda each: -wanted[each].middle):
        box = wanted[index]
        others = [
            each for each in placed.values() if each.left < box.right and box.left < each.right
        ]
        places = [
            box.middle,
            *(each.middle + sign * HEIGHT for each in others for sign in (1, -1)),
        ]
        free = [
            candidate
            for candidate in (Box(box.left, box.right, place) for place in places)
            if not any(candidate.meets(each) for each in others)
        ]
        inside = [each for each in free if low - 1e-6 <= each.middle <= high + 1e-6]
        placed[index] = min(inside or free, key=lambda each: abs(each.middle - box.middle))
    return [placed[index] for index in range(len(wanted))]


def _make_room(figure: Figure, axes: Axes, ends: Sequence[End], widths: Sequence[float]) -> None:
    """Move the right edge of the plot until every label fits into the figure."""
    figure.draw_without_rendering()
    total, left, width = figure.bbox.width, axes.bbox.x0, axes.bbox.width
    needed = width
    for end, label in zip(ends, widths, strict=True):
        part = (axes.transData.transform((end.x, end.y))[0] - left) / width
        if part > 0:
            needed = min(needed, (total - MARGIN - label - GAP - left) / part)
    needed = max(needed, 0.3 * total)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1 - (width - needed) / total, 1))  # type: ignore[call-arg]
    figure.draw_without_rendering()


def _leader(
    figure: Figure, colour: str, start: tuple[float, float], end: tuple[float, float]
) -> None:
    """A thin line in pixels of the figure."""
    from matplotlib.lines import Line2D

    x, y = zip(start, end, strict=True)
    width, height = figure.bbox.size
    line = Line2D([each / width for each in x], [each / height for each in y])
    line.set(color=colour, linewidth=0.8, transform=figure.transFigure, in_layout=False)
    figure.add_artist(line)
