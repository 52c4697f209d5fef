"""The page of all targets is what their values say."""

from pathlib import Path

from fractrain.hw.contract.targets_page import markdown
from fractrain.hw.targets.registry import targets


def test_the_page_is_up_to_date(project_root: Path) -> None:
    page = (project_root / "docs" / "targets.md").read_text(encoding="utf-8")
    again = "python -m fractrain.hw.contract.targets_page > docs/targets.md"
    assert page == markdown(), f"docs/targets.md is stale: {again}"


def test_the_guide_has_the_names_of_every_board(project_root: Path) -> None:
    guide = (project_root / "docs" / "board.md").read_text(encoding="utf-8")
    arguments = (project_root / "board" / "zynq" / "bootargs.txt").read_text(encoding="utf-8")
    for target in targets().values():
        for name in (target.name, target.title, target.linux.device_tree):
            assert name in guide
        assert f"console={target.linux.console}," in arguments
