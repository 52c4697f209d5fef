"""Labels where lines end: inside the figure, and never on each other."""

import re

import numpy as np
import pytest

from fractrain.host.reports.end_labels import HEIGHT, MOST, Box, End, label_ends, spread
from fractrain.host.reports.names import text_width
from fractrain.host.reports.svg import INK, SMALL, drawing, render


def overlaps(boxes: list[Box]) -> list[tuple[int, int]]:
    return [(i, j) for i, one in enumerate(boxes) for j in range(i) if one.meets(boxes[j])]


@pytest.mark.parametrize("seed", range(20))
def test_no_two_labels_overlap(seed: int) -> None:
    random = np.random.default_rng(seed)
    wanted = [
        Box(left, left + random.uniform(10, 90), random.uniform(0, 170))
        for left in random.uniform(0, 200, MOST)
    ]
    found = spread(wanted, 0, 190)
    assert overlaps(wanted) and not overlaps(found)
    assert [(box.left, box.right) for box in found] == [(box.left, box.right) for box in wanted]
    assert all(-1e-6 <= box.middle <= 190 + 1e-6 for box in found)


def test_labels_with_room_stay_where_they_are() -> None:
    wanted = [Box(0, 10, 50), Box(0, 10, 50 + HEIGHT), Box(20, 30, 50)]
    assert spread(wanted, 0, 100) == wanted


def test_labels_are_inside_the_figure() -> None:
    """The plot makes room for the longest."""
    name = "as long as names of runs get"
    ends = [End(name, 10, 5, INK), End("short", 9, 5, INK), End("nothing", np.nan, 1, INK)]
    with drawing(SMALL) as (figure, axes):
        axes.plot([0, 10], [0, 5])
        axes.set_xlim(0, 10)
        label_ends(figure, axes, ends)
        svg = render(figure, "test", "test")
    found = re.findall(r'class="halo">\s*<text[^>]* x="([\d.]+)" y="[\d.]+"[^>]*>([^<]*)<', svg)
    assert [text for _, text in found] == [name, "short"]
    for x, text in found:
        assert float(x) + text_width(text, 9) <= 72 * SMALL[0]


def test_too_many_lines_have_a_legend_only() -> None:
    with drawing(SMALL) as (figure, axes):
        label_ends(figure, axes, [End("name", 1, 1, INK)] * (MOST + 1))
        assert "halo" not in render(figure, "test", "test")
