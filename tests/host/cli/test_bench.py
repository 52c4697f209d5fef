"""`fractrain bench`: what it writes, and that its benchmarks take turns. No figure is judged."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.benchmarks import benches, measuring
from fractrain.host.benchmarks import training as training_benchmarks
from fractrain.host.benchmarks.benches import Benchmark, Figures
from fractrain.host.cli.main import main


def test_measures_what_was_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.json"
    code = main(["bench", "--only", "pack,unpack", "--rounds", "2", "--json", str(file)])
    assert code == 0
    report = json.loads(file.read_text())
    assert [figure["name"] for figure in report["figures"]] == ["pack", "unpack"]
    for figure in report["figures"]:
        assert figure["unit"] == "GB/s"
        assert figure["evidence"] == "measured"
        assert len(figure["values"]) == 2
        assert 0 < figure["min"] <= figure["median"] <= figure["max"]
    assert report["machine"]["cores"] >= 1
    assert {"python", "numpy", "fractrain"} <= report["machine"]["versions"].keys()
    output = capsys.readouterr()
    assert "pack" in output.out and "measured" in output.out
    assert "round 2 of 2: unpack" in output.err


def test_benchmarks_take_turns_and_are_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    order = []

    def fake(name: str) -> Iterator[Figures]:
        try:
            for value in range(1, 4):
                order.append(name)
                yield {"things/s": value, "MiB": 10 * value}
        finally:
            order.append(f"{name} closed")

    fakes = [Benchmark(name, "", lambda name=name: fake(name)) for name in ("a", "b")]
    monkeypatch.setattr(measuring, "BENCHMARKS", fakes)
    file = tmp_path / "bench.json"
    assert main(["bench", "--rounds", "3", "--json", str(file)]) == 0
    assert order == ["a", "b"] * 3 + ["b closed", "a closed"]
    figures = {
        (each["name"], each["unit"]): each for each in json.loads(file.read_text())["figures"]
    }
    assert figures["b", "MiB"]["values"] == [10, 20, 30]
    assert figures["a", "things/s"]["median"] == 2


@pytest.mark.parametrize(
    "arguments", [["--only", "pack,nothing"], ["--only", ","], ["--rounds", "0"]]
)
def test_wrong_options_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    assert "allowed: " in capsys.readouterr().err


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = tmp_path / "file" / "bench.json"
    assert main(["bench", "--only", "pack", "--rounds", "1", "--json", str(file)]) == 3


def test_simulation_benchmarks_of_the_tiny_machine_run() -> None:
    for start in (benches.array_simulation, benches.engine_simulation):
        running = start("tiny")
        first, second = next(running), next(running)
        assert first["cycles/s"] > 0
        assert first.get("% of cycles busy", 100) == second.get("% of cycles busy", 100)
        assert first.get("% of cycles busy", 100) > 80
        running.close()


def test_training_benchmark_runs_more_than_once() -> None:
    running = benches.training(2)
    for _ in range(2):
        figures = next(running)
        assert figures["steps/s"] > 0
        assert 20 < figures["MiB at peak"] < 10_000
    running.close()


def test_a_failing_training_run_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(benches.sys, "executable", "/bin/false")
    with pytest.raises(benches.FractrainError, match="train failed"):
        next(benches.training(1))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.123"), (12.345, "12.3"), (123456.7, "123,000"), (1_234_567.0, "1,230,000")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert measuring._number(value) == text


MODELS = ("resnet20", "resnet38")


def test_every_training_step_has_one_with_float_surroundings_beside_it() -> None:
    """So that one run compares them."""
    names = [each.name for each in benches.BENCHMARKS]
    assert len(set(names)) == len(names)
    steps = {name for name in names if name.startswith("resnet")}
    usual = {name for name in steps if not name.endswith(("-float", "-plain"))}
    assert usual == {
        *("resnet20-golden-fw8bw8", "resnet38-golden-fw8bw8"),
        *(f"{model}-torch-{how}" for model in MODELS for how in ("fw8bw8", "fractrain")),
    }
    assert {f"{name}-float" for name in usual} <= steps
    abouts = {each.name: each.about for each in benches.BENCHMARKS}
    for name in usual:
        assert abouts[f"{name}-float"] == f"{abouts[name]}, float32 around convolutions"


@pytest.mark.parametrize("form", ["", "float"])
def test_parts_of_a_training_step_add_up(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(training_benchmarks, "BATCH", 4)
    chosen = set()
    trainer = training_benchmarks.Trainer

    def noting(*given: Any) -> Any:
        made = trainer(*given)
        chosen.update(map(str, made.method.selector.precisions))
        return made

    monkeypatch.setattr(training_benchmarks, "Trainer", noting)
    with closing(
        training_benchmarks.training_steps(
            "resnet8", "golden", "fractrain", beside_float32=False, form=form
        )
    ) as steps:
        figures = next(steps)
    outside, convolutions = figures["% outside convolutions"], figures["% convolutions"]
    assert outside + convolutions == pytest.approx(100)
    named = [value for name, value in figures.items() if name.startswith("% ")]
    parts = sum(named) - outside - convolutions
    assert 0 < parts < outside
    assert min(named) > 0
    assert "% gates" in figures and ("% quantization" in figures) is (form == "float")
    assert chosen == {"4/4/6", "5/5/6", "6/6/6", "8/8/8"}, "the same in both forms"


def test_without_a_package_its_benchmarks_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake() -> Iterator[Figures]:
        yield {"things/s": 1}

    fakes = [Benchmark("a", "", fake), Benchmark("b", "", fake, package="no_such_package")]
    monkeypatch.setattr(measuring, "BENCHMARKS", fakes)
    file = str(tmp_path / "bench.json")
    assert main(["bench", "--rounds", "1", "--json", file]) == 0
    assert [each["name"] for each in json.loads(Path(file).read_text())["figures"]] == ["a"]
    assert "without b: no_such_package is not installed" in capsys.readouterr().err
    assert main(["bench", "--only", "b", "--json", file]) == 4
