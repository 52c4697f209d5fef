"""Runs that `fractrain report` and `compare` cannot show: none at all, others' folders, damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.host.reports.synthetic import write_run
from tests.wrong_inputs.wrong_input import WrongInput

Damage = Callable[[Path], object]


@cache
def _whole_run() -> Path:
    """Made once; every case gets a copy."""
    return write_run(Path(mkdtemp(prefix="fractrain-")) / "run", steps=8, accuracies=(50.0, 80.0))


def _two_runs(folder: Path, damage: Damage) -> None:
    """``runs/good`` is whole, ``runs/bad`` is not."""
    for name in ("good", "bad"):
        shutil.copytree(_whole_run(), folder / "runs" / name)
    damage(folder / "runs" / "bad")


def _text(name: str, text: str) -> Damage:
    return lambda run: (run / name).write_text(text, encoding="utf-8")


def _gone(*names: str) -> Damage:
    def remove(run: Path) -> None:
        for name in names:
            (run / name).unlink()

    return remove


def _folder(name: str) -> Damage:
    def replace(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        (run / name).mkdir()

    return replace


def _value(name: str, *keys: str, value: object) -> Damage:
    """Put ``value`` into a JSON file."""

    def change(run: Path) -> None:
        document = json.loads((run / name).read_text())
        place = document
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        (run / name).write_text(json.dumps(document))

    return change


def _line(name: str, **fields: Any) -> Damage:
    """Change fields of the second of some JSON lines."""

    def change(run: Path) -> None:
        lines = (run / name).read_text().splitlines()
        lines[1] = json.dumps(json.loads(lines[1]) | fields)
        (run / name).write_text("\n".join(lines) + "\n")

    return change


def _measured(run: Path) -> None:
    (run / "measured.jsonl").write_text('{"step": 0, "cycles": "many"}\n')


DAMAGES: dict[str, tuple[Damage, str]] = {
    "no-config": (_gone("config.json"), "bad is not the folder of a run: it has no config.json"),
    "no-log": (_gone("log.jsonl"), "bad is not the folder of a run: it has no log.jsonl"),
    "config-is-a-folder": (_folder("config.json"), "it has no config.json"),
    "log-is-a-folder": (_folder("log.jsonl"), "it has no log.jsonl"),
    "empty-config": (_text("config.json", ""), r"config.json is damaged"),
    "config-of-another-program": (_text("config.json", "[core]\nbare = no\n"), "is damaged"),
    "config-is-a-list": (_text("config.json", "[1, 2]"), "it holds no JSON object"),
    "deep-config": (_text("config.json", '{"a":' * 100_000), "config.json is damaged"),
    "blocks-are-a-number": (_value("config.json", "blocks", value=3), "blocks is 3, not a list"),
    "plan-is-a-text": (_value("config.json", "plan", value="long"), "plan is 'long', not an obj"),
    "steps-are-a-text": (_value("config.json", "plan", "steps", value="9"), "'9', not a number"),
    "torn-summary": (_text("summary.json", '{"steps": 8,'), "summary.json is damaged"),
    "summary-is-a-number": (_text("summary.json", "7"), "it holds no JSON object"),
    "modelled-is-a-list": (_value("summary.json", "modelled", value=[1]), r"\[1\], not an object"),
    "macs-are-a-text": (_value("summary.json", "effective_macs", value="1e9"), "not a number"),
    "a-line-is-a-list": (_text("log.jsonl", "[]\n[]\n"), "log.jsonl, line 1: no JSON object"),
    "a-line-without-step": (_line("log.jsonl", step=None), "log.jsonl, line 2: step is missing"),
    "loss-is-a-text": (_line("log.jsonl", loss="low"), "line 2: loss is 'low', not a number"),
    "bits-of-two-blocks": (_line("log.jsonl", bits=[[8, 8, 8]] * 2), "config.json names 3"),
    "bits-in-pairs": (_line("log.jsonl", bits=[[8, 8]] * 3), "not a list of .a, w, e. numbers"),
    "bits-are-a-text": (_line("log.jsonl", bits="888"), "not a list of .a, w, e. numbers"),
    "no-accuracy": (_line("evaluations.jsonl", test_accuracy=None), "test_accuracy is missing"),
    "accuracy-is-true": (_line("evaluations.jsonl", test_accuracy=True), "True, not a number"),
    "costs-are-texts": (_line("evaluations.jsonl", seconds="2 s"), "'2 s', not a number"),
    "cycles-are-a-text": (_measured, "measured.jsonl, line 1: cycles is 'many', not a number"),
}

NAMES: dict[str, tuple[list[str], int, str]] = {
    "no-such-run": (["good", "nothing"], 3, "no run nothing: neither nothing nor runs/nothing is"),
    "empty-name": (["good", ""], 3, "not the folder of a run"),
    "a-file-of-a-run": (["good", "runs/bad/log.jsonl"], 3, "no run runs/bad/log.jsonl"),
    "the-folder-of-runs": (["good", "runs"], 3, "runs is not the folder of a run"),
    "a-name-of-two-lines": (["good", "one\ntwo"], 3, r"no run one\\ntwo: neither one\\ntwo nor"),
    "a-long-name": (["good", "x" * 5000], 3, "no run xxx"),
    "a-null": (["good", "a\0b"], 3, r"no run a\\x00b: neither"),
    "twice": (["good", "good"], 2, "each run once"),
    "twice-by-its-path": (["good", "runs/good"], 2, "each run once"),
    "twice-by-a-link": (["bad", "latest"], 2, "each run once"),
    "a-loop-of-links": (["good", "loop"], 3, "no run loop"),
}


def _with_links(folder: Path) -> None:
    _two_runs(folder, lambda run: None)
    (folder / "runs" / "latest").symlink_to("bad")
    (folder / "runs" / "loop").symlink_to("loop")


def wrong_inputs() -> Iterator[WrongInput]:
    for command in ("report", "compare"):
        for name, (damage, says) in DAMAGES.items():
            yield WrongInput(
                f"{command}-{name}",
                [command, "good", "bad"],
                says,
                code=3,
                prepare=lambda folder, damage=damage: _two_runs(folder, damage),
            )
        for name, (runs, code, says) in NAMES.items():
            yield WrongInput(f"{command}-{name}", [command, *runs], says, code, _with_links)
    yield WrongInput("compare-one", ["compare", "good"], "two runs or more", 2, _with_links)
    yield WrongInput("no-runs", ["report", "good", "--runs", "elsewhere"], "no run good", 3)
    yield WrongInput("runs-is-a-file", ["report", "good", "--runs", "pyproject"], "no run good", 3)
