"""Errors repeat what was given so that it can be found, and no more of it."""

import pytest

from fractrain.hw.contract.errors import ParameterError, did_you_mean, shortened


@pytest.mark.parametrize(
    "given",
    [
        "x" * 3_000_000,
        ["x"] * 100_000,
        {"a": ["y" * 500] * 500},
        10**400,
        "\n" * 500,
        (("z",),) * 99,
    ],
    ids=["text", "list", "nested", "number", "line ends", "tuples"],
)
def test_what_is_long_is_cut(given: object) -> None:
    text = str(ParameterError("name", given, "less"))
    assert len(text) < 600 and text.startswith("name: got ") and text.endswith(", allowed: less")
    assert text.isprintable()


def test_what_is_short_is_shown_whole() -> None:
    for given in (17, "a b", [1, "x"], {"b": 1}, (3, 4, 6, 8), None, 1.5):
        assert str(ParameterError("n", given, "x")) == f"n: got {given!r}, allowed: x"


def test_names_and_places_are_cut_and_escaped() -> None:
    error = ParameterError("n\n" + "m" * 9999, 1, "x", where="\x1b[2J" + "w" * 9999)
    assert len(str(error)) < 700 and str(error).isprintable()
    assert shortened("a" * 300, 10) == "aaaaa…aaaaa (300 characters)"
    assert shortened("a\x00b\udcff") == "a\\x00b\\udcff"


def test_suggestions() -> None:
    assert did_you_mean("--stpes", ["--steps", "--seed"]) == "did you mean --steps?"
    assert did_you_mean("colour", ["--steps"]) == ""
    assert did_you_mean("s" * 10**6, ["sweep"]) == ""
