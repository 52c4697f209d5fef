"""Set-up: what pip is at, in a few words, and what it said if it failed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.install import Report, main

OUTPUT = """\
Ignoring colorama: markers 'sys_platform == "win32"' don't match your environment
Collecting amaranth==0.5.10 (from -r requirements.lock (line 3))
  Downloading amaranth-0.5.10-py3-none-any.whl.metadata (5.1 kB)
Collecting z3-solver==4.16.0.0
  Downloading https://files.example/packages/z3_solver-4.16.0.0-py3-none-linux.whl (29.5 MB)
     ---------------------------------------- 29.5/29.5 MB 30.1 MB/s eta 0:00:00
Requirement already satisfied: jinja2~=3.0 in ./.venv/lib (from amaranth==0.5.10)
Installing collected packages: z3-solver, amaranth
Successfully installed amaranth-0.5.10 z3-solver-4.16.0.0
"""


def test_what_pip_is_at() -> None:
    report = Report(3)
    assert [words for line in OUTPUT.splitlines() if (words := report.read(line))] == [
        "1 of 3, collecting amaranth",
        "1 of 3, downloading amaranth (5.1 kB)",
        "2 of 3, collecting z3-solver",
        "2 of 3, downloading z3_solver (29.5 MB)",
        "installing 2 packages",
    ]
    assert Report(0).read("Installing collected packages: torch") == "installing 1 package"
    assert Report(0).read("Collecting torch==2.13.0") == "collecting torch"


def test_all_packages_of_the_lock_are_expected(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as there are hashed entries."""
    expected = []
    lock = project_root / "requirements.lock"
    monkeypatch.setattr(
        "tools.install._pip", lambda _, report, tell: (expected.append(report._expected) or 0, [])
    )
    assert main(["--require-hashes", "-r", str(lock)]) == 0
    assert expected == [sum(line[0].isalnum() for line in lock.read_text().splitlines())]


def test_a_failure_is_pips_own(tmp_path: Path, project_root: Path) -> None:
    """Real pip, without an index: nothing is looked up."""
    (tmp_path / "lock").write_text("no-such-package==1.0\n")
    done = subprocess.run(
        [sys.executable, "-m", "tools.install", "--no-index", "-r", str(tmp_path / "lock")],
        cwd=project_root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert "No matching distribution found for no-such-package==1.0" in done.stderr
    assert "Traceback" not in done.stderr
