"""Jobs as processes of this machine."""

from __future__ import annotations

import contextlib
import signal

from fractrain.host.sweeps.job import Job, Outcome, RunProcess, available_cores
from fractrain.hw.contract.errors import DataError, ParameterError


class LocalEngine:
    """At most ``workers`` processes at a time (None: as many as cores), which share the cores.

    Raises `ParameterError` for less than one.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ParameterError("--workers", workers, "a whole number, at least 1")
        self.slots: int | None = workers or available_cores()
        self._threads = max(1, available_cores() // self.slots)
        self._running: dict[Job, RunProcess] = {}
        self._not_started: list[tuple[Job, Outcome]] = []

    def start(self, job: Job) -> None:
        """Begin or resume it; a failure to do so is an outcome like others."""
        try:
            self._running[job] = job.start(self._threads)
        except DataError as error:
            self._not_started.append((job, Outcome(error.exit_code, str(error))))

    def ended(self) -> list[tuple[Job, Outcome]]:
        """Those that have ended since the last call."""
        found, self._not_started = self._not_started, []
        for job, process in list(self._running.items()):
            if (code := process.poll()) is not None:
                del self._running[job]
                found.append((job, job.outcome(code, process.last_words())))
        return found

    def stop(self) -> None:
        """Have all save their state and end; `ended` tells when they have."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End those that are still there at once."""
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
