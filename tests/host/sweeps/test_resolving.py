"""The options of a sweep's runs, resolved as `fractrain train` would."""

from pathlib import Path

import pytest

from fractrain.host.cli.train import parse_options
from fractrain.host.sweeps.plan import read_sweep
from fractrain.host.sweeps.points import resolve_points
from fractrain.host.sweeps.resolving import Resolver, vocabulary
from fractrain.hw.contract.errors import UsageError


def test_options_are_those_of_train() -> None:
    words = vocabulary()
    lists = {"precision", "schedule_forward", "schedule_backward", "candidates", "targets"}
    assert words.lists.keys() == lists | {"forward_bits"}
    assert set(words.flags) == {"log_programs", "flip", "skip"}
    assert {"epsilon", "dataset", "batch"} < set(words.numbers_and_words)
    assert not {"out", "overwrite", "resume", "name"} & set(words.names)


def test_settings_have_the_defaults_and_how_long() -> None:
    resolve = Resolver(parse_options)
    given = resolve({"epochs": 2, "method": "pfq", "recipe": "bw12", "checkpoint_every": 7})
    same = resolve({"steps": 44, "method": "pfq", "schedule_backward": [6, 8, 10, 12]})
    assert given.settings == same.settings
    assert given.settings["alpha"] == 0.4 and given.settings["steps"] == given.steps == 44
    assert given.arguments[:2] == ("--epochs=2", "--method=pfq")


def test_seeds_are_resolved_once() -> None:
    """What differs in the seed only is as if each had been resolved alone."""
    resolve, options = Resolver(parse_options), {"steps": 1, "method": "static"}
    with pytest.MonkeyPatch.context() as patch:
        first = resolve({**options, "seed": 3})
        patch.setattr(resolve, "_resolve", lambda options: pytest.fail("resolved again"))
        second = resolve({**options, "seed": 4})
    assert second == Resolver(parse_options)({**options, "seed": 4})
    assert first.settings["seed"] == 3 and second.arguments[-1] == "--seed=4"
    assert resolve(options).settings["seed"] == 0


def test_paths_are_the_same_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text("alpha: 0.3")
    resolved = Resolver(parse_options)({"steps": 1, "recipe": "r.yaml"})
    assert resolved.arguments == ("--steps=1", f"--recipe={tmp_path / 'r.yaml'}")
    assert resolved.settings["alpha"] == 0.3


@pytest.mark.parametrize(("name", "runs"), [("laptop", 7), ("rebuttal", 20), ("ablation", 102)])
def test_sweeps_that_come_with_the_project(name: str, runs: int, project_root: Path) -> None:
    path = project_root / "configs" / "sweeps" / f"{name}.yaml"
    assert len(resolve_points(read_sweep(path, vocabulary()), Resolver(parse_options))) == runs


def test_an_option_that_trains_parser_does_not_know_is_an_error() -> None:
    with pytest.raises(UsageError, match="unknown option: --colour"):
        Resolver(parse_options)({"colour": "red"})
