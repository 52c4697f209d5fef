"""Run folders that disks, people and other programs have damaged, given to whatever reads them."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from fractrain.host.cli.main import main
from tests.wrong_inputs.wrong_input import WrongInput

RUN = Path("runs/run")
CHECKPOINTS = RUN / "checkpoints"
NEWEST, OLDER = (CHECKPOINTS / f"step-0000000{step}.checkpoint" for step in (4, 3))
CONFIG, LOG, SUMMARY = (RUN / name for name in ("config.json", "log.jsonl", "summary.json"))
EVALUATIONS, MEASURED = RUN / "evaluations.jsonl", RUN / "measured.jsonl"
POWER = RUN / "power.jsonl"

Damage = Callable[[Path], object]

RESUME = ("train", "--out", "runs", "--resume", "run")
REPORT = ("report", "run", "--runs", "runs")
COMPARE = ("compare", "run", "other", "--runs", "runs")


@functools.cache
def _example() -> Path:
    """A folder with ``runs/run`` of four steps, evaluated after two and four, saved after three and
    four; to be copied."""
    folder = tempfile.TemporaryDirectory(prefix="fractrain-runs-")
    _KEPT.append(folder)
    arguments = [
        *("train", "--out", "runs", "--name", "run", "--steps", "4", "--batch", "4"),
        *("--test-images", "4", "--evaluate-every", "2", "--checkpoint-every", "1"),
    ]
    with (
        contextlib.chdir(folder.name),
        contextlib.redirect_stdout(io.StringIO()),
        mock.patch("fractrain.host.runs.running._report", lambda folder: None),
    ):
        assert main(arguments) == 0
    return Path(folder.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _prepared(damage: Damage, *, finished: bool = False) -> Callable[[Path], None]:
    """The example, damaged; without ``finished`` it has no summary, so it can be resumed."""

    def prepare(folder: Path) -> None:
        shutil.copytree(_example(), folder, symlinks=True, dirs_exist_ok=True)
        if not finished:
            (folder / SUMMARY).unlink()
        damage(folder)

    return prepare


# -- ways to damage a file -----------------------------------------------------------------------


def _content(path: Path, content: bytes) -> Damage:
    return lambda folder: (folder / path).write_bytes(content)


def _changed(path: Path, change: Callable[[bytes], bytes]) -> Damage:
    return lambda folder: (folder / path).write_bytes(change((folder / path).read_bytes()))


def _flipped(path: Path, position: int) -> Damage:
    def flip(content: bytes) -> bytes:
        damaged = bytearray(content)
        damaged[position] ^= 1
        return bytes(damaged)

    return _changed(path, flip)


def _reordered(path: Path, *order: int) -> Damage:
    def reorder(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        return b"".join(lines[each] for each in order)

    return _changed(path, reorder)


def _made(path: Path, make: Callable[[Path], object]) -> Damage:
    """Something else in place of a file."""

    def replace_it(folder: Path) -> None:
        (folder / path).unlink(missing_ok=True)
        make(folder / path)

    return replace_it


def _all(*damages: Damage) -> Damage:
    return lambda folder: [damage(folder) for damage in damages]


def _record(path: Path, change: Callable[[dict[str, Any]], object], line: int = 0) -> Damage:
    """A JSON object in a file, changed."""

    def rewrite(content: bytes) -> bytes:
        lines = [content] if path.suffix == ".json" else content.splitlines(keepends=True)
        document = json.loads(lines[line])
        change(document)
        lines[line] = json.dumps(document).encode() + b"\n"
        return b"".join(lines)

    return _changed(path, rewrite)


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a folder": Path.mkdir,
    "an input error": lambda path: path.symlink_to("/proc/self/mem"),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "a loop": lambda path: path.symlink_to(path.name),
}
NO_OBJECT = {
    "empty": b"",
    "half": b'{"command": ["fractrain", ',
    "a list": b"[1, 2]",
    "nested": b"[" * 100_000,
    "not UTF-8": b'{"command": "\xff"}',
    "zeros": bytes(4096),
}


# -- the kinds -----------------------------------------------------------------------------------


def wrong_inputs() -> Iterator[WrongInput]:
    """Damaged runs that are resumed, reported, compared, swept."""
    yield from _configurations()
    yield from _options()
    yield from _logs()
    yield from _checkpoints()
    yield from _folders()
    for name, arguments in {"report": REPORT, "compare": COMPARE}.items():
        yield from _reports(name, arguments)
    yield from _sweeps()


def _case(name: str, damage: Damage, says: str, **more: Any) -> WrongInput:
    finished = more.pop("finished", False)
    base = WrongInput(
        name=name,
        arguments=RESUME,
        says=says,
        code=3,
        prepare=_prepared(damage, finished=finished),
        changes=["runs/run/.lock"],
        tells_progress=True,  # notes of what else is damaged
    )
    return replace(base, **more)


def _configurations() -> Iterator[WrongInput]:
    for name, content in NO_OBJECT.items():
        yield _case(f"config.json {name}", _content(CONFIG, content), r"config\.json is damaged")
    for name, make in UNREADABLE.items():
        yield _case(f"config.json {name}", _made(CONFIG, make), r"config\.json")
    for key in ("plan", "data_sha256", "machine", "seed"):
        damage = _record(CONFIG, lambda found, key=key: found.update({key: "x"}))  # type: ignore[misc]
        yield _case(f"config.json other {key}", damage, f"another run: {key} was 'x'")


def _options() -> Iterator[WrongInput]:
    wrong: dict[str, list[Any]] = {
        "batch": ["x", 0, [4, 5], {}, 1.5, True],
        "lr": ["fast", -1, [0.1, 0.2]],
        "method": ["best", 3],
        "mode": ["quick"],
        "lr_schedule": ["steep"],
        "weight_levels": ["all"],
        "model": ["resnet7", {}],
        "dataset": ["none", 7],
        "backend": ["gpu"],
        "evaluate_every": [0, "often"],
    }
    for name, values in wrong.items():
        for value in values:
            damage = _record(
                CONFIG,
                lambda found, name=name, value=value: found["options"].update({name: value}),  # type: ignore[misc]
            )
            # what words there are for these is known later
            known = name in ("model", "dataset") and isinstance(value, str)
            says = f"{name}: got" if known else rf"config\.json is damaged: .*{name}: got"
            yield _case(f"option {name} {value!r}", damage, says, code=2 if known else 3)
    for field, value in {"targets": ["low"], "alpha": "x", "candidates": [3], "none": 1}.items():
        damage = _record(
            CONFIG,
            lambda found, field=field, value=value: found["method_options"].update({field: value}),  # type: ignore[misc]
        )
        yield _case(f"method option {field}", damage, r"config\.json is damaged: ")


def _logs() -> Iterator[WrongInput]:
    for path in (LOG, EVALUATIONS):
        damages = {
            "empty": _content(path, b""),
            "missing": _made(path, lambda path: None),
            "zeros": _changed(path, lambda content: bytes(len(content))),
            "a flipped bit": _flipped(path, 20),
            "torn": _changed(path, lambda content: content[:30]),
            "its first line last": _reordered(path, 1, 0),
            "CRLF": _changed(path, lambda content: content.replace(b"\n", b"\r\n")),
        }
        damages |= {
            name: _made(path, make)
            for name, make in UNREADABLE.items()
            if name in ("a FIFO", "a folder")
        }
        if path == LOG:
            damages["twice its first line"] = _reordered(path, 0, 0, 1, 2, 3)
        for name, damage in damages.items():
            yield _case(f"{path.name} {name}", damage, rf"cannot be used: {path.name} .*again")


def _checkpoints() -> Iterator[WrongInput]:
    for name, make in UNREADABLE.items():
        both = _all(_made(NEWEST, make), _made(OLDER, make))
        says = f"{NEWEST.name} cannot be used: cannot read it: .*nothing was changed"
        yield _case(f"both checkpoints {name}", both, says)
        one = _all(_content(NEWEST, b""), _made(OLDER, make))
        says = f"{OLDER.name} cannot be used: cannot read it"
        yield _case(f"damaged, older {name}", one, says)
    folder = _all(lambda folder: shutil.rmtree(folder / CHECKPOINTS))
    for name, make in {
        "a file": Path.touch,
        "a FIFO": os.mkfifo,
        "nowhere": lambda path: path.symlink_to("nowhere"),
        "a loop": lambda path: path.symlink_to(path.name),
    }.items():
        damage = _all(folder, lambda folder, make=make: make(folder / CHECKPOINTS))  # type: ignore[misc]
        yield _case(f"checkpoints {name}", damage, r"cannot read .*checkpoints")


def _folders() -> Iterator[WrongInput]:
    whole: Damage = lambda folder: None  # noqa: E731
    yield _case(
        "no such run", whole, "--resume: got 'none'", arguments=[*RESUME[:-1], "none"], code=2
    )
    yield _case("a file", whole, "--resume: got", arguments=[*RESUME[:-1], str(LOG)], code=2)
    yield _case(
        "nothing is unfinished", whole, "unfinished", arguments=RESUME[:-1], code=2, finished=True
    )
    lock = _made(RUN / ".lock", Path.mkdir)
    yield _case("the lock a folder", lock, "cannot write .*runs/run", changes=["nothing"])


def _reports(command: str, arguments: tuple[str, ...]) -> Iterator[WrongInput]:
    other = _all(lambda folder: shutil.copytree(folder / RUN, folder / "runs" / "other"))
    other = other if command == "compare" else _all()

    def case(name: str, damage: Damage, says: str) -> WrongInput:
        return _case(
            f"{command}: {name}", _all(other, damage), says, arguments=arguments, finished=True
        )

    for path in (CONFIG, SUMMARY):
        for name, content in NO_OBJECT.items():
            yield case(f"{path.name} {name}", _content(path, content), rf"{path.name} is damaged")
    for path in (CONFIG, LOG):
        for name in ("a FIFO", "a folder", "endless"):
            yield case(f"{path.name} {name}", _made(path, UNREADABLE[name]), rf"has no {path.name}")
    values: dict[Path, dict[str, list[Any]]] = {
        LOG: {"step": [None, "x"], "loss": ["x", []], "bits": ["x", [], [[1]], [1]]},
        EVALUATIONS: {"step": [None, {}], "test_accuracy": [None, "x"], "joules": ["x"]},
        MEASURED: {"step": ["x"], "passes": [[]], "cycles": ["x"]},
        SUMMARY: {"modelled": [[]], "measured": [1], "effective_macs": [[]]},
        CONFIG: {"blocks": ["x", {}], "plan": ["x"]},
    }
    for path, fields in values.items():
        for field, wrong in fields.items():
            for value in wrong:
                damage = _record(
                    path,
                    lambda found, field=field, value=value: found.update({field: value}),  # type: ignore[misc]
                )
                yield case(f"{path.name} {field} {value!r}", damage, rf"{path.name}.*{field}")
    for name, rails in {
        "a number": 1,
        "no objects": ["x"],
        "a word": "vcc",
        "an object": {"a": 1},
    }.items():
        line = json.dumps({"kind": "part", "rails": rails}).encode() + b"\n"
        yield case(f"power.jsonl rails {name}", _content(POWER, line), r"power\.jsonl.*rails")


# -- sweeps --------------------------------------------------------------------------------------

SWEEP = "base: {steps: 4, batch: 4, test_images: 4}\npoints: [{seed: 0}]\n"


@functools.cache
def _point() -> str:
    """The name of the folder of the only run of `SWEEP`."""
    shown = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("sweep.yaml").write_text(SWEEP)
        with contextlib.redirect_stdout(shown):
            assert main(["sweep", "sweep.yaml", "--dry-run"]) == 0
    return shown.getvalue().split()[0]


def _sweeps() -> Iterator[WrongInput]:
    """Its run is finished, so nothing is left to do but to read it."""

    def swept(damage: Damage) -> Damage:
        def prepare(folder: Path) -> None:
            (folder / "sweep.yaml").write_text(SWEEP)
            damage(folder)
            (folder / RUN).rename(folder / "runs" / _point())

        return prepare

    def case(name: str, damage: Damage, says: str) -> WrongInput:
        return _case(
            f"sweep: {name}",
            swept(damage),
            says,
            arguments=["sweep", "sweep.yaml", "--out", "runs"],
            finished=True,
            changes=["runs/.lock"],
        )

    for field, wrong in {"test_accuracy": ["x", []], "modelled": [[], 1], "joules": [[]]}.items():
        for value in wrong:
            inside = field == "joules"
            damage = _record(
                SUMMARY,
                lambda found, field=field, value=value, inside=inside: (  # type: ignore[misc]
                    found["modelled"] if inside else found
                ).update({field: value}),
            )
            yield case(f"{field} {value!r}", damage, rf"summary\.json: {field} is")
    lock = lambda folder: (folder / "runs" / ".lock").mkdir()  # noqa: E731
    yield case("the lock a folder", lock, "cannot write runs")
