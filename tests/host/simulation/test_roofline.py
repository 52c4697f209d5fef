"""The roofline: a picture of its own that names roofs and layers, light and dark."""

import re
from xml.etree import ElementTree

import pytest

from fractrain.host.simulation.roofline import Point, Roofs, roofline, roofs_of
from fractrain.hw.contract.parameters import load_parameters
from fractrain.hw.contract.precision import Pass

ROOFS = roofs_of(load_parameters("zc706"), 20, "DDR3, modelled")
POINTS = [
    Point("a.first forward", "3x3, 4 x 4 bits", Pass.FORWARD, 10**9, 10**5, 20_000),
    Point("a.second forward", "3x3, 4 x 4 bits", Pass.FORWARD, 10**9, 10**5, 20_000),
    Point("a.first error", "1x1, <4 x 6> bits", Pass.ERROR, 10**7, 10**5, 10_000),
    Point("b error", "1x1, 4 x 4 bits", Pass.ERROR, 10**8, 0, 60_000),
]
STEP = Point("whole step", "4 convolutions", None, 2 * 10**9 + 11 * 10**7, 3 * 10**5, 70_000)


@pytest.fixture(scope="module")
def svg() -> str:
    return roofline(POINTS, STEP, ROOFS, "Roofline: a & b")


def test_roofs() -> None:
    assert ROOFS.ridge == 73_728 / 20
    below, above = POINTS[2], POINTS[0]
    assert ROOFS.bound(below) == (100 * 20, "memory")
    assert ROOFS.bound(above) == (73_728, "array")
    assert ROOFS.of_array(above) == pytest.approx(100 * 50_000 / 73_728)
    assert ROOFS.of_roof(below) == pytest.approx(50)
    assert ROOFS.of_roof(above) == ROOFS.of_array(above)


def test_it_names_its_roofs_and_says_what_is_measured(svg: str) -> None:
    words = text_of(svg)
    assert "array: 73,728 bit-products per cycle (461 GOPS at 8 x 8 bits)" in words
    assert "DDR3, modelled: 4.00 GB/s" in words
    assert "bit-products per byte moved (measured in RTL)" in words
    assert "bit-products per cycle, % of the array (measured in RTL)" in words
    assert {"Roofline: a & b", "forward (2)", "error (2)", "whole step, one stream"} <= set(words)
    assert not any(word.startswith("gradient") for word in words), "no gradient in it"


def test_every_point_tells_its_layer_and_its_efficiency(svg: str) -> None:
    titles = re.findall(r"<title>([^<]*)</title><use", svg)
    assert titles == [
        "a.first forward: 3x3, 4 x 4 bits; 20,000 cycles, 100 kB moved; 67.8 % of the array, "
        "67.8 % of its roof, the array",
        "a.second forward: 3x3, 4 x 4 bits; 20,000 cycles, 100 kB moved; 67.8 % of the array, "
        "67.8 % of its roof, the array",
        "a.first error: 1x1, &lt;4 x 6&gt; bits; 10,000 cycles, 100 kB moved; 1.4 % of the array, "
        "50.0 % of its roof, the memory",
        "b error: 1x1, 4 x 4 bits; 60,000 cycles, 0 B moved; 2.3 % of the array, 2.3 % of its "
        "roof, the array",
        "whole step: 4 convolutions; 70,000 cycles, 300 kB moved; 40.9 % of the array, 40.9 % of "
        "its roof, the array",
    ]


def test_what_wastes_most_is_named_once(svg: str) -> None:
    """The whole step, then convolutions by the cycles that they leave unused; of equals one."""
    labels = [word for word in text_of(svg) if re.search(r", \d+ %$", word)]
    assert labels == [
        "whole step, 41 %",
        "b error, 2 %",
        "a.first error, 1 %",
        "a.first forward, 68 %",
    ]


def test_it_needs_nothing_else_and_has_a_dark_mode(svg: str) -> None:
    assert "prefers-color-scheme: dark" in svg
    used = set(re.findall(r"var\((--[\w-]+)\)", svg))
    assert used and used <= set(re.findall(r"(--[\w-]+):", svg))
    assert not re.search(r"url\((?!#)|@import|<script|href=\"(?!#)", svg)
    label = ElementTree.fromstring(svg).attrib["aria-label"]
    assert label.startswith("Roofline of 4 convolutions: they use 1.4 to 67.8 % of the array alone")


@pytest.mark.parametrize("rate", [0.01, 1, 1e4])
def test_any_memory_can_be_drawn(rate: float) -> None:
    roofs = Roofs(9216, rate, 166.667, "ports")
    assert "<svg" in roofline(POINTS[:1], STEP, roofs, "one")


def text_of(svg: str) -> list[str]:
    tree = ElementTree.fromstring(svg)
    found = tree.iter("{http://www.w3.org/2000/svg}text")
    return ["".join(each.itertext()).strip() for each in found]
