"""Kills training runs at random moments, and resumes them, until they end.

    python -m tests.host.training.kill_many --kills 100

Every method trains a short run once without interruption. Then it starts again; its process gets
SIGKILL at a moment that is uniform over the time that the run took, is resumed, killed again, and
so on to its end. After every kill the folder must be right (`check_killed`); at the end, log,
evaluations and weights must be those of the first run, bit for bit.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import random
import re
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fractrain.host.cli.main import main as fractrain
from fractrain.host.datasets import load_dataset
from fractrain.host.runs import running
from fractrain.host.training.checkpoint import UnusableError, decode
from fractrain.host.training.run_record import fingerprint

CHECKPOINT_EVERY = 3
SHORT = [
    *("--steps", "24", "--batch", "8", "--checkpoint-every", str(CHECKPOINT_EVERY)),
    *("--evaluate-every", "6", "--test-images", "40"),
]
STAGES = ["--interval", "2", "--epsilon", "1e9"]
KINDS = {
    "fractrain": ["--method", "fractrain", *STAGES],
    "pfq": ["--method", "pfq", *STAGES],
    "dfq": ["--method", "dfq"],
    "static": ["--method", "static"],
    "cpt": ["--method", "cpt", "--cycles", "3"],
    "published": ["--method", "fractrain", "--mode", "reference", *STAGES],
}


@dataclass
class Tally:
    """What the kills met, and the most steps that one of them cost."""

    kills: int = 0
    runs: int = 0
    most_lost: int = 0
    moments: Counter[str] = field(default_factory=Counter)


def main() -> None:
    """Kill as often as asked; a failed check is an `AssertionError`."""
    parser = argparse.ArgumentParser(prog="kill_many", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    randomness, tally = random.Random(args.seed), Tally()
    # What every process would load by itself, before its first step; and no report behind the last.
    importlib.import_module("fractrain.host.backends.golden")
    load_dataset("digits")
    running._report = lambda folder: None
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        while tally.kills < args.kills:
            kind = list(KINDS)[tally.runs % len(KINDS)]
            run_to_its_end(root, kind, randomness, tally, args.kills)
    moments = ", ".join(f"{count} {moment}" for moment, count in tally.moments.most_common())
    print(f"{tally.kills} kills of {tally.runs} runs: {moments}")
    print(f"most steps lost by one: {tally.most_lost}, of {CHECKPOINT_EVERY} between checkpoints")
    print("logs, evaluations and weights: those of runs without interruption")


def run_to_its_end(
    root: Path, kind: str, randomness: random.Random, tally: Tally, most: int
) -> None:
    """One run, killed and resumed until it ends as the one without interruption did.

    ``most`` kills in all; what is left then is done in peace.
    """
    whole = root / f"{kind}-whole"
    if not whole.exists():
        process = Process(start(root, kind, whole.name), root / "output")
        process.wait()
        (whole / "seconds").write_text(str(process.seconds))
    seconds = float((whole / "seconds").read_text())
    name = f"{kind}-{tally.runs}"
    run, resumed = root / name, None
    while True:
        begun = (run / "config.json").exists()
        command = resume(root, name) if begun else start(root, kind, name)
        process = Process(command, root / "output")
        moment = randomness.uniform(0, seconds)
        killed = process.wait() if tally.kills == most else process.kill_after(moment)
        if resumed is not None:
            check_resumed(process, resumed)
        if not killed:
            break
        tally.kills += 1
        tally.moments[doing(run, process)] += 1
        resumed = check_killed(run, whole, tally)
    tally.runs += 1
    check_ended(run, whole)


def start(root: Path, kind: str, name: str) -> list[str]:
    return ["train", *SHORT, *KINDS[kind], "--out", str(root), "--name", name]


def resume(root: Path, name: str) -> list[str]:
    return ["train", "--out", str(root), "--resume", name]


class Process:
    """`fractrain` in a process of its own, its output in a file."""

    def __init__(self, command: list[str], output: Path) -> None:
        self._output, self._started = output, time.monotonic()
        output.write_text("")
        self._child = os.fork()
        if self._child == 0:
            code = 70
            with contextlib.suppress(BaseException):
                descriptor = os.open(output, os.O_WRONLY | os.O_TRUNC)
                os.dup2(descriptor, 1)
                os.dup2(descriptor, 2)
                code = fractrain(command)
            os._exit(code)

    def wait(self) -> bool:
        """To its end, which must be a good one; False, as it was not killed."""
        _, status = os.waitpid(self._child, 0)
        self.seconds = time.monotonic() - self._started
        assert os.waitstatus_to_exitcode(status) == 0, self.output
        return False

    def kill_after(self, seconds: float) -> bool:
        """Whether it still ran after so many ``seconds``; then it does no more."""
        time.sleep(seconds)
        os.kill(self._child, signal.SIGKILL)
        _, status = os.waitpid(self._child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, -signal.SIGKILL), self.output
        return code != 0

    @property
    def output(self) -> str:
        """What it has written, errors too."""
        return self._output.read_text()


# -- what must hold ----------------------------------------------------------------------------


def check_killed(run: Path, whole: Path, tally: Tally) -> int | None:
    """The step that a killed run must be resumed from; None if it has not begun."""
    if not (run / "config.json").exists():
        return None
    log = whole_lines(run / "log.jsonl")
    assert log == whole_lines(whole / "log.jsonl")[: len(log)]
    evaluations = whole_lines(run / "evaluations.jsonl")
    assert evaluations == whole_lines(whole / "evaluations.jsonl")[: len(evaluations)]
    config = json.loads((run / "config.json").read_text())
    steps = [0]
    for path in (run / "checkpoints").glob("*.checkpoint"):
        try:
            steps.append(decode(path.read_bytes(), fingerprint(config)).step)
        except UnusableError as error:
            raise AssertionError(f"{path}: {error}") from error
    lost = len(log) - max(steps)
    assert 0 <= lost <= CHECKPOINT_EVERY, (len(log), steps)
    tally.most_lost = max(tally.most_lost, lost)
    return max(steps)


def check_resumed(process: Process, step: int) -> None:
    """It went on from where it must, if it came so far."""
    found = re.search(r"going on after (\d+) of", process.output)
    assert found is None or int(found[1]) == step, process.output
    assert "is not used" not in process.output, process.output


def check_ended(run: Path, whole: Path) -> None:
    """A run that was killed has become the one that was not."""
    for name in ("log.jsonl", "evaluations.jsonl"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    first, second = (json.loads((each / "summary.json").read_text()) for each in (whole, run))
    differing = {name for name in first if first[name] != second[name]}
    assert differing <= {"seconds", "command"}, differing
    assert first["weights_sha256"] == second["weights_sha256"]
    assert (
        not list(run.rglob("*.tmp"))
        and not list(run.rglob("*.damaged"))
        and not list(run.rglob("*.unused"))
    )


def doing(run: Path, process: Process) -> str:
    """What the killed process was doing, as far as it shows."""
    shows: dict[str, Callable[[], bool]] = {
        "while a checkpoint was written": lambda: any((run / "checkpoints").glob(".*.tmp")),
        "while another file was written": lambda: any(run.glob(".*.tmp")),
        "after the summary was written": lambda: (run / "summary.json").exists(),
        "in training": lambda: "step " in process.output,
        "before a step": lambda: True,
    }
    return next(name for name, holds in shows.items() if holds())


def whole_lines(path: Path) -> list[bytes]:
    """Those with an end; none if there is no file."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


if __name__ == "__main__":
    main()
