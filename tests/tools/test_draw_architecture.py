"""The picture of the architecture is what its script draws, and shows what there is in the tree."""

import re
from pathlib import Path
from xml.etree import ElementTree

from tools.draw_architecture import BOXES, HEIGHT, PICTURE, WIDTH, WIRES, draw


def test_the_committed_picture_is_drawn_by_the_script(project_root: Path) -> None:
    committed = (project_root / PICTURE).read_text(encoding="utf-8")
    assert committed == draw(), "run python tools/draw_architecture.py"


def test_every_box_stands_for_something_that_exists(project_root: Path) -> None:
    missing = [box.home for box in BOXES if box.home and not (project_root / box.home).exists()]
    assert not missing


def test_it_is_svg_and_everything_is_on_the_page() -> None:
    assert ElementTree.fromstring(draw()).get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    for box in BOXES:
        assert 0 < box.x < box.x + box.width < WIDTH
        assert 0 < box.y < box.y + box.height < HEIGHT
    for wire in WIRES:
        numbers = [int(number) for number in re.findall(r"\d+", wire.path)]
        assert max(numbers) < max(WIDTH, HEIGHT)
