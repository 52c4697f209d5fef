"""pip install, with a line that says how far it is: python -m tools.install -r requirements.lock

Takes the arguments of ``pip install``; ends with pip's exit code. What pip says is shown only if it
fails. Needs Python's own packages and pip.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fractrain.sim.progress import activity

PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
STEPS = {
    "Collecting": "collecting",
    "Downloading": "downloading",
    "Using cached": "unpacking",
    "Obtaining": "reading",
    "Building": "building",
    "Installing collected packages": "installing",
}
STEP = re.compile(rf"\s*({'|'.join(STEPS)}):? (.*)")
PINNED = re.compile(r"^[A-Za-z0-9][\w.-]*==", re.MULTILINE)
SHOWN_LINES = 20


class Report:
    """Makes a few words of pip's output. ``expected``: how many packages it is going to collect,
    0 if that is not known."""

    def __init__(self, expected: int) -> None:
        self._expected, self._collected = expected, 0

    def read(self, line: str) -> str | None:
        """What pip is at, if ``line`` says so."""
        match = STEP.match(line)
        if match is None:
            return None
        step, rest = STEPS[match[1]], match[2].strip()
        if step == "installing":
            count = len(rest.split(","))
            return f"installing {count} package{'s' if count > 1 else ''}"
        if step == "collecting":
            self._collected += 1
        # packages and files by their names without versions, files with their size
        name = re.split(r"[=<>!~;@ ]|-\d", rest.split(" ")[0].rpartition("/")[2])[0]
        size = re.search(r"\([\d.]+ [kMG]B\)$", rest)
        words = f"{step} {name} {size[0]}" if size else f"{step} {name}"
        if not self._expected:
            return words
        return f"{min(self._collected, self._expected)} of {self._expected}, {words}"


def main(arguments: Sequence[str]) -> int:
    """Install; the exit code of pip."""
    files = [Path(arguments[i + 1]) for i, each in enumerate(arguments) if each == "-r"]
    expected = sum(len(PINNED.findall(file.read_text(encoding="utf-8"))) for file in files)
    what = f"the packages of {files[0]}" if files else " ".join(_named(arguments))
    with activity(f"installing {what}") as tell:
        code, said = _pip(arguments, Report(expected), tell)
    if code:
        print("\n".join(said[-SHOWN_LINES:]), file=sys.stderr)
    return code


def _named(arguments: Sequence[str]) -> list[str]:
    return ["this project" if each == "." else each for each in arguments if each[0] != "-"]


def _pip(
    arguments: Sequence[str], report: Report, tell: Callable[[str], None]
) -> tuple[int, list[str]]:
    """Exit code and output."""
    command = [sys.executable, *PIP, "install", *arguments]
    said = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said.append(line.rstrip())
                if words := report.read(line):
                    tell(words)
        except BaseException:
            process.terminate()
            raise
    return process.returncode, said


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
