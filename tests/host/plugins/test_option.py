"""Options as data: what `--help` says of them, how their values are written and checked."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from fractrain.host.cli.command_line import CommandLineParser, add_options
from fractrain.host.plugins.option import (
    Checked,
    Form,
    Option,
    as_text,
    option,
    option_name,
    options_of,
    plain,
)
from fractrain.hw.contract.errors import ParameterError, UsageError
from fractrain.hw.contract.precision import Precision
from fractrain.hw.contract.values import OneWord, Real, Whole


@dataclass(frozen=True)
class Settings(Checked):
    rate: float = option(Real(0, 1), 0.5, "how fast", metavar="R", aliases=("--fast",))
    bits: Precision = option(None, Precision(4, 4, 6), "how wide")
    other: int = 3


def test_fields_are_options() -> None:
    rate, bits = options_of(Settings)
    assert (rate.name, rate.help) == ("rate", "how fast (default: 0.5)")
    assert (bits.name, bits.help) == ("bits", "how wide (default: 4,4,6)")
    assert Settings().rate == 0.5 and Settings(rate=0.25).rate == 0.25
    with pytest.raises(ParameterError, match="rate: got 2, allowed: a number, at least 0"):
        Settings(rate=2)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Option("a", "what"), "what"),
        (Option("a", "what", default=3.0), "what (default: 3)"),
        (Option("a", "", default=1e-4), "(default: 0.0001)"),
        (Option("a", "what", default=((3, 6), (4, 8))), "what (default: 3/6,4/8)"),
        (Option("a", "what", default=3, shown="three"), "what (default: three)"),
        (Option("a", "what", shown="it depends"), "what (default: it depends)"),
        (Option("a", "what", default=3, shown=""), "what"),
        (Option("a", "what", default=False, form=Form.FLAG), "what"),
    ],
)
def test_help(given: Option, text: str) -> None:
    assert given.help == text


def test_values_as_records_and_command_lines_have_them() -> None:
    for value, document, text in (
        (Precision(4, 3, 6), [4, 3, 6], "4,3,6"),
        (((3, 6), (4, 8)), [[3, 6], [4, 8]], "3/6,4/8"),
        ((1.5, 2.0), [1.5, 2.0], "1.5,2"),
        ("word", "word", "word"),
        (7, 7, 7),
    ):
        assert plain(value) == document and as_text(value) == text
    assert option_name("weight_bits") == "--weight-bits"


def test_the_parser_is_made_of_them() -> None:
    parser = CommandLineParser(prog="p")
    add_options(
        parser,
        [
            Option("file", "", Path, form=Form.ARGUMENT),
            Option("rounds", "100 % of them", Whole(1, 9), 5, group="how long"),
            (Option("left", "", form=Form.FLAG), Option("right", "", form=Form.FLAG)),
            Option("colour", "", OneWord(("red", "green")), form=Form.SEVERAL, default=["red"]),
            Option("skip", "", default=(), form=Form.REPEATED),
            Option("power", "", Whole(1, 9), form=Form.BARE, bare=3),
            Option("flip", "", form=Form.EITHER),
        ],
    )
    line = "x --left --colour red green --skip a --skip b --power --no-flip --rounds 7"
    found = vars(parser.parse_args(line.split()))
    assert found == {
        **{"file": Path("x"), "rounds": 7, "left": True, "right": False, "flip": False},
        **{"colour": ["red", "green"], "skip": ["a", "b"], "power": 3},
    }
    usual = vars(parser.parse_args(["x"]))
    assert (usual["rounds"], usual["skip"], usual["power"], usual["flip"]) == (5, [], None, None)
    with pytest.raises(UsageError, match="--right: not allowed with argument --left"):
        parser.parse_args(["x", "--left", "--right"])
    with pytest.raises(ParameterError, match="--rounds: got '10'"):
        parser.parse_args(["x", "--rounds", "10"])
    shown = parser.format_help()
    assert "how long:" in shown and "100 % of them (default: 5)" in shown
