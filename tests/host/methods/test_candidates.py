"""Candidates of gates: their forms, skip, and what they are by default in each mode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fractrain.host.cli.main import main
from fractrain.host.methods.method import Task
from fractrain.host.methods.mode_defaults import MODE_DEFAULTS, shown_default
from fractrain.host.methods.recipe import Recipe, make_recipe, read_recipe
from fractrain.host.methods.registry import methods_that_read
from fractrain.host.networks.gates import candidate_cost
from fractrain.host.plugins.option import plain
from fractrain.host.runs import running
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import Precision, check_hardware_bits

GATED = ("dfq", "fractrain")


@pytest.fixture(autouse=True)
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_report", lambda folder: None)


def precisions(recipe: Recipe, mode: str = "float") -> list[str]:
    task = Task(100, 10, [16], [100], mode=mode, rng=np.random.default_rng(0))
    return [str(each) for each in recipe.build(task).selector.precisions]


# -- forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", GATED)
@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"candidates": ((4, 4, 6), (8, 6, 12))}, ["4/4/6", "8/6/12"]),
        ({"candidates": ((3, 6), (4, 8))}, ["3/4/6", "4/4/8"]),
        ({"candidates": ((3, 6), (4, 8)), "weight_bits": 6}, ["3/6/6", "4/6/8"]),
        ({"candidates": ((3, 6), (8, 8, 8))}, ["3/4/6", "8/8/8"]),
        ({"candidates": ((0, 0), (3, 6))}, ["0/0/0", "3/4/6"]),
        ({"candidates": ((0, 0, 0), (4, 4, 6))}, ["0/0/0", "4/4/6"]),
        ({"candidates": ((0, 0), (5, 5, 6))}, ["0/0/0", "5/5/6"]),
        ({"candidates": ((4, 4, 6), (8, 8, 8)), "skip": True}, ["0/0/0", "4/4/6", "8/8/8"]),
        ({"candidates": ((4, 4, 6), (0, 0, 0)), "skip": True}, ["4/4/6", "0/0/0"]),
        ({"candidates": ((4, 4, 6), (8, 8, 8)), "weight_bits": 8}, ["4/4/6", "8/8/8"]),
        ({"weight_bits": 6}, ["3/6/6", "4/6/6", "4/6/8", "6/6/8", "6/6/12"]),
        ({"skip": True}, ["0/0/0", "3/4/6", "4/4/6", "4/4/8", "6/4/8", "6/4/12"]),
    ],
    ids=str,
)
def test_forms(method: str, options: dict[str, Any], found: list[str]) -> None:
    recipe = make_recipe(method, **options)
    assert precisions(recipe) == found
    again = make_recipe(method, **json.loads(json.dumps(recipe.for_mode("float").record)))
    assert precisions(again) == found, "from the record"
    assert all(len(each) == 3 for each in again.options.candidates)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": ((4, 4, 6), (4, 6))}, "candidates: got .*all different"),
        ({"candidates": ((4, 0, 6), (8, 8, 8))}, "got '4/0/6', allowed: 1..16 each, or 0/0/0 to"),
        ({"candidates": ((4, 4, 6), (8, 8, 8, 8))}, "candidates: got"),
        ({"candidates": ((4, 4, 6), (8, 8, 17))}, "candidates: got .*each 0..16 bits"),
        ({"candidates": ((4, 4, 6),)}, "candidates: got .*2..64 candidates"),
        ({"candidates": ((4, 4, 6), (8, 8, 8)), "weight_bits": 6}, "weight_bits: got 6, .*F/B"),
        ({"skip": "yes"}, "skip: got 'yes', allowed: true or false"),
        ({"skip": 1}, "skip: got 1, allowed: true or false"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make_recipe("dfq", **options)


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("candidates: [[4, 4, 6], 8/8/8, [3, 6]]\nskip: true\n")
    fields = read_recipe(str(path))
    assert fields == {"candidates": ((4, 4, 6), (8, 8, 8), (3, 6)), "skip": True}
    assert precisions(make_recipe("dfq", **fields)) == ["0/0/0", "4/4/6", "8/8/8", "3/4/6"]


# -- defaults ------------------------------------------------------------------------------------


def test_the_published_recipe_is_what_float_surroundings_have() -> None:
    fields = read_recipe("published")
    for method in GATED:
        used = {name: fields[name] for name in fields if method in methods_that_read(name)}
        usual = make_recipe(method).for_mode("float")
        for mode in ("float", "hardware"):
            assert make_recipe(method, **used).for_mode(mode).record == usual.record


def test_hardware_mode_in_integers() -> None:
    recipe = make_recipe("fractrain").for_mode("hardware")
    assert precisions(recipe, "hardware") == ["4/4/6", "5/5/6", "6/6/6", "8/8/8"]
    assert recipe.record["weight_bits"] is None
    costs = [candidate_cost(Precision(*each)) for each in recipe.options.candidates]
    assert costs == pytest.approx([2.083, 2.767, 3.516, 6.25], abs=1e-3) == sorted(costs)
    targets = recipe.options.targets
    assert costs[0] - 0.05 < targets[0] <= costs[0] and targets[-1] < costs[-1]
    # Shares of the stages in `make train`: at least 55 % below FW8/BW8 with first layer and
    # shortcuts, which are 2 % of a ResNet-20.
    assert np.dot(targets, (0.33, 0.20, 0.17, 0.30)) < 0.45 * 6.25 * 0.98
    assert make_recipe("dfq").for_mode("hardware").options.target < 0.45 * 6.25 * 0.98
    check_hardware_bits(Precision(*each) for each in recipe.options.candidates)
    assert shown_default("targets") == (
        "2.08,2.4,2.8,3.3 in hardware mode; 1.5,2,2.5,3 in float and reference mode"
    )
    assert shown_default("candidates").startswith("4/4/6,5/5/6,6/6/6,8/8/8 in hardware mode; 3/6,")


def test_weight_bits_without_a_pair() -> None:
    with pytest.raises(ParameterError, match="weight_bits: got 3, allowed: with candidates F/B"):
        make_recipe("dfq", weight_bits=3).for_mode("hardware")
    assert make_recipe("dfq", weight_bits=3).for_mode("float").options.weight_bits == 3


def test_late_decisions_are_of_float_surroundings() -> None:
    def stored(mode: str, **options: Any) -> int | None:
        task = Task(100, 10, [16], [100], mode=mode, rng=np.random.default_rng(0))
        return make_recipe("dfq", **options).build(task).selector.stored_bits

    assert [stored(mode) for mode in ("float", "hardware", "reference")] == [8, None, None]
    assert stored("float", decide="early") is None
    for mode in ("hardware", "reference"):
        with pytest.raises(ParameterError, match=f"early, or nothing, with --mode {mode}"):
            stored(mode, decide="late")


def test_a_default_is_put_in_only_where_nothing_is_given() -> None:
    mine = make_recipe("fractrain", targets=(2.5, 3.0), skip=True).for_mode("hardware")
    assert mine.options.targets == (2.5, 3.0) and mine.options.skip
    assert plain(mine.options.candidates) == plain(MODE_DEFAULTS["hardware"]["candidates"])
    assert mine.for_mode("float") == mine
    static = make_recipe("static")
    assert static.for_mode("hardware") == static


# -- runs ----------------------------------------------------------------------------------------

TRAIN = ("train", "--method", "dfq", "--batch", "4", "--test-images", "2", "--steps", "2")


def config(run: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((run / "config.json").read_text())
    return document


def test_a_run_records_what_it_has(tmp_path: Path) -> None:
    assert main([*TRAIN, "--out", str(tmp_path)]) == 0
    found = config(tmp_path / "latest")["method_options"]
    assert found["candidates"] == [[4, 4, 6], [5, 5, 6], [6, 6, 6], [8, 8, 8]]
    assert (found["weight_bits"], found["skip"], found["target"]) == (None, False, 2.7)


def test_triples_and_skip_on_the_command_line(tmp_path: Path) -> None:
    options = ["--candidates", "2/3/4,5/5/6", "--skip", "--target", "0.1", "--beta", "10"]
    assert main([*TRAIN, *options, "--steps", "3", "--out", str(tmp_path)]) == 0
    run = (tmp_path / "latest").resolve()
    assert run.name == "digits-resnet8-dfq-skip-golden-seed0"
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    bits = {tuple(block) for line in lines for block in line["bits"]}
    assert (0, 0, 0) in bits and bits <= {(0, 0, 0), (2, 3, 4), (5, 5, 6)}
    found = config(run)["method_options"]
    assert (found["candidates"], found["skip"]) == ([[2, 3, 4], [5, 5, 6]], True)


def as_pairs(record: dict[str, Any]) -> dict[str, Any]:
    """What older versions recorded: pairs, and no word about skipping."""
    older = {name: value for name, value in record.items() if name != "skip"}
    return older | {"candidates": [[forward, error] for forward, _, error in record["candidates"]]}


@pytest.mark.parametrize("older", [False, True], ids=["triples", "pairs"])
def test_a_run_goes_on_whatever_form_its_record_has(
    older: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = ["--candidates", "3/6,4/8", "--weight-bits", "3", "--checkpoint-every", "1"]
    with monkeypatch.context() as patched:
        if older:
            record = Recipe.record.fget
            patched.setattr(Recipe, "record", property(lambda self: as_pairs(record(self))))
        assert main([*TRAIN, *options, "--out", str(tmp_path), "--name", "run"]) == 0
    run = tmp_path / "run"
    assert len(config(run)["method_options"]["candidates"][0]) == (2 if older else 3)
    weights = json.loads((run / "summary.json").read_text())["weights_sha256"]
    resume = ["train", "--resume", str(run)]
    for wrong in (
        ["--candidates", "3/6,4/6"],
        ["--candidates", "3/4/6,4/4/8"],
        ["--weight-bits", "4"],
        ["--skip"],
    ):
        (run / "summary.json").unlink(missing_ok=True)
        assert main([*resume, *wrong]) == 2
        error = capsys.readouterr().err
        assert f"{wrong[0]}: got" in error and "as the run was started with" in error
    recipe = tmp_path / "r.yaml"
    recipe.write_text("candidates: [[3, 6], [4, 8]]\nweight_bits: 3\n")
    for same in (
        [],
        ["--recipe", str(recipe)],
        ["--candidates", "3/6,4/8"],
        ["--candidates", "3/3/6,4/3/8", "--weight-bits", "3", "--no-skip"],
    ):
        (run / "summary.json").unlink(missing_ok=True)
        (run / "checkpoints" / "step-00000002.checkpoint").unlink(missing_ok=True)
        assert main([*resume, *same]) == 0
        assert "going on after 1 of 2 steps" in capsys.readouterr().out
        assert json.loads((run / "summary.json").read_text())["weights_sha256"] == weights
