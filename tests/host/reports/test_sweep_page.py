"""The page of a sweep."""

import re

import pytest

from fractrain.host.reports.quantities import Source
from fractrain.host.reports.sweep_page import (
    Dot,
    Grid,
    SweepPage,
    best_dots,
    groups,
    render_sweep_page,
    scatter,
)
from tests.host.reports.test_page import well_formed

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

DOTS = [
    Dot("1", "method pfq", 0.25, 91.0, "method pfq, seed 0"),
    Dot("2", "method <b>", 0.5, 90.0, "method <b>, seed 0"),
]
TABLE = Grid(
    "All runs",
    ["#", "method", "saving"],
    [["1", "pfq", "25.0 %"], ["2", "<b>", "50.0 %"]],
    [None, None, Source.COMPUTED],
    [1],
)


def test_the_page_escapes_and_shows_everything() -> None:
    page = SweepPage("a&b.yaml", "Run 1 <won>.", [TABLE], DOTS, ["lr=1: <nan>"])
    html = render_sweep_page(page)
    well_formed(html)
    assert "<title>Sweep a&amp;b.yaml</title>" in html
    assert '<td class="plain">&lt;b&gt;</td>' in html and "<b>" not in html
    assert "<li>lr=1: &lt;nan&gt;</li>" in html
    assert "</svg>method &lt;b&gt;</li>" in html
    assert '<tr class="marked"><td class="plain">2</td>' in html
    assert 'saving <span class="source computed">computed</span>' in html


def test_headline_and_picture_come_before_tables() -> None:
    html = render_sweep_page(SweepPage("s.yaml", "What came of it.", [TABLE], DOTS))
    places = [html.index(each) for each in ("What came of it.", "<figure", "<table")]
    assert places == sorted(places)


def test_without_a_finished_run_there_is_no_picture() -> None:
    html = render_sweep_page(SweepPage("s.yaml", "None.", [TABLE], []))
    assert "<svg" not in html and "What to know" not in html and '<td class="plain">1</td>' in html


def test_a_dot_with_its_number_and_its_settings_for_each_run() -> None:
    picture = scatter(DOTS)
    for svg in (picture.svg, picture.small):
        assert "var(--run-1)" in svg and "var(--run-2)" in svg
        assert len(re.findall(r'class="halo">\s*<text[^>]*>[12]</text>', svg)) == 2
        titles = re.findall(r"<title>([^<]*)</title><use", svg)
        assert titles == [
            "1 (method pfq, seed 0): 91.00 % test accuracy, saving 25.0 %",
            "2 (method &lt;b&gt;, seed 0): 90.00 % test accuracy, saving 50.0 %",
        ]
    assert scatter(DOTS[:1]).svg.startswith("<svg"), "one dot leaves no range"


def test_many_dots_leave_the_best_ones_their_numbers() -> None:
    many = [Dot(str(each), "", each / 100, 90 - (each % 7)) for each in range(60)]
    svg = scatter(many).svg
    assert svg.count('class="halo"') == len(best_dots(many)) < 15


def test_the_best_are_those_that_no_other_beats() -> None:
    dots = [
        Dot("accurate", "", 0.1, 92),
        Dot("between", "", 0.3, 91),
        Dot("beaten", "", 0.2, 90),
        Dot("thrifty", "", 0.6, 80),
        Dot("as thrifty, worse", "", 0.6, 79),
    ]
    assert [dot.label for dot in best_dots(dots)] == ["accurate", "between", "thrifty"]
    assert best_dots([]) == []


def test_groups_in_the_order_of_their_dots() -> None:
    dots = [Dot(str(each), f"g{each % 9}", 0, 0) for each in range(18)]
    assert groups(dots) == [f"g{each}" for each in range(9)]
