"""All points through an engine: what is run, what is left alone, what a signal does."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fractrain.host.process.stopping import Stopped, StopSignals
from fractrain.host.sweeps.campaign import Campaign, only_one
from fractrain.host.sweeps.job import Job, Outcome, last_line, steps_in
from fractrain.host.sweeps.points import Point, Resolved
from fractrain.hw.contract.errors import DataError, FractrainError

POINTS = [
    Point(f"p{number}-d{number}", {"p": str(number)}, Resolved((), {}, 5)) for number in "123"
]


class Engine:
    """Ends each job at the next look, with results but for those that are to fail."""

    def __init__(self, slots: int | None = 2, failing: str = "") -> None:
        self.slots, self.failing = slots, failing
        self.started: list[str] = []
        self.most = 0
        self.stopped = False
        self._running: list[Job] = []

    def start(self, job: Job) -> None:
        self.started.append(job.folder.name)
        self._running.append(job)
        self.most = max(self.most, len(self._running))

    def ended(self) -> list[tuple[Job, Outcome]]:
        found, self._running = self._running, []
        return [(job, self._end(job)) for job in found]

    def _end(self, job: Job) -> Outcome:
        if self.stopped:
            return Outcome(143, "interrupted")
        if job.folder.name == self.failing:
            return Outcome(1, "diverged")
        job.folder.mkdir(exist_ok=True)
        (job.folder / "summary.json").write_text("{}")
        return Outcome(0, "")

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        pass


class Silent:
    def started(self, point: Point, steps: int) -> None: ...

    def progress(self, point: Point, steps: int) -> None: ...

    def ended(self, point: Point, job: Job, outcome: Outcome) -> None: ...

    def stopping(self) -> None: ...


def execute(engine: Engine, out: Path) -> Campaign:
    campaign = Campaign(POINTS, out)
    with StopSignals() as stop:
        campaign.execute(engine, Silent(), stop)
    return campaign


@pytest.mark.parametrize(("slots", "most"), [(1, 1), (2, 2), (None, 3)])
def test_all_are_run_no_more_at_a_time_than_there_is_room(
    tmp_path: Path, slots: int | None, most: int
) -> None:
    engine = Engine(slots)
    campaign = execute(engine, tmp_path)
    assert engine.started == [point.name for point in POINTS]
    assert engine.most == most
    assert campaign.unfinished == [] and campaign.failures == {}


def test_a_failure_does_not_stop_the_others_and_is_tried_again(tmp_path: Path) -> None:
    campaign = execute(Engine(1, failing="p2-d2"), tmp_path)
    assert campaign.failures == {POINTS[1]: Outcome(1, "diverged")}
    assert campaign.unfinished == [POINTS[1]]
    again = Engine(1)
    execute(again, tmp_path)
    assert again.started == ["p2-d2"]


def test_a_signal_stops_what_runs_and_begins_nothing(tmp_path: Path) -> None:
    class Interrupted(Engine):
        def start(self, job: Job) -> None:
            super().start(job)
            os.kill(os.getpid(), signal.SIGTERM)

        def ended(self) -> list[tuple[Job, Outcome]]:
            return super().ended() if self.stopped else []

    engine = Interrupted(1)
    with pytest.raises(Stopped) as stopped:
        execute(engine, tmp_path)
    assert stopped.value.exit_code == 143
    assert engine.stopped and engine.started == ["p1-d1"]


def test_one_sweep_at_a_time_in_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with only_one(out):
        with pytest.raises(FractrainError, match="out is in use: another sweep runs there"):
            with only_one(out):
                pass
    with only_one(out):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write .*file/out: Not a directory"):
        with only_one(tmp_path / "file" / "out"):
            pass


def test_commands(tmp_path: Path) -> None:
    job = Job(tmp_path / "a-1", ("--steps=2",))
    new = ["train", "--out", str(tmp_path), "--name", "a-1", "--overwrite", "--steps=2"]
    assert job.command() == new
    job.folder.mkdir()
    assert job.command() == new
    (job.folder / "config.json").touch()
    assert job.command() == ["train", "--resume", str(job.folder)]


def test_steps_and_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert steps_in(log) == 0 and last_line(log) == ""
    log.write_text("")
    assert steps_in(log) == 0 and last_line(log) == ""
    log.write_text("".join(json.dumps({"step": step}) + "\n" for step in range(3)))
    assert steps_in(log) == 3
    with log.open("a") as file:
        file.write('{"step": 3, "lo')
    assert steps_in(log) == 3
    log.write_text("first\nlast\n \n\n")
    assert last_line(log) == "last"


def test_how_a_process_ended(tmp_path: Path) -> None:
    job = Job(tmp_path / "a-1", ())
    job.log.parent.mkdir()
    job.log.write_text("step 1\nfractrain: error: the loss is nan\n")
    assert job.outcome(1) == Outcome(1, "the loss is nan")
    assert job.outcome(0) == Outcome(1, "the loss is nan"), "no results are no success"
    assert job.outcome(-9) == Outcome(-9, f"ended by SIGKILL; see {job.log}")
    job.folder.mkdir()
    (job.folder / "summary.json").write_text("{}")
    assert job.outcome(0) == Outcome(0, "")


def test_why_a_run_ended_that_could_not_print_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the log is empty; the reason is there nevertheless. Nor does it matter what
    is in the folder where the sweep was started."""
    (tmp_path / "fractrain").mkdir()
    (tmp_path / "fractrain" / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    monkeypatch.chdir(tmp_path)
    job = Job(tmp_path / "a-1", ("--lr", "fast"))
    job.log.parent.mkdir()
    job.log.symlink_to("/dev/full")
    process = job.start(1)
    code = process.wait(60)
    assert code == 2
    outcome = job.outcome(code, process.last_words())
    assert outcome.code == 2
    assert "--lr" in outcome.message and "fast" in outcome.message


def test_the_pipe_of_last_words_is_closed(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    job = Job(tmp_path / "a-1", ("--lr", "fast"))
    process = job.start(1)
    assert process.wait(60) == 2
    assert process.last_words() == "", "the log took it"
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder .*gone on this machine"):
        Job(tmp_path / "gone" / "a-1", ()).start(1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has PR_SET_PDEATHSIG")
def test_a_run_ends_with_the_process_that_started_it(project_root: Path) -> None:
    """However that ends: the pipe closes when the last process that holds it has gone."""
    child = (
        "import os, sys, time; from host.cli.child import end_with; "
        "end_with(os.getppid()); print('ready', flush=True); time.sleep(600)"
    )
    parent = (
        "import subprocess, sys, time; "
        f"subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True); "
        "time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(project_root)},
    )
    assert process.stdout is not None
    with process.stdout as pipe:
        assert pipe.readline() == b"ready\n"
        process.kill()
        process.wait()
        assert pipe.read() == b""
