"""Quoted machines: each figure and its source stand in the documentation, too."""

import dataclasses
from pathlib import Path

import pytest

from fractrain.sim.machines import QUOTED, Quoted

PAGE = (Path(__file__).parents[3] / "docs" / "machines.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", QUOTED, ids=lambda row: f"{row.machine}, {row.what}")
def test_the_page_has_it(row: Quoted) -> None:
    assert f"| {row.machine} | {row.what} | {row.text} |" in PAGE
    assert row.source in PAGE.replace("\n", " ")


def test_figures_for_people() -> None:
    row = QUOTED[0]
    assert row.text == "610.98 GOPS"
    assert dataclasses.replace(row, value=2.5, unit="×", least=True).text == "≥ 2.5×"
