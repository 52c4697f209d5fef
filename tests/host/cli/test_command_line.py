"""The parser of the command line, and that all ways to give an option know the same values."""

import argparse
from pathlib import Path

import pytest

from fractrain.host.cli.command_line import CommandLineParser
from fractrain.host.cli.main import main
from fractrain.host.cli.train import option_parser, parse_options
from fractrain.host.methods.recipe import parse_fields
from fractrain.host.methods.registry import method_options, methods_that_read
from fractrain.host.runs.options import option_rules
from fractrain.host.sweeps.resolving import Resolver
from fractrain.hw.contract.errors import ParameterError, UsageError
from fractrain.hw.contract.values import Whole


def parser() -> CommandLineParser:
    made = CommandLineParser(prog="p")
    made.add_argument("--number", "-n", type=Whole(1, 9), nargs="?", const=3)
    made.add_argument("--colour", choices=("red", "green"))
    made.add_argument("--file", type=Path)
    made.add_subparsers(metavar="COMMAND").add_parser("go").add_argument("--far", action="count")
    return made


def test_values_are_read_by_their_rule() -> None:
    found = parser().parse_args(["--number", "4", "--colour", "red", "--file", "x"])
    assert (found.number, found.colour, found.file) == (4, "red", Path("x"))
    assert parser().parse_args(["--number"]).number == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", "x"], "--number: got 'x', allowed: a whole number, 1..9"),
        (["--colour", "gren"], "--colour: got 'gren', allowed: red, green; did you mean green?"),
        (["goo"], "COMMAND: got 'goo', allowed: go; did you mean go?"),
    ],
)
def test_values_that_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        parser().parse_args(arguments)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--numbre=3"], "unknown option: --numbre; did you mean --number? (p --help)"),
        (["--num=3"], "unknown option: --num; did you mean --number? (p --help)"),
        (["go", "--fra"], "unknown option: --fra; did you mean --far? (p go --help)"),
        (["go", "home"], "unexpected argument: 'home' (p go --help)"),
        (["--colour"], "argument --colour: expected one argument (p --help)"),
    ],
)
def test_arguments_that_make_no_command(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parser().parse_args(arguments)
    assert str(refusal.value) == message


def test_rules_of_the_options() -> None:
    rules = parser().rules()
    assert list(rules) == ["number", "colour"]
    assert rules["colour"].read("x", "red") == "red" and rules["number"] == Whole(1, 9)


def test_no_option_of_train_takes_any_number() -> None:
    """Each one that is a number has limits; what is left are words, paths and flags."""
    for action in option_parser()._actions:
        assert action.type not in (int, float), action.option_strings


@pytest.mark.parametrize(
    "command", ["simulate", "cost", "calibrate", "bench", "bitstream", "sweep"]
)
def test_no_option_of_other_commands_does(command: str) -> None:
    from fractrain.host.cli.main import build_parser

    (subparsers,) = (
        each
        for each in build_parser(command)._actions
        if isinstance(each, argparse._SubParsersAction)
    )
    for action in subparsers.choices[command]._actions:
        assert action.type not in (int, float), action.option_strings


@pytest.mark.parametrize("name", sorted(method_options().keys() - {"decide", "skip"}))
def test_command_line_recipe_and_sweep_refuse_alike(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same value is refused, with the same words about what is allowed."""
    rule = option_rules()[name]
    method = methods_that_read(name)[0]
    option = f"--{name.replace('_', '-')}"
    assert main(["train", "--method", method, option, "wrong"]) == 2
    assert f"{option}: got 'wrong', allowed: {rule.allowed}\n" in capsys.readouterr().err
    with pytest.raises(ParameterError) as refusal:
        parse_fields({name: "wrong"}, "r.yaml")
    assert str(refusal.value) == f"{name}: got 'wrong', allowed: {rule.allowed} ({name} in r.yaml)"
    with pytest.raises(ParameterError) as refusal:
        Resolver(parse_options)({"method": method, name: "wrong"})
    assert str(refusal.value) == f"{option}: got 'wrong', allowed: {rule.allowed}"
