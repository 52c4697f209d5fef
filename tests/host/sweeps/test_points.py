"""Names of runs: the same for the same settings, different for different ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.sweeps.plan import Entry
from fractrain.host.sweeps.points import Point, Resolved, digest_of, resolve_points, text_of
from fractrain.host.training.run_names import RunName
from fractrain.hw.contract.errors import DataError, ParameterError

DEFAULTS = {"method": "fractrain", "alpha": 0.4, "seed": 0}


def resolve(options: Mapping[str, Any]) -> Resolved:
    """As if options were settings, but ``recipe``, which becomes an alpha."""
    given = {name: value for name, value in options.items() if name != "recipe"}
    if options.get("recipe"):
        given["alpha"] = 0.9
    return Resolved((), DEFAULTS | given, 10)


def points(*options: dict[str, Any]) -> list[Point]:
    return resolve_points([Entry(each, tuple(each), "here") for each in options], resolve)


def test_names_say_what_varies() -> None:
    first, second, third = points(
        {"method": "pfq", "epsilon": 0.05, "seed": 1, "beta": 2},
        {"method": "pfq", "epsilon": 0.1, "seed": 1, "beta": 2},
        {"method": "dfq", "targets": [1.5, 2.0], "seed": 2, "beta": 2},
    )
    assert first.varied == {"method": "pfq", "epsilon": "0.05", "seed": "1"}
    assert third.varied == {"method": "dfq", "epsilon": "—", "seed": "2"}
    assert first.name == f"pfq-epsilon0.05-seed1-{first.digest}"
    assert second.name == f"pfq-epsilon0.1-seed1-{second.digest}"
    assert third.label == "method=dfq seed=2"


def test_the_digest_is_of_all_settings_in_any_order() -> None:
    # SHA-256 of {"alpha": 0.4, "seed": 0}, computed with sha256sum
    assert digest_of({"seed": 0, "alpha": 0.4}) == "1511f0311d"
    assert digest_of({"alpha": 0.4, "seed": 0}) == "1511f0311d"
    assert digest_of({"seed": 1, "alpha": 0.4}) != "1511f0311d"


def test_values_in_names() -> None:
    lists, path = points({"targets": [1.5, 2.0]}, {"targets": [3.0], "dataset": "/data/cifar 10"})
    assert lists.name.startswith("targets1.5_2-")
    both = points({"dataset": "/data/cifar 10"}, {"dataset": "../up"})
    assert both[0].name.startswith("datasetcifar_10-")
    assert both[1].name.startswith("dataset..-up-")
    assert path.varied == {"targets": "3"}
    long = points({"note": "x" * 500}, {"note": "y"})[0]
    assert len(long.name) > 100 and long.name.endswith(long.digest)
    assert RunName().read("--name", long.name) == long.name
    assert points({"seed": 1})[0].name.startswith("run-")


def test_an_option_that_becomes_other_settings() -> None:
    with_recipe, without = points({"recipe": "short"}, {"recipe": None})
    assert with_recipe.varied == {"recipe": "short"}
    assert without.varied == {"recipe": "—"}


def test_the_folder_is_found_when_more_options_vary(tmp_path: Path) -> None:
    """What was `alpha0.4-…` is `pfq-alpha0.4-…` once methods vary, too: the same run."""
    before = points({"method": "pfq", "alpha": 0.4}, {"method": "pfq", "alpha": 0.5})[0]
    after = points({"method": "pfq", "alpha": 0.4}, {"method": "dfq", "alpha": 0.4})[0]
    assert before.name != after.name and before.digest == after.digest
    assert after.folder(tmp_path) == tmp_path / after.name
    (tmp_path / before.name).mkdir()
    assert after.folder(tmp_path) == tmp_path / before.name


def test_a_run_twice_is_refused() -> None:
    """A default that is given is the default."""
    with pytest.raises(ParameterError, match=r"run of here: got 'alpha=0.4 seed=1', allowed: each"):
        points({"seed": 1}, {"alpha": 0.4, "seed": 1})


def test_errors_say_where() -> None:
    def refuse(options: Mapping[str, Any]) -> Resolved:
        raise ParameterError("alpha", 2, "less") if "alpha" in options else DataError("no file x")

    with pytest.raises(ParameterError, match=r"alpha: got 2, allowed: less \(grid in s\)"):
        resolve_points([Entry({"alpha": 2}, ("alpha",), "grid in s")], refuse)
    with pytest.raises(DataError, match="grid in s: no file x"):
        resolve_points([Entry({}, (), "grid in s")], refuse)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.05, "0.05"),
        ("pfq", "pfq"),
        ([3, 4], "3,4"),
        ([[3, 6], [4, 8]], "3/6,4/8"),
        ([1.5], "1.5"),
    ],
)
def test_values_as_on_the_command_line(value: Any, text: str) -> None:
    assert text_of(value) == text
