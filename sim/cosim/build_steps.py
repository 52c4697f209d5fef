"""The steps that make a simulation from Verilog, run and watched."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

POLL_SECONDS = 0.5


def run_watched(
    command: Sequence[str],
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    watch: Callable[[], None],
) -> int:
    """Run ``command`` in ``folder``, its output into ``log``, and return its exit code.

    ``watch`` is called now and then until it ends. If the wait is interrupted, the command ends,
    too.
    """
    with (
        log.open("ab") as output,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        ) as process,
    ):
        try:
            while True:
                watch()
                try:
                    return process.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            # its children, too: the compilers of make
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


class Objects:
    """The object files that ``make`` with these arguments will compile into ``objects``, and how
    many exist."""

    def __init__(
        self, command: Sequence[str], folder: Path, objects: Path, environment: Mapping[str, str]
    ) -> None:
        asked = subprocess.run(
            [*command, "--dry-run"], cwd=folder, env=environment, capture_output=True, text=True
        )
        sources = re.findall(r" -c (?:-o \S+ )?(\S+)\.cpp$", asked.stdout, re.MULTILINE)
        self._files = {objects / f"{Path(source).name}.o" for source in sources}

    def progress(self) -> str:
        """For example ``7 of 25 files``."""
        # The assembler creates a file when the compiler is done.
        done = sum(file.exists() for file in self._files)
        return f"{done} of {len(self._files)} files"
