"""The roofline picture is drawn, and says what is wrong with its file."""

from pathlib import Path

import pytest

from host.simulation.roofline import Point, draw_roofline
from hw.contract.errors import DataError
from hw.contract.parameters import load_parameters
from hw.contract.precision import Pass

POINTS = [Point(Pass.FORWARD, 10**9, 10**5, 20_000), Point(Pass.ERROR, 10**8, 0, 60_000)]


def draw(path: Path) -> None:
    draw_roofline(path, POINTS, load_parameters("zc706"), bytes_per_cycle=20, title="title")


def test_the_picture_names_its_roof_and_its_passes(tmp_path: Path) -> None:
    file = tmp_path / "roofline.svg"
    draw(file)
    text = file.read_text()
    assert "<!-- roof: 73,728 bit-products, 20.0 bytes per cycle -->" in text
    assert "<!-- forward -->" in text and "<!-- gradient -->" not in text


def test_wrong_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"roofline\.xyz: give it the ending"):
        draw(tmp_path / "roofline.xyz")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        draw(tmp_path / "file" / "roofline.svg")
