"""Names of runs: usable wherever a name is, whatever the data set is called; choices show."""

import argparse
import itertools
import os
import string

import pytest

from fractrain.host.cli.main import main
from fractrain.host.cli.train import parse_options
from fractrain.host.plugins.option import option_name
from fractrain.host.runs.naming import run_name, slug
from fractrain.host.runs.options import single_options
from fractrain.host.runs.setup import build_recipe, recipe_fields, with_config
from fractrain.host.training.run_names import LONGEST, RunName
from fractrain.hw.contract.values import OneWord

PATHS = (
    *("", ".data", "..", "-x", "--help", "a b", "a\nb", "a\tb", "a/b", "~", "*", "$HOME", "`x`"),
    *("<b>", "'a'", '"a"', "a;b", "a\\b", "c:\\d", "x" * 300, "é" * 300, "猫", "…", "\udcff", "\0"),
    *("latest", "CON", "a.", "a-", "_a", "%s", "{a}", "a\u202eb", "\u0661"),
)

USUAL = "digits-resnet8-fractrain-golden-seed0"


def named(*options: str, dataset: str = "digits") -> str:
    given = with_config(parse_options(options))
    return run_name(given, build_recipe(given, recipe_fields(given)), dataset)


@pytest.mark.parametrize("dataset", PATHS)
def test_any_data_set_gives_a_name_that_is_an_argument(dataset: str) -> None:
    name = named("--seed", str(2**63 - 1), dataset=dataset)
    assert RunName().read("--name", name) == name
    assert name[0] in string.ascii_letters + string.digits
    assert set(name) <= {*string.ascii_letters, *string.digits, *"-._"}
    assert len(name) < LONGEST - 20
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    assert parser.parse_args([name]).run == name


def test_names_that_are_usual_stay(capsys: pytest.CaptureFixture[str]) -> None:
    assert named() == USUAL
    assert named("--mode", "hardware", "--weight-levels", "clip", "--config", "tiny") == USUAL
    assert named("--method", "static", "--precision", "8,8,8") == (
        "digits-resnet8-static-golden-seed0"
    )
    for text, expected in {
        "cifar10": "cifar10", "my set (1).v2": "my-set-1-v2", "set.v1": "set.v1", "_a_b_": "a_b",
        "Übung №1": "Ubung-No1",
    }.items():  # fmt: skip
        assert slug(text) == expected


DISTINCT: tuple[tuple[str, ...], ...] = (
    (),
    ("--mode", "reference"),
    ("--weight-levels", "odd"),
    ("--weight-levels", "max"),
    ("--decide", "early"),
    ("--recipe", "short"),
    ("--method", "dfq"),
    ("--method", "dfq", "--decide", "early"),
    ("--method", "pfq"),
    ("--method", "static"),
    ("--method", "static", "--precision", "4,4,6"),
    ("--method", "static", "--precision", "4,4,8"),
    ("--method", "static", "--mode", "reference"),
    ("--config", "zc706"),
    ("--config", "some/folder/mine.yaml"),
    ("--backend", "torch"),
    ("--backend", "torch", "--device", "cuda"),
    ("--backend", "board", "--device", "simulated"),
    ("--backend", "cosim"),
    ("--model", "resnet14"),
    ("--seed", "1"),
)


def test_choices_show() -> None:
    names = [named(*options) for options in DISTINCT]
    assert len(set(names)) == len(DISTINCT)
    for options, name in zip(DISTINCT, names, strict=True):
        for given in ("reference", "odd", "early", "short", "zc706", "mine", "cuda", "simulated"):
            assert (given in name) == any(given in each for each in options)
    assert named("--mode", "reference", "--method", "static", "--precision", "4,4,6") == (
        "digits-resnet8-static-4-4-6-reference-golden-seed0"
    )


def test_all_choices_are_in_the_name_or_make_no_other_run() -> None:
    """A new option with choices must be in the name, or here."""
    elsewhere = {"lr_schedule"}  # as the rate itself and other numbers
    given = set(itertools.chain(*DISTINCT))
    for each in single_options():
        if isinstance(each.rule, OneWord) and each.name not in elsewhere:
            assert option_name(each.name) in given


def test_runs_of_two_modes_do_not_share_a_name(tmp_path: os.PathLike[str]) -> None:
    short = ["--steps", "1", "--batch", "4", "--test-images", "2", "--out", str(tmp_path)]
    for mode in ("hardware", "reference"):
        assert main(["train", *short, "--mode", mode]) == 0
    found = {name for name in os.listdir(tmp_path) if name != "latest"}
    assert found == {USUAL, "digits-resnet8-fractrain-reference-golden-seed0"}
