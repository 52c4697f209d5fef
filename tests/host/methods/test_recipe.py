"""Recipes: defaults as published, what is refused, YAML files."""

from pathlib import Path

import pytest

from fractrain.host.methods.recipe import make_recipe, read_recipe, recipe_names
from fractrain.host.methods.registry import METHODS, methods_that_read
from fractrain.hw.contract.errors import DataError, ParameterError
from fractrain.hw.contract.precision import Precision


def test_published_defaults() -> None:
    pfq = make_recipe("pfq").options
    assert (pfq.schedule_forward, pfq.schedule_backward) == ((3, 4, 6, 8), (6, 6, 8, 8))
    for mode in ("float", "reference"):
        gated = make_recipe().for_mode(mode).options
        assert (gated.epsilon, gated.alpha) == (0.15, 0.4)
        assert gated.beta == {"float": 1e-3, "reference": 3.84e-3}[mode]
        assert gated.candidates == ((3, 4, 6), (4, 4, 6), (4, 4, 8), (6, 4, 8), (6, 4, 12))
        assert (gated.weight_bits, gated.targets) == (4, (1.5, 2.0, 2.5, 3.0))
        assert make_recipe("dfq").for_mode(mode).options.target == 3


@pytest.mark.parametrize("method", METHODS.names)
def test_the_record_has_what_the_method_reads(method: str) -> None:
    record = make_recipe(method).record
    assert all(method in methods_that_read(name) for name in record)
    assert "epsilon" in record or method in ("static", "cpt", "dfq")
    if method == "static":
        assert record == {"precision": [8, 8, 8]}


@pytest.mark.parametrize(
    ("method", "fields", "message"),
    [
        ("sgd", {}, "method: got 'sgd', allowed: static, cpt, pfq, dfq, fractrain"),
        ("static", {"precision": Precision(4, 0, 6)}, "at least 1 bit"),
        ("pfq", {"schedule_forward": (3, 4), "schedule_backward": (6,)}, "same length"),
        ("pfq", {"schedule_forward": (), "schedule_backward": ()}, r"schedule_forward: got \(\), "),
        ("pfq", {"schedule_forward": (3, 0), "schedule_backward": (6, 6)}, r"\(0, 6\)"),
        ("pfq", {"schedule_forward": (3, 17), "schedule_backward": (6, 6)}, r"\(3, 17\)|\(17, 6\)"),
        (
            "fractrain",
            {"candidates": ((3, 6),)},
            r"candidates: got .*allowed: 2\.\.64 candidates A/W/E or F/B",
        ),
        ("fractrain", {"candidates": ((3, 6), (3, 6))}, "all different"),
        ("fractrain", {"candidates": ((3, 6), (4, 0))}, "got '4/0', allowed: .* 0/0 to skip"),
        ("fractrain", {"epsilon": 0}, "epsilon: got 0"),
        ("fractrain", {"epsilon": float("nan")}, "epsilon"),
        ("fractrain", {"alpha": 1.5}, "alpha: got 1.5"),
        ("fractrain", {"interval": 0}, "interval: got 0"),
        ("fractrain", {"weight_bits": 0}, "weight_bits: got 0"),
        ("dfq", {"target": 0}, "target: got 0"),
        ("fractrain", {"targets": ()}, "targets"),
        ("fractrain", {"targets": (1.0, -1.0)}, "targets"),
        ("fractrain", {"targets": (1.0, 3.0, 2.0)}, "targets: got .*values that never fall"),
        (
            "pfq",
            {"schedule_forward": (3, 8, 4), "schedule_backward": (6, 6, 6)},
            "schedule_forward: got .*values that never fall",
        ),
        ("fractrain", {"beta": -1}, "beta: got -1"),
        ("fractrain", {"beta": float("inf")}, "beta: got inf"),
        ("fractrain", {"dead_band": -0.1}, "dead_band"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_refused(method: str, fields: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make_recipe(method, **fields)


def test_a_recipe_with_an_option_of_old(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("published_range: true\nbeta: 0.03\n")
    with pytest.raises(ParameterError, match="published_range") as refused:
        read_recipe(str(path))
    assert "\n" not in str(refused.value)


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "method: dfq\n"
        "precision: [4, 3, 6]\n"
        "schedule_forward: [3, 8]\n"
        "candidates: [[0, 0], [3, 6]]\n"
        "targets: [1, 2.5]\n"
        "epsilon: 1\n"
        "interval: 100\n"
    )
    assert read_recipe(str(path)) == {
        "method": "dfq",
        "precision": Precision(4, 3, 6),
        "schedule_forward": (3, 8),
        "candidates": ((0, 0), (3, 6)),
        "targets": (1.0, 2.5),
        "epsilon": 1.0,
        "interval": 100,
    }


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("bits: 3", ParameterError, "got 'bits', allowed: method, precision"),
        (
            "epsilon: much",
            ParameterError,
            "epsilon: got 'much', allowed: a number, greater than 0, at most 1e\\+09 .epsilon in",
        ),
        ("epsilon: true", ParameterError, "epsilon"),
        ("weight_bits: 3.5", ParameterError, "weight_bits"),
        (
            "candidates: [3, 6]",
            ParameterError,
            "candidates: got .*for example 4/4/6,8/8/8 or 3/6,4/8",
        ),
        ("precision: [3, 6]", ParameterError, "precision"),
        ("precision: [3, 6, 99]", ParameterError, "precision: got .3, 6, 99."),
        ("- 3", DataError, "holds a list, .*: it takes fields such as"),
        ("", DataError, "holds nothing"),
        ("a: [", DataError, "is not YAML"),
    ],
)
def test_yaml_refused(text: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_recipe(str(path))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing.yaml: No such file.*bw12, bw16"):
        read_recipe(str(tmp_path / "nothing.yaml"))


def test_the_recipes_that_come_along() -> None:
    names = ["bw12", "bw16", "cpt", "cpt-bw6", "imagenet", "late", "published", "short"]
    assert recipe_names() == names
    for name in recipe_names():
        for method in METHODS.names:
            fields = read_recipe(name)
            make_recipe(
                method,
                **{name: fields[name] for name in fields if method in methods_that_read(name)},
            )
    assert read_recipe("imagenet")["candidates"] == ((3, 6), (4, 8), (6, 12), (8, 16))
