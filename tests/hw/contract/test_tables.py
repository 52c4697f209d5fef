"""Tables for the terminal and in Markdown."""

from __future__ import annotations

from fractrain.hw.contract.tables import markdown_table, terminal_table

HEADS = ("name", "count", "change")
ROWS = [("a", "1,000", "-1.5 %"), ("longer", "7", "+20 %")]


def test_numbers_stand_to_the_right_and_lines_have_no_blanks_at_their_end():
    assert terminal_table(HEADS, ROWS).split("\n") == [
        "name    count  change",
        "------  -----  ------",
        "a       1,000  -1.5 %",
        "longer      7   +20 %",
    ]
    assert terminal_table(("x", "what"), [("1", "")], indent="  ") == "  x  what\n  -  ----\n  1"


def test_cells_that_say_nothing_decide_nothing():
    assert terminal_table(("a", "b"), [("-", ""), ("12", "x")]).split("\n")[2:] == [" -", "12  x"]


def test_table_without_rows_is_its_head():
    assert terminal_table(HEADS, []) == "name  count  change\n----  -----  ------"


def test_markdown_escapes_what_would_end_a_cell():
    assert markdown_table(("a", "b"), [("x|y", ""), ("1", "2")]).split("\n") == [
        "| a | b |",
        "|---|---|",
        r"| x\|y | |",
        "| 1 | 2 |",
    ]
