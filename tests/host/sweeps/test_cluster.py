"""Runs on the workers of a Dask scheduler."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fractrain.host.sweeps import cluster
from fractrain.host.sweeps.cluster import ClusterEngine
from fractrain.host.sweeps.job import Job, Outcome
from fractrain.hw.contract.errors import DataError, ParameterError

distributed = pytest.importorskip(
    "distributed", reason="Dask is not installed: pip install 'distributed>=2024.8'"
)

SHORT = ("--steps=2", "--batch=4", "--test-images=4")
LONG = ("--steps=100000", "--batch=4", "--test-images=4")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a scheduler with one worker of one thread, in this process."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as running:
        yield running.scheduler_address


def wait_for(engine: ClusterEngine, jobs: int) -> dict[str, Outcome]:
    """The outcomes of so many jobs, by the names of their folders."""
    found: dict[str, Outcome] = {}
    deadline = time.monotonic() + 120
    while len(found) < jobs and time.monotonic() < deadline:
        found |= {job.folder.name: outcome for job, outcome in engine.ended()}
        time.sleep(0.05)
    return found


def test_runs_and_failures(address: str, tmp_path: Path) -> None:
    jobs = [
        Job(tmp_path / "good-1", SHORT),
        Job(tmp_path / "bad-2", ("--batch=0",)),
        Job(tmp_path / "gone" / "nowhere-3", SHORT),
    ]
    with closing(ClusterEngine(address, tmp_path)) as engine:
        assert engine.threads == 1
        for job in jobs:
            engine.start(job)
        outcomes = wait_for(engine, 3)
    assert outcomes["good-1"] == Outcome(0, "") and jobs[0].finished
    assert outcomes["bad-2"].code == 2 and "--batch: got '0'" in outcomes["bad-2"].message
    assert "there is no folder" in outcomes["nowhere-3"].message


def test_stop_saves_what_runs_and_begins_nothing(address: str, tmp_path: Path) -> None:
    jobs = [Job(tmp_path / f"run-{number}", LONG) for number in range(2)]
    with closing(ClusterEngine(address, tmp_path)) as engine:
        for job in jobs:
            engine.start(job)
        while not jobs[0].steps_done:
            time.sleep(0.05)
        engine.stop()
        outcomes = wait_for(engine, 2)
    assert outcomes["run-0"].code == 143
    assert "to go on: fractrain train --resume" in outcomes["run-0"].message
    assert list((tmp_path / "run-0" / "checkpoints").iterdir())
    assert outcomes["run-1"].code != 0 and not jobs[1].begun


def test_a_silent_sweep_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Variable:
        value: Any = 1

        def get(self, timeout: float) -> Any:
            if self.value is None:
                raise TimeoutError
            return self.value

    now = [0.0]
    monkeypatch.setattr(cluster.time, "monotonic", lambda: now[0])
    variable = Variable()
    sweep = cluster._Sweep(variable)
    assert not sweep.is_gone()
    now[0], variable.value = 50, 2
    assert not sweep.is_gone()
    now[0], variable.value = 109, None  # no answer counts as no change
    assert not sweep.is_gone()
    now[0] = 111
    assert sweep.is_gone()
    variable.value = 3
    assert not sweep.is_gone()
    variable.value = cluster.STOP
    assert sweep.is_gone()


def test_a_worker_without_the_folder(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no folder .*elsewhere: all machines must share"):
        ClusterEngine(address, tmp_path / "elsewhere")


def test_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.1)
    for wrong in ("nonsense", "tcp://127.0.0.1:1"):
        with pytest.raises(ParameterError, match="--scheduler: got .* running Dask scheduler"):
            ClusterEngine(wrong, tmp_path)
