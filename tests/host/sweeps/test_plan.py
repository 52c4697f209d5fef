"""A sweep's file: what it expands to, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fractrain.host.sweeps.plan import MOST_RUNS, Vocabulary, expand, read_sweep
from fractrain.hw.contract.errors import DataError, ParameterError

WORDS = Vocabulary(
    lists={"targets": [1.5, 2.0]},
    flags=["log_programs"],
    numbers_and_words=["method", "epsilon", "alpha", "epochs", "seed"],
    reserved=["name", "out"],
)


def options(text: str) -> list[dict[str, Any]]:
    return [dict(entry.options) for entry in expand(yaml.safe_load(text), "s.yaml", WORDS)]


def test_a_grid_is_every_combination_the_last_option_fastest() -> None:
    assert options("{base: {epochs: 3}, grid: {method: [pfq, dfq], epsilon: [0.1, 0.2]}}") == [
        {"epochs": 3, "method": "pfq", "epsilon": 0.1},
        {"epochs": 3, "method": "pfq", "epsilon": 0.2},
        {"epochs": 3, "method": "dfq", "epsilon": 0.1},
        {"epochs": 3, "method": "dfq", "epsilon": 0.2},
    ]


def test_grids_then_points_then_seeds_innermost() -> None:
    text = """
    base: {epochs: 3}
    grid: [{epsilon: [0.1]}, {targets: [[1, 2], [3]]}]
    points: [{epochs: null, log-programs: true}]
    seeds: [4, 7]
    """
    assert options(text) == [
        {"epochs": 3, "epsilon": 0.1, "seed": 4},
        {"epochs": 3, "epsilon": 0.1, "seed": 7},
        {"epochs": 3, "targets": [1, 2], "seed": 4},
        {"epochs": 3, "targets": [1, 2], "seed": 7},
        {"epochs": 3, "targets": [3], "seed": 4},
        {"epochs": 3, "targets": [3], "seed": 7},
        {"epochs": None, "log_programs": True, "seed": 4},
        {"epochs": None, "log_programs": True, "seed": 7},
    ]


def test_repeats_count_up_from_the_seed() -> None:
    assert options("{base: {seed: 5}, repeats: 2}") == [{"seed": 5}, {"seed": 6}]
    assert options("{points: [{alpha: 1}], repeats: 2}") == [
        {"alpha": 1, "seed": 0},
        {"alpha": 1, "seed": 1},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "grid, points, seeds in s.yaml: got None, allowed: at least one of them"),
        ("{base: {alpha: 1}}", "at least one of them; add grid:"),
        ("{runs: 1}", "unknown key: got 'runs', allowed: base, grid, points, seeds, repeats"),
        ("{base: [1]}", "base in s.yaml: got [1], allowed: option: value"),
        ("{grid: {}}", "grid in s.yaml: got {}, allowed: option: [values]"),
        ("{grid: []}", "grid in s.yaml: got [], allowed: option: [values]"),
        ("{grid: [{alpha: [1]}, {}]}", "grid[1] in s.yaml: got {}"),
        ("{grid: {alpha: []}}", "alpha of grid in s.yaml: got [], allowed: a list of values"),
        ("{grid: {alpha: 1}}", "alpha of grid in s.yaml: got 1, allowed: a list of values"),
        (
            "{grid: {alpah: [1]}}",
            "option of grid in s.yaml: got 'alpah', allowed: options of fractrain train, with",
        ),
        ("{grid: {alpah: [1]}}", "; did you mean alpha?"),
        ("{base: {out: x}}", "out is given by the sweep itself: leave it out"),
        ("{grid: {targets: [1, 2]}}", "targets of grid in s.yaml: got 1, allowed: a list, for"),
        ("{grid: {alpha: [[1, 2]]}}", "alpha of grid in s.yaml: got [1, 2], allowed: a number"),
        ("{points: [{alpha: yes}]}", "alpha of points[0] in s.yaml: got True"),
        ("{points: [{log_programs: 1}]}", "got 1, allowed: true or false"),
        ("{points: []}", "points in s.yaml: got [], allowed: a list of runs"),
        ("{points: [{}, 3]}", "points[1] in s.yaml: got 3"),
        ("{seeds: 3}", "seeds in s.yaml: got 3, allowed: a list of whole numbers"),
        ("{seeds: []}", "seeds in s.yaml: got []"),
        ("{seeds: [1, 2, 1]}", "seeds in s.yaml: got 1, allowed: each seed once"),
        ("{seeds: [-1]}", "seeds in s.yaml: got -1, allowed: a whole number, 0.."),
        ("{repeats: 1.0}", "repeats in s.yaml: got 1.0, allowed: a whole number, 1..10000"),
        ("{base: {seed: x}, repeats: 2}", "seed of base in s.yaml: got 'x', allowed: a whole"),
        ("{repeats: 0}", "repeats in s.yaml: got 0, allowed: a whole number, 1..10000"),
        ("{repeats: 2, seeds: [1]}", "seeds or repeats, not both"),
        ("{base: {seed: 1}, seeds: [1]}", "seed of base in s.yaml: got 1"),
        ("{points: [{seed: 1}], seeds: [1]}", "seed of points[0] in s.yaml: got 1"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        options(text)
    assert message in str(refusal.value)


def grid(*counts: int) -> dict[str, Any]:
    names = ["epsilon", "alpha", "epochs"]
    return {name: list(range(count)) for name, count in zip(names, counts, strict=False)}


@pytest.mark.parametrize(
    ("document", "runs"),
    [
        ({"repeats": MOST_RUNS}, MOST_RUNS),
        ({"grid": grid(100, 100)}, MOST_RUNS),
        ({"grid": [grid(2), grid(3)], "repeats": 2000}, MOST_RUNS),
        ({"grid": grid(100, 100), "points": [{"alpha": 1}]}, None),
        ({"grid": grid(101, 100)}, None),
        ({"grid": grid(1000, 1000, 1000)}, None),
        ({"grid": grid(3), "repeats": 3334}, None),
        ({"repeats": MOST_RUNS + 1}, None),
    ],
)
def test_a_sweep_has_a_largest_size(document: dict[str, Any], runs: int | None) -> None:
    if runs is not None:
        assert len(expand(document, "s.yaml", WORDS)) == runs
        return
    with pytest.raises(ParameterError, match="(runs|repeats) in s.yaml: got .*10,?000"):
        expand(document, "s.yaml", WORDS)


def test_an_option_spelled_in_both_ways() -> None:
    text = "{points: [{log_programs: true, log-programs: true}]}"
    with pytest.raises(ParameterError, match="log_programs is there already"):
        options(text)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    with pytest.raises(DataError, match="cannot read .*s.yaml: No such file"):
        read_sweep(path, WORDS)
    path.write_text("grid: {alpha: [")
    with pytest.raises(DataError, match="s.yaml is not YAML: line 1"):
        read_sweep(path, WORDS)
    path.write_text("just words")
    with pytest.raises(DataError, match="holds one value, no keys"):
        read_sweep(path, WORDS)
