"""Programs for the widest bits take no longer at fewer: one small step; the tool has whole ones."""

from __future__ import annotations

from tests.host.compiler.wide_layouts import COARSE, FINE, MIXED, Steps, lines, widest
from tests.hw.machines import machine


def test_a_small_step() -> None:
    rows = list(lines(Steps(machine("zc706"), 2, whole=False), ["resnet8"]))
    assert len(rows) == 5 and all(within for _, within in rows), rows


def test_the_layout_is_for_the_widest_of_each_operand() -> None:
    assert str(widest(COARSE, FINE)) == "8/8/8" and str(widest(FINE, MIXED)) == "8/8/12"
