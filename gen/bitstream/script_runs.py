"""The scripts of both flows report where they are and why they end, in lines of their own.

FRACTRAIN STAGE name              a stage begins
FRACTRAIN RUN name                the next lines are of that implementation (Vivado only)
FRACTRAIN FAILED stage: reason    it failed; the script ends with a code that is not 0
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fractrain.gen.bitstream.processes import run_logged
from fractrain.hw.contract.errors import FractrainError

__all__ = ["RUN", "Say", "run_script"]

STAGE = "FRACTRAIN STAGE "
RUN = "FRACTRAIN RUN "
FAILED = "FRACTRAIN FAILED "

Say = Callable[[str], None]
"""Called with the name of each stage as it begins."""


class _Listener:
    """The content of these lines so far."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.stage = "start"
        self.failure = ""
        self.last_error = ""

    def line(self, text: str) -> None:
        if text.startswith(STAGE):
            self.stage = text.removeprefix(STAGE).strip()
            self.say(self.stage)
        elif text.startswith(FAILED):
            self.failure = text.removeprefix(FAILED).strip()
        elif text.upper().startswith("ERROR"):
            self.last_error = text.strip()


def run_script(
    command: Sequence[str],
    folder: Path,
    *,
    tool: str,
    log: str,
    say: Say,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run ``command`` in ``folder``, its output in the file ``log`` there.

    Raises `FractrainError` with stage and reason, in the script's own words if it had any, unless
    it ends with code 0; what `run_logged` raises besides.
    """
    listener = _Listener(say)
    code = run_logged(command, folder, folder / log, listener.line, environment)
    if listener.failure:
        raise FractrainError(f"{tool} failed: {listener.failure}")
    if code:
        text = f"{tool} failed: {listener.stage}: it ended {_how(code)}"
        raise FractrainError(f"{text}: {listener.last_error}" if listener.last_error else text)


def _how(code: int) -> str:
    """An exit code of `subprocess` in words."""
    if code >= 0:
        return f"with code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
