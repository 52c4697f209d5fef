"""The page of a sweep."""

import re

import pytest

from host.reports.sweep_page import Dot, SweepPage, groups, render_sweep_page, scatter

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

DOTS = [Dot("1", "method pfq", 0.25, 91.0), Dot("2", "method <b>", 0.5, 90.0)]


def test_the_page_escapes_and_shows_everything() -> None:
    table = (["#", "method"], [["1", "pfq"], ["2", "<b>"]])
    html = render_sweep_page(SweepPage("a&b.yaml", [table], DOTS, ["lr=1: <nan>"]))
    assert "<title>Sweep a&amp;b.yaml</title>" in html
    assert "<td>&lt;b&gt;</td>" in html and "<b>" not in html
    assert "<li>lr=1: &lt;nan&gt;</li>" in html
    assert '<span class="line run-2"></span>method &lt;b&gt;' in html
    assert html.count("<svg") == 1


def test_without_a_finished_run_there_is_no_picture() -> None:
    html = render_sweep_page(SweepPage("s.yaml", [(["#"], [["1"]])], [], []))
    assert "<svg" not in html and "Before you read" not in html and "<td>1</td>" in html


def test_a_dot_and_its_number_for_each_run() -> None:
    svg = scatter(DOTS).svg
    assert "var(--run-1)" in svg and "var(--run-2)" in svg
    assert len(re.findall(r">\s*[12]\s*</text>", svg)) == 2
    assert scatter(DOTS[:1]).svg.startswith("<svg"), "one dot leaves no range"


def test_colours_repeat_after_the_eighth() -> None:
    dots = [Dot(str(each), f"g{each % 9}", 0, 0) for each in range(18)]
    assert list(groups(dots).values()) == [1, 2, 3, 4, 5, 6, 7, 8, 1]
