"""Documents against schemas: values as the rules make them, errors with path and file."""

import re

import pytest

from fractrain.hw.contract.documents import ListOf, Schema, Section, TableOf, read_document
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.values import OneWord, Real, Whole

SIZES = Section({"rows": Whole(1, 8), "style": OneWord(("plain", "fancy"))})
SCHEMA = Section({"sizes": SIZES, "files": ListOf(Section({"bytes": Whole(0, 9)})), "more": SIZES})
FREE = Section({"sizes": SIZES, "weights": TableOf(Real(0, 1))}, needed=())
RIGHT = {"rows": 3, "style": "plain"}


def test_values_are_those_of_the_rules() -> None:
    given = {"sizes": {"rows": "3", "style": "plain"}, "files": [{"bytes": 1}], "more": RIGHT}
    found = read_document(given, SCHEMA, "f.yaml")
    assert found == {"sizes": RIGHT, "files": [{"bytes": 1}], "more": RIGHT}
    assert read_document({"weights": {"a": 1, "b": "0.5"}}, FREE, "f") == {
        "weights": {"a": 1.0, "b": 0.5}
    }
    assert read_document({}, FREE, "f") == {}


@pytest.mark.parametrize(
    ("document", "schema", "message"),
    [
        ([], SCHEMA, "f.yaml: got [], allowed: a mapping with sizes, files, more (top level in f"),
        (
            {"sizs": 1},
            FREE,
            "unknown key: got 'sizs', allowed: sizes, weights (top level in f",
        ),
        ({"sizs": 1}, FREE, "; did you mean sizes?"),
        (
            {"sizes": {"rows": 1}},
            FREE,
            "missing key: got 'style', allowed: all of rows, style (s",
        ),
        (
            {"sizes": RIGHT | {"rows": 9}},
            FREE,
            "sizes.rows: got 9, allowed: a whole number, 1..8",
        ),
        ({"sizes": RIGHT | {"rows": 9}}, FREE, "(sizes.rows in f.yaml)"),
        ({"sizes": {"rows": 1}}, FREE, "(sizes in f.yaml); add style: plain, fancy"),
        ({"sizes": 5}, FREE, "sizes: got 5, allowed: a mapping with rows, style (sizes in f.yaml)"),
        ({"weights": 5}, FREE, "weights: got 5, allowed: keys with values"),
        ({"weights": {"a": 2}}, FREE, "weights.a: got 2, allowed: a number"),
        ([{"bytes": 1}, {"bytes": 10}], SCHEMA.fields["files"], "[1].bytes: got 10"),
        (5, SCHEMA.fields["files"], "f.yaml: got 5, allowed: a list"),
    ],
)
def test_what_is_refused(document: object, schema: Schema, message: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(message)):
        read_document(document, schema, "f.yaml")
