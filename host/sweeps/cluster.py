"""Jobs as tasks of a Dask scheduler that is there already; its workers share the file system.

A task is one thread of a worker that waits for the run's process beside it, so a worker runs as
many at a time as it has threads (``dask worker --nthreads``). Dask cannot interrupt a thread:
tasks therefore watch a variable of the scheduler. The sweep changes it every few seconds; when it
says stop, or has not changed for `SILENCE_SECONDS`, the tasks stop their runs, which save their
state. A task that Dask starts again elsewhere, because its worker is gone, resumes its run.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
import uuid
from pathlib import Path
from typing import Any

from fractrain.host.sweeps.job import Job, Outcome, available_cores
from fractrain.hw.contract.errors import DataError, FractrainError, MissingToolError, ParameterError
from fractrain.hw.contract.installation import needs_extra

CONNECT_SECONDS = 10
BEAT_SECONDS = 5
"""Between changes of the variable."""
SILENCE_SECONDS = 60
"""After which a sweep counts as gone."""
POLL_SECONDS = 1
STOP = "stop"

NO_ANSWER = (OSError, TimeoutError)
"""What is raised when the scheduler is gone."""


class ClusterEngine:
    """Tasks of the scheduler at ``address``; ``out`` is the folder of all runs, which exists.

    Raises `MissingToolError` without the extra ``sweep`` here or on a worker, `ParameterError` if
    no scheduler answers, `DataError` for a worker that does not see ``out``.
    """

    slots: int | None = None

    def __init__(self, address: str, out: Path) -> None:
        with needs_extra("sweep"):
            import distributed
        wrong = ParameterError(
            "--scheduler",
            address,
            "the address of a running Dask scheduler, for example tcp://host:8786",
            hint="start one with: dask scheduler; and on each machine: dask worker ADDRESS",
        )
        if not re.fullmatch(r"\w+://.+:\d+", address):
            raise wrong
        try:
            self._client: Any = distributed.Client(
                address, timeout=CONNECT_SECONDS, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise wrong from error
        self._token = uuid.uuid4().hex[:8]
        self._variable: Any = distributed.Variable(f"fractrain-sweep-{self._token}", self._client)
        self._futures: dict[Job, Any] = {}
        self._stopping = False
        self._beats, self._last_beat = 0, -float("inf")
        try:
            _check_workers(self._client, out)
            self._beat()
        except BaseException:
            self._client.close()
            raise

    @property
    def threads(self) -> int:
        """Runs at a time, over all workers that are connected now."""
        return sum(self._client.nthreads().values())

    def start(self, job: Job) -> None:
        """Give it to the scheduler."""
        self._futures[job] = self._client.submit(
            run_task, job, self._variable.name, key=f"{job.folder.name}-{self._token}", pure=False
        )

    def ended(self) -> list[tuple[Job, Outcome]]:
        """Those that have ended since the last call."""
        self._beat()
        found = [(job, future) for job, future in self._futures.items() if future.done()]
        for job, _ in found:
            del self._futures[job]
        return [(job, _outcome(future)) for job, future in found]

    def stop(self) -> None:
        """Have all save their state and end; `ended` tells when they have."""
        self._stopping = True
        with contextlib.suppress(*NO_ANSWER):
            self._variable.set(STOP)
            # Those that no worker has yet would wait for one.
            taken = {key for keys in self._client.processing().values() for key in keys}
            self._client.cancel([each for each in self._futures.values() if each.key not in taken])

    def close(self) -> None:
        """Leave the scheduler; runs that are still there stop."""
        if self._futures and not self._stopping:
            self.stop()
        elif not self._futures:
            with contextlib.suppress(*NO_ANSWER):
                self._variable.delete()
        self._client.close()

    def _beat(self) -> None:
        if self._stopping or time.monotonic() - self._last_beat < BEAT_SECONDS:
            return
        self._beats, self._last_beat = self._beats + 1, time.monotonic()
        with contextlib.suppress(*NO_ANSWER):  # of a scheduler that is gone; the futures tell
            self._variable.set(self._beats)


def run_task(job: Job, variable: str) -> Outcome:
    """On a worker: the whole of ``job``, begun or resumed; stops it as the module says."""
    from distributed import Variable, get_worker

    sweep = _Sweep(Variable(variable))
    if sweep.is_gone():
        return Outcome(128 + signal.SIGTERM, "not begun: the sweep was stopped")
    threads = max(1, available_cores() // get_worker().state.nthreads)
    try:
        process = job.start(threads)
    except FractrainError as error:
        return Outcome(error.exit_code, str(error))
    told = False
    while (code := process.poll()) is None:
        time.sleep(POLL_SECONDS)
        if not told and sweep.is_gone():
            process.send_signal(signal.SIGTERM)
            told = True
    return job.outcome(code, process.last_words())


class _Sweep:
    """The sweep, as seen from a task."""

    def __init__(self, variable: Any) -> None:
        self._variable: Any = variable
        self._value: Any = None
        self._changed = time.monotonic()

    def is_gone(self) -> bool:
        """Whether it said stop, or is silent."""
        try:
            value = self._variable.get(timeout=POLL_SECONDS)
        except NO_ANSWER:
            value = self._value
        if value != self._value:
            self._value, self._changed = value, time.monotonic()
        return value == STOP or time.monotonic() - self._changed > SILENCE_SECONDS


def _outcome(future: Any) -> Outcome:
    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    if future.status == "error":
        return Outcome(1, " ".join(str(future.exception()).split()) or repr(future.exception()))
    return Outcome(1, f"{future.status}: the scheduler is gone, was restarted or gave it up")


def _check_workers(client: Any, out: Path) -> None:
    """Raise for a worker that lacks this program, or the folder ``out``."""
    program = client.run(_program_is_here, on_error="return")
    if lacking := sorted(address for address, answer in program.items() if answer is not True):
        raise MissingToolError(
            f"the worker {lacking[0]} cannot import fractrain-fpga: install it there, too, in the "
            f"environment that `dask worker` runs in ({program[lacking[0]]!r})"
        )
    folders = client.run(os.path.isdir, str(out))
    if blind := sorted(address for address, sees in folders.items() if not sees):
        raise DataError(
            f"the worker {blind[0]} has no folder {out}: all machines must share the file system "
            "that --out is on"
        )


def _program_is_here() -> bool:
    """To run this, a worker must have imported it."""
    return True
