"""Runs: what they leave, and that an interruption at any step leaves the same."""

import json
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.backends.golden import GoldenAccelerator
from fractrain.host.graph.choice import Choice
from fractrain.host.graph.step import StepGraph
from fractrain.host.methods.recipe import make_recipe
from fractrain.host.process.stopping import Stopped, StopSignals
from fractrain.host.training import run as module
from fractrain.host.training.run import Cadence, Run
from fractrain.host.training.run_directory import RunDirectory
from fractrain.host.training.run_record import describe
from fractrain.host.training.trainer import (
    CostModel,
    DivergenceError,
    MachineCost,
    StepReport,
    Trainer,
)
from fractrain.hw.contract.errors import DataError
from fractrain.hw.contract.precision import Precision
from tests.host.training.test_trainer import GATED, PLAN, STATIC, gated, trainer_of

CADENCE = Cadence(checkpoint_every=2, evaluate_every=3, test_images=10)

RECIPES = {
    "static": (STATIC, "hardware"),
    "float": (STATIC, "float"),
    "fw8bw8": (make_recipe("static", precision=Precision(8, 8, 8)), "hardware"),
    "pfq": (make_recipe("pfq", interval=1, epsilon=1e9), "hardware"),
    "cpt": (make_recipe("cpt", forward_bits=(3, 6), cycles=2), "hardware"),
    "dfq": (make_recipe("dfq", candidates=((0, 0), (3, 6), (6, 8))), "hardware"),
    "fractrain": (GATED, "hardware"),
    "published": (gated(candidates=((3, 6), (6, 8))), "reference"),
}


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the time of these runs; no test here takes power from the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


class Power(Exception):
    """It went off."""


class Watching:
    """Progress that notes what it is told; power goes off after step ``off``.

    ``evaluating``: after the evaluation of ``off`` steps instead.
    """

    def __init__(self, off: int | None = None, *, evaluating: bool = False) -> None:
        self.steps: list[int] = []
        self.evaluations: list[tuple[int, float]] = []
        self._off, self._evaluating = off, evaluating

    def update(self, report: StepReport) -> None:
        self.steps.append(report.step)
        if not self._evaluating and report.step == self._off:
            raise Power

    def evaluated(self, step: int, accuracy: float) -> None:
        self.evaluations.append((step, accuracy))
        if self._evaluating and step == self._off:
            raise Power


def part(
    root: Path,
    kind: str = "static",
    watching: Watching | None = None,
    *,
    cadence: Cadence = CADENCE,
    resume: bool = False,
    stop: StopSignals | None = None,
    cost_model: CostModel | None = None,
    notes: list[str] | None = None,
    **plan: Any,
) -> dict[str, Any]:
    """One process's part of the run ``root/run``; the summary if it came to the end."""
    recipe, mode = RECIPES[kind]
    if resume:
        directory = RunDirectory.reopen("run", root)
    else:
        directory = RunDirectory.reserve(root, "run", overwrite=True)
    with closing(directory), open_accelerator("golden") as accelerator:
        trainer = trainer_of(accelerator, replace(PLAN, **plan), recipe, mode)
        if cost_model is not None:
            trainer = with_costs(trainer, cost_model)
        given = {"command": ["x"], "backend": "golden", "config": "tiny", "device": None}
        config = describe(trainer, given)
        run = Run(trainer, directory, config, cadence, stop or StopSignals())
        if resume:
            run.resume((notes if notes is not None else []).append)
        return run.execute(watching or Watching())


def with_costs(trainer: Trainer, model: CostModel) -> Trainer:
    return Trainer(
        trainer.network,
        trainer.dataset,
        trainer.accelerator,
        trainer.method,
        trainer.plan,
        trainer.arithmetic,
        model,
    )


def files(root: Path) -> tuple[str, str]:
    run = root / "run"
    return (run / "log.jsonl").read_text(), (run / "evaluations.jsonl").read_text()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def timeless(summary: dict[str, Any]) -> dict[str, Any]:
    assert summary["seconds"].keys() == {"training", "evaluation"}
    return {name: value for name, value in summary.items() if name != "seconds"}


# -- what a run leaves -------------------------------------------------------------------------


def test_files(tmp_path: Path) -> None:
    watching = Watching()
    summary = part(tmp_path, "fractrain", watching)
    log, evaluations = map(lines, files(tmp_path))
    assert [line["step"] for line in log] == watching.steps == list(range(7))
    assert [line["epoch"] for line in log] == [0] * 5 + [1] * 2
    first = log[0]
    assert list(first) == [
        *("step", "epoch", "loss", "accuracy", "learning_rate", "stage", "bits", "cp"),
        *("target_cp", "effective_macs", "effective_macs_fw8bw8"),
        *("cycles", "cycles_fw8bw8", "joules", "joules_fw8bw8"),
    ]
    assert (first["learning_rate"], first["stage"], first["target_cp"]) == (0.1, 0, 2.08)
    assert len(first["bits"]) == 3 and all(len(bits) == 3 for bits in first["bits"])
    assert 0 <= first["accuracy"] <= 1 < first["loss"] + 1
    assert first["cycles"] is None and first["joules_fw8bw8"] is None
    assert [line["step"] for line in evaluations] == [3, 6, 7]
    assert watching.evaluations == [
        (line["step"], pytest.approx(line["test_accuracy"] / 100)) for line in evaluations
    ]
    assert list(evaluations[0]) == [
        *("step", "test_accuracy", "test_images", "effective_macs", "effective_macs_fw8bw8"),
        *("seconds", "seconds_fw8bw8", "joules", "joules_fw8bw8"),
    ]
    assert {line["test_images"] for line in evaluations} == {10}
    for name in ("effective_macs", "effective_macs_fw8bw8"):
        assert evaluations[1][name] == sum(line[name] for line in log[:6])
        assert evaluations[2][name] == summary[name] == sum(line[name] for line in log)
    assert summary["test_accuracy"] == evaluations[-1]["test_accuracy"]
    assert summary["best_test_accuracy"] == max(line["test_accuracy"] for line in evaluations)
    assert summary["modelled"] is None and summary["command"] == ["x"]
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == summary
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["blocks"] == [f"stage{n}.block0" for n in range(3)]
    assert (config["dataset"], config["method"], config["mode"]) == (
        *("stripes", "fractrain", "hardware"),
    )
    assert config["plan"]["steps"] == 7


def test_checkpoints_are_as_often_as_they_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    monkeypatch.setattr(
        module.Checkpoints, "save", lambda self, checkpoint: saved.append(checkpoint.step)
    )
    part(tmp_path)
    assert saved == [2, 3, 4, 6, 7]  # every two, and before each evaluation
    saved.clear()
    part(tmp_path, cadence=Cadence(None, 7, None))
    assert saved == [7]
    saved.clear()
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    part(tmp_path, cadence=Cadence(None, 7, None))
    assert saved == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("kind", ["fractrain", "published"])
def test_evaluations_change_nothing(kind: str, tmp_path: Path) -> None:
    often = part(tmp_path, kind, cadence=replace(CADENCE, evaluate_every=1))
    log = files(tmp_path)[0]
    rarely = part(tmp_path, kind, cadence=replace(CADENCE, evaluate_every=7))
    assert often["weights_sha256"] == rarely["weights_sha256"]
    assert log == files(tmp_path)[0]


def test_a_run_that_fails_in_its_first_step_leaves_the_one_that_it_was_to_replace(
    tmp_path: Path,
) -> None:
    part(tmp_path, "float")
    before = files(tmp_path)
    with pytest.raises(DivergenceError):
        part(tmp_path, "float", learning_rate=1e38)
    assert files(tmp_path) == before
    assert (tmp_path / "run" / "summary.json").exists()


# -- interruptions -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["static", "float", "pfq", "dfq", "fractrain", "published"])
def test_interrupted_runs_end_as_others_do(kind: str, tmp_path: Path) -> None:
    """Power fails behind steps with and without a checkpoint, and behind evaluations."""
    whole = part(tmp_path / "whole", kind)
    root = tmp_path / "parts"
    with pytest.raises(Power):
        part(root, kind, Watching(0))
    done = {}
    failures = [(0, False), (3, False), (3, True), (5, False), (6, False), (7, True)]
    for off, evaluating in failures:
        watching, notes = Watching(off, evaluating=evaluating), list[str]()
        with pytest.raises(Power):
            part(root, kind, watching, resume=True, notes=notes)
        done[off, evaluating] = watching.steps
        assert bool(notes) == ((off, evaluating) in failures[:2])  # no checkpoint yet
    # A checkpoint is at 2, then before the evaluations after 3, 6, and 7 steps.
    assert list(done.values()) == [[0], [0, 1, 2, 3], [], [3, 4, 5], [4, 5, 6], [6]]
    summary = part(root, kind, resume=True)
    assert timeless(summary) == timeless(whole)
    assert files(root) == files(tmp_path / "whole")
    if kind in ("pfq", "fractrain"):
        assert len({line["stage"] for line in lines(files(root)[0])}) > 1


def test_modelled_costs_go_on(tmp_path: Path) -> None:
    class Model:
        machine, clock_hz = "board", 1e8

        def __call__(
            self, step: StepGraph, choices: Sequence[Choice]
        ) -> tuple[MachineCost, MachineCost]:
            bits = sum(choice.bits(8)[0] for choice in choices)
            return MachineCost(100 * bits, bits / 3, bits / 7), MachineCost(2400, 8.0, 24 / 7)

    model = Model()
    whole, root = tmp_path / "whole", tmp_path / "parts"
    part(whole, cost_model=model)
    log, evaluations = map(lines, files(whole))
    assert (log[0]["cycles"], log[0]["cycles_fw8bw8"]) == (1200, 2400)
    assert log[0]["joules"] == pytest.approx(12 / 7)
    assert evaluations[1]["seconds"] == pytest.approx(6 * 4)
    assert evaluations[1]["joules_fw8bw8"] == pytest.approx(6 * 24 / 7)
    with pytest.raises(Power):
        part(root, watching=Watching(4), cost_model=model)
    part(root, cost_model=model, resume=True)
    assert files(root) == files(whole)
    modelled = json.loads((root / "run" / "summary.json").read_text())["modelled"]
    assert (modelled["config"], modelled["clock_hz"]) == ("board", 1e8)
    assert modelled["joules_fw8bw8"] == evaluations[-1]["joules_fw8bw8"]
    assert modelled["cycles"] == sum(line["cycles"] for line in log)


@pytest.mark.parametrize("torn", ["{", '{"step": 99, "test_accuracy": 1}\n{"st'])
def test_lines_behind_the_checkpoint_go(torn: str, tmp_path: Path) -> None:
    part(tmp_path / "whole")
    with pytest.raises(Power):
        part(tmp_path, watching=Watching(4))
    for name in ("log.jsonl", "evaluations.jsonl"):
        with (tmp_path / "run" / name).open("a") as file:
            file.write(torn)
    part(tmp_path, resume=True)
    assert files(tmp_path) == files(tmp_path / "whole")


def test_another_distance_of_evaluations_from_now_on(tmp_path: Path) -> None:
    with pytest.raises(Power):
        part(tmp_path, watching=Watching(3))
    part(tmp_path, resume=True, cadence=replace(CADENCE, evaluate_every=5))
    assert [line["step"] for line in lines(files(tmp_path)[1])] == [3, 5, 7]


def test_counters_are_of_all_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that counts: as many cycles as without an interruption."""

    convolve = GoldenAccelerator._convolve

    def counting(self: GoldenAccelerator, *args: Any) -> Any:
        self._counters = replace(self._counters, cycles=self._counters.cycles + 1)
        return convolve(self, *args)

    monkeypatch.setattr(GoldenAccelerator, "_convolve", counting)
    whole = part(tmp_path / "whole")
    assert whole["counters"]["cycles"] > 7
    with pytest.raises(Power):
        part(tmp_path, watching=Watching(3, evaluating=True))
    with pytest.raises(Power):
        part(tmp_path, watching=Watching(4), resume=True)
    assert part(tmp_path, resume=True)["counters"] == whole["counters"]


# -- signals -----------------------------------------------------------------------------------


class Requesting(Watching):
    """A signal comes while step ``at`` is done."""

    def __init__(self, stop: StopSignals, at: int) -> None:
        super().__init__()
        self._stop, self._at = stop, at

    def update(self, report: StepReport) -> None:
        super().update(report)
        if report.step == self._at:
            self._stop.requested = 15


@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_signal_ends_the_run_after_its_step_with_a_checkpoint(at: int, tmp_path: Path) -> None:
    stop = StopSignals()
    with pytest.raises(Stopped) as stopped:
        part(tmp_path, watching=Requesting(stop, at), stop=stop)
    assert stopped.value.exit_code == 143
    assert str(stopped.value) == (
        f"interrupted after {at + 1} of 7 steps; to go on: "
        f"fractrain train --resume {tmp_path / 'run'}"
    )
    watching, notes = Watching(), list[str]()
    part(tmp_path, watching=watching, resume=True, notes=notes)
    assert watching.steps == list(range(at + 1, 7)) and notes == []
    part(tmp_path / "whole")
    assert files(tmp_path) == files(tmp_path / "whole")


def test_a_signal_before_the_first_step_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise Stopped(2)

    monkeypatch.setattr(Trainer, "_step", interrupted)
    with pytest.raises(Stopped, match="^interrupted$"):
        part(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_with_other_options_does_not_begin_anew(tmp_path: Path) -> None:
    with pytest.raises(Power):
        part(tmp_path, watching=Watching(4))
    with pytest.raises(DataError, match=r"00004\.checkpoint cannot be used: .* other options"):
        part(tmp_path, resume=True, seed=4)


def test_eight_bits_are_written_as_such(tmp_path: Path) -> None:
    part(tmp_path, "fw8bw8", steps=1)
    (line,) = lines(files(tmp_path)[0])
    assert line["bits"] == [[8, 8, 8]] * 3 and line["cp"] == 6.25 and line["target_cp"] is None
    assert line["effective_macs"] == line["effective_macs_fw8bw8"]
