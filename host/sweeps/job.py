"""One run of a sweep as a process of its own: `fractrain train`, begun or resumed.

The process may be on another machine that shares the file system: a `Job` goes there, an `Outcome`
comes back.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fractrain
from fractrain.host.files.regular import open_regular
from fractrain.host.training.run_directory import CONFIG, LOG, has_summary
from fractrain.hw.contract.errors import DataError

CHILD = "fractrain.host.cli.child"
LOGS = "logs"
"""Folder of the runs' outputs, beside the runs, as a run clears its own folder at its beginning."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

TAIL_BYTES = 65536


@dataclass(frozen=True)
class Job:
    """The run in ``folder``, an absolute path, with the options ``arguments``."""

    folder: Path
    arguments: tuple[str, ...]

    @property
    def log(self) -> Path:
        """What its process prints."""
        return self.folder.parent / LOGS / f"{self.folder.name}.log"

    @property
    def finished(self) -> bool:
        """Whether its results are there."""
        return has_summary(self.folder)

    @property
    def begun(self) -> bool:
        """Whether it has done a step, finished or not."""
        return (self.folder / CONFIG).is_file()

    @property
    def steps_done(self) -> int:
        """By its log; 0 before the first."""
        return steps_in(self.folder / LOG)

    def command(self) -> list[str]:
        """Arguments of `fractrain` that begin it, or go on with it."""
        if self.begun:
            return ["train", "--resume", str(self.folder)]
        where = ["--out", str(self.folder.parent), "--name", self.folder.name]
        # A folder without a run in it may hold what a crash has left.
        return ["train", *where, "--overwrite", *self.arguments]

    def start(self, threads: int) -> RunProcess:
        """Its process, which may compute on ``threads`` cores, unless the environment says so.

        It has a session of its own: an interruption typed at a terminal reaches the sweep, which
        decides. Raises `DataError` if its log cannot be written.
        """
        if not self.folder.parent.is_dir():
            raise DataError(f"there is no folder {self.folder.parent} on this machine")
        root = str(Path(fractrain.__file__).parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = dict.fromkeys(THREAD_VARIABLES, str(threads)) | dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        try:
            self.log.parent.mkdir(exist_ok=True)
            with self.log.open("wb") as output:
                return RunProcess(self.command(), output, environment)
        except OSError as error:
            raise DataError(f"cannot start {self.folder.name}: {error}") from error

    def outcome(self, code: int, last_words: str = "") -> Outcome:
        """Of its process, which has ended with ``code``; ``last_words``: what its log did not
        take."""
        if code == 0 and self.finished:
            return Outcome(0, "")
        if code < 0:
            return Outcome(code, f"ended by {signal.Signals(-code).name}; see {self.log}")
        said = last_words or last_line(self.log)
        said = said.removeprefix("fractrain: ").removeprefix("error: ")
        return Outcome(code or 1, said or f"ended with exit code {code}, without a word")


class RunProcess(subprocess.Popen[bytes]):
    """`fractrain` with ``command``, printing to ``output``.

    What it cannot print there, on a full disk for example, it says through a pipe.
    """

    def __init__(self, command: list[str], output: IO[bytes], environment: dict[str, str]) -> None:
        self._words, end = os.pipe()
        try:
            for each in (self._words, end):
                os.set_blocking(each, False)
            # -P: a folder called fractrain where the sweep was started is none of ours
            child = [sys.executable, "-P", "-m", CHILD, str(os.getpid()), str(end)]
            super().__init__(
                [*child, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=[end],
                start_new_session=True,
            )
        except BaseException:
            os.close(self._words)
            raise
        finally:
            os.close(end)

    def last_words(self) -> str:
        """The last line of what it could not print, once it has ended; empty if it could."""
        try:
            text = os.read(self._words, TAIL_BYTES)
        except BlockingIOError:  # a process of its own still lives
            text = b""
        os.close(self._words)
        return _last_line(text)


@dataclass(frozen=True)
class Outcome:
    """How a process ended: its exit code, and in one line why, if it failed."""

    code: int
    message: str


def available_cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def steps_in(log: Path) -> int:
    """Steps done by the last whole line of a run's ``log``; 0 without one."""
    for line in reversed(_tail(log).splitlines(keepends=True)):
        if not line.endswith(b"\n"):
            continue
        try:
            entry: Any = json.loads(line)
            return int(entry["step"]) + 1
        except (ValueError, KeyError, TypeError):
            return 0
    return 0


def last_line(path: Path) -> str:
    """The last line of a text file that is not blank; empty without one."""
    return _last_line(_tail(path))


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _tail(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            return file.read(TAIL_BYTES)
    except OSError:
        return b""
