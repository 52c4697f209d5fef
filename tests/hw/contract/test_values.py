"""Rules for values: texts and values of YAML alike, at and beyond every limit."""

import pytest

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.values import (
    OneOf,
    OneWord,
    Optional,
    Real,
    Rule,
    Several,
    TrueOrFalse,
    Unquoted,
    Whole,
)

PAIRS = Several(
    Several(Whole(0, 9), 2, 2, "pair", "1/2", separator="/"), 1, 3, "pairs a/b", "1/2,3/4"
)


@pytest.mark.parametrize(
    ("rule", "given", "value"),
    [
        (Whole(1, 9), "1", 1),
        (Whole(1, 9), "+9", 9),
        (Whole(-3, 9), "-3", -3),
        (Whole(1, 9), 9, 9),
        (Real(0, 1), "1e-3", 1e-3),
        (Real(0, 1), ".5", 0.5),
        (Real(0, 1), 1, 1.0),
        (Real(0, 1), "0", 0.0),
        (OneWord(("a", "b")), "b", "b"),
        (Optional(Whole(1, 9)), None, None),
        (Optional(Whole(1, 9)), "3", 3),
        (TrueOrFalse(), True, True),
        (TrueOrFalse(), False, False),
        (PAIRS, "1/2, 3/4", ((1, 2), (3, 4))),
        (PAIRS, [[1, 2], "3/4"], ((1, 2), (3, 4))),
    ],
)
def test_allowed(rule: Rule, given: object, value: object) -> None:
    found = rule.read("x", given)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        *((Whole(1, 9), each) for each in ("0", "10", 0, 10, "1.0", 1.0, "1e0", True, None, [1])),
        *((Whole(1, 99), each) for each in ("", " 1", "1 ", "01", "0x1", "1_0", "٣", "1\n", "--1")),
        *((Whole(0, 9), "0" * 50), (Whole(0, 10**50), "1" * 41)),
        *((Real(0, 1), each) for each in ("-0.001", "1.001", "nan", "inf", float("nan"), True)),
        *((Real(0, 1), each) for each in ("", "1e", "1_0", "0.1.2", "00.1", "0,5", "1e999", None)),
        *((Real(0, 1, above=True), each) for each in (0, "0", "-0.0", "0e5")),
        *((Real(0, 1, below=True), each) for each in (1, "1", "1.000")),
        *((OneWord(("a", "b")), each) for each in ("", "A", "a ", None, ["a"])),
        *((TrueOrFalse(), each) for each in ("true", "yes", "", 0, 1, None, [True])),
        *((PAIRS, each) for each in ("", "1/2,", "1", "1/2/3", "1,2", "9/10", [], [[1]], 3, None)),
        *((PAIRS, each) for each in ("1/1,2/2,3/3,4/4", [[1, 1]] * 4, {"a": 1})),
    ],
)
def test_refused_in_the_rule_s_words(rule: Rule, given: object) -> None:
    with pytest.raises(ParameterError) as refusal:
        rule.read("x", given, where="here")
    error = refusal.value
    assert (error.name, error.given, error.allowed, error.where) == (
        "x",
        given,
        rule.allowed,
        "here",
    )


def test_the_words() -> None:
    assert Whole(1, 9, "nine lives").allowed == "a whole number, 1..9 (nine lives)"
    assert Real(0, 1, above=True).allowed == "a number, greater than 0, at most 1"
    assert Real(0, 1, below=True).allowed == "a number, at least 0, less than 1"
    assert PAIRS.allowed == "1..3 pairs a/b, for example 1/2,3/4"
    assert OneWord(("a", "b")).allowed == "a, b"


@pytest.mark.parametrize("given", ["8", True, None, 8.5])
def test_number_of_a_document_is_no_text(given: object) -> None:
    with pytest.raises(ParameterError, match="a whole number, 1..9"):
        Unquoted(Whole(1, 9)).read("x", given)


def test_whole_numbers_of_documents_are_whole() -> None:
    found = Unquoted(Real(0, 300)).read("x", 200.0)
    assert found == 200 and isinstance(found, int)
    assert Unquoted(Real(0, 300)).read("x", 0.5) == 0.5


def test_one_of_some_values_and_of_its_type() -> None:
    rule = OneOf((1, 2, "dsp"))
    assert rule.read("x", 2) == 2 and rule.read("x", "dsp") == "dsp"
    for given in (True, 1.0, "1", 3, None):
        with pytest.raises(ParameterError, match="allowed: 1 or 2 or dsp"):
            rule.read("x", given)
