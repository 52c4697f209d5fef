"""Colours of the page: readable on both grounds, and apart for eyes that lack a kind of cone."""

import itertools
import re
from importlib import resources

import numpy as np
import pytest
from numpy.typing import NDArray

from fractrain.host.reports.svg import RUN_COLOURS, line_style

CSS = resources.files("fractrain.host.reports").joinpath("templates", "page.css").read_text("utf-8")
THEMES = dict(zip(("light", "dark"), re.findall(r":root \{[^}]*\}", CSS), strict=True))

# Machado, Oliveira, Fernandes 2009, table 1, severity 1.0; of linear RGB.
SIGHT = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(theme: str, name: str) -> NDArray[np.float64]:
    (colour,) = re.findall(rf"--{name}: #(\w{{6}});", THEMES[theme])
    value = np.array([int(colour[place : place + 2], 16) for place in (0, 2, 4)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(theme: str, one: str, other: str) -> float:
    light = sorted(float(TO_XYZ[1] @ linear(theme, name)) for name in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    x = TO_XYZ @ np.clip(rgb, 0, 1) / (0.95047, 1, 1.08883)
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", THEMES)
def test_lines_and_letters_can_be_seen(theme: str) -> None:
    """WCAG 2: 3 for graphics, 4.5 for text."""
    for ground in ("paper", "card"):
        for number in range(1, len(RUN_COLOURS) + 1):
            assert contrast(theme, f"run-{number}", ground) >= 3, (ground, number)
        for name in ("ink", "muted", "measured", "computed", "modelled", "quoted"):
            assert contrast(theme, name, ground) >= 4.5, (ground, name)
    assert contrast(theme, "accent", "paper") >= 4.5
    assert contrast(theme, "ink", "mark") >= 4.5


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("theme", THEMES)
def test_runs_differ_for_every_eye(theme: str, sight: str) -> None:
    """CIE 1976 differences: about 2 is seen side by side; dashes differ, too."""
    seen = [
        lab(np.asarray(SIGHT[sight]) @ linear(theme, f"run-{number}")) for number in range(1, 9)
    ]
    for (i, one), (j, other) in itertools.combinations(enumerate(seen, 1), 2):
        least = 17 if max(i, j) <= 4 else 11
        assert np.linalg.norm(one - other) >= least, (i, j)


def test_the_first_32_lines_are_all_different() -> None:
    styles = [line_style(number) for number in range(32)]
    assert len(set(styles)) == 32
    assert all(a.dashes != b.dashes for a, b in itertools.pairwise(styles[:8]))
