"""Words of the integer step, as a table and as a page."""

from pathlib import Path

from fractrain.hw.contract.step_words import Word, step_words, words_table

PAGE = Path(__file__).parents[3] / "docs" / "numerics.md"


def test_the_page_has_this_table() -> None:
    assert words_table() in PAGE.read_text(encoding="utf-8"), words_table()


def test_names_are_unique() -> None:
    names = [word.name for word in step_words()]
    assert len(set(names)) == len(names)


def test_what_a_word_holds() -> None:
    signed, unsigned = Word("s", "", 4, ""), Word("u", "", 4, "", signed=False)
    assert [x for x in range(-20, 20) if signed.holds(x)] == list(range(-8, 8))
    assert [x for x in range(-20, 20) if unsigned.holds(x)] == list(range(16))
