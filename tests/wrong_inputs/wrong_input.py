"""One thing that a user got wrong, and what the command line must make of it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from fractrain.host.cli.main import main

__all__ = ["LONGEST_LINE", "Outcome", "WrongInput", "carry_out", "complaints"]

LONGEST_LINE = 600
"""Characters of an error: it names what was given, but does not recite it."""

PATIENCE_S = 120
"""A command that says nothing for so long hangs. Generous: these machines are shared."""


def nothing_to_prepare(folder: Path) -> None:
    """The folder stays empty."""


def nothing_left(folder: Path) -> Iterator[str]:
    """No further complaint."""
    return iter(())


@dataclass(frozen=True)
class WrongInput:
    """``fractrain *arguments`` in an empty folder that ``prepare`` has filled before.

    ``name``: unique within its kind. ``code``: the exit code it must end with. ``says``: a regular
    expression that its one line must contain: the cause, in the user's words. ``environment``:
    additional variables; with any, the command runs as a process of its own. ``after``: looks at
    the folder when all is over and yields what it finds wrong. ``changes``: patterns (``fnmatch``
    of relative paths) that may be new, changed or gone afterwards; everything else must be as
    ``prepare`` left it. ``tells_progress``: lines about its work may come before the error.
    """

    name: str
    arguments: Sequence[str]
    says: str
    code: int = 2
    prepare: Callable[[Path], None] = nothing_to_prepare
    environment: Mapping[str, str] = field(default_factory=dict)
    after: Callable[[Path], Iterator[str]] = nothing_left
    changes: Sequence[str] = ()
    tells_progress: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a command ended: exit code (None: it hung), and what it wrote to stderr and stdout."""

    code: int | None
    error: str
    output: str


def carry_out(case: WrongInput, folder: Path) -> Outcome:
    """Run ``case`` in ``folder``, which is already prepared."""
    if case.environment:
        return _as_process(case, folder)
    error, output = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stderr(error),
        contextlib.redirect_stdout(output),
    ):
        try:
            with _patience():
                code: int | None = main(list(case.arguments))
        except _Hangs:
            code = None
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            error.write(traceback.format_exc())
            code = 1
    return Outcome(code, error.getvalue(), output.getvalue())


def complaints(case: WrongInput, outcome: Outcome) -> Iterator[str]:
    """What is wrong with ``outcome``, one line each; nothing if all is well."""
    if outcome.code is None:
        yield f"hangs: no end after {PATIENCE_S} s"
        return
    if outcome.code != case.code:
        yield f"exit code {outcome.code}, not {case.code}"
    if "Traceback" in outcome.error:
        yield "a traceback"
    lines = [line for line in outcome.error.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"fractrain( \w+)*: error: ", line)]
    if len(errors) != 1 or lines[-1] != errors[0]:
        yield f"{len(errors)} errors on stderr, not one, as the last line"
    elif len(lines) > 1 and not case.tells_progress:
        yield f"{len(lines)} lines on stderr, not one"
    if errors and len(errors[-1]) > LONGEST_LINE:
        yield f"a line of {len(errors[-1])} characters, at most {LONGEST_LINE}"
    if not re.search(case.says, "\n".join(errors)):
        yield f"does not say {case.says!r}"


class _Hangs(BaseException):
    """Not an Exception, so that nothing in the command takes it for one of its own."""


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    def give_up(number: int, frame: FrameType | None) -> None:
        raise _Hangs

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _as_process(case: WrongInput, folder: Path) -> Outcome:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), **case.environment}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fractrain", *case.arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return Outcome(None, "", "")
    return Outcome(
        done.returncode, done.stderr.decode(errors="replace"), done.stdout.decode(errors="replace")
    )
