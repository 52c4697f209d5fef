"""The pictures themselves: pixels of the heat maps, dots on lines, ticks."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from fractrain.host.reports.accuracy_figures import accuracy_figures
from fractrain.host.reports.heat_maps import heat_maps, highest_bits
from fractrain.host.reports.run import read_run
from fractrain.host.reports.step_figures import step_figures
from tests.host.reports.synthetic import Bits, progressive, write_run


def pixels(svg: str) -> NDArray[np.uint8]:
    """(rows, columns, RGB) of the picture that has more than one column."""
    encoded = re.findall(r'href="data:image/png;base64,\s*([^"]*)"', svg)
    images = [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in encoded]
    (wide,) = [image for image in images if image.shape[1] > 1 and image.shape[0] < 50]
    return wide[..., :3]


def test_pixels_are_the_bits_of_block_and_step(tmp_path: Path) -> None:
    def bits(step: int, block: int) -> tuple[int, Bits]:
        return 0, (0, 0, 0) if block == 1 and step >= 10 else (3 + block, 4, 6 + block + step // 20)

    run = read_run(write_run(tmp_path / "run", bits=bits))
    highest = highest_bits([run])
    assert highest == 9
    colours = colormaps["viridis"]
    expected = np.array([[bits(step, block)[1] for step in range(40)] for block in range(3)])
    a, w, e = np.moveaxis(expected, -1, 0)
    cost = 100 * (a * w + w * e + a * e) / 3072
    for picture, values in zip(
        heat_maps(run, 1, highest).values(), (a / 9, e / 9, cost / 6.25), strict=True
    ):
        wanted = colours(values, bytes=True)[..., :3].astype(int)
        found = pixels(picture.svg).astype(int)
        assert found.shape == wanted.shape, picture.title
        assert abs(found - wanted).max() <= 4, picture.title


def test_dots_are_on_the_lines_where_stages_begin(tmp_path: Path) -> None:
    stages = progressive((0, (3, 3, 6)), (13, (4, 4, 6)), (31, (8, 8, 8)))
    run = read_run(write_run(tmp_path / "run", bits=stages))
    for picture in step_figures([run])[:2]:
        paths = re.findall(r'<path d="([^"]*)"[^>]*stroke: var\(--run-1\)', picture.svg)
        line = paths[1]  # behind the steps themselves
        x, y = np.array(re.findall(r"[ML] ([\d.]+) ([\d.]+)", line), dtype=float).T
        dots = re.findall(
            r'<use [^>]*x="([\d.]+)" y="([\d.]+)" style="fill: var\(--run-1\)', picture.svg
        )
        assert len(dots) == 2, picture.title
        for step, (dot_x, dot_y) in zip((13, 31), np.array(dots, dtype=float), strict=True):
            assert dot_x == pytest.approx(x[0] + (x[-1] - x[0]) * step / 39, abs=0.02)
            assert dot_y == pytest.approx(np.interp(dot_x, x, y), abs=0.1)


@pytest.mark.parametrize(
    "accuracies",
    [(10.0, 93.0), (86.5, 86.5), (97.5, 97.6), (98.2, 98.9), (0.0, 100.0), (70.1, 71.0)],
)
def test_accuracy_has_a_handful_of_ticks(tmp_path: Path, accuracies: tuple[float, float]) -> None:
    run = read_run(write_run(tmp_path / "run", accuracies=accuracies))
    svg = accuracy_figures([run])["effective MACs"].svg
    ticks = len(re.findall(r'id="[\w-]*ytick_\d+"', svg))
    assert 2 <= ticks <= 9
