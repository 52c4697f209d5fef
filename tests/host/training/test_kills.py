"""Runs that are killed at random moments; `kill_many` kills more of them."""

import os
import subprocess
import sys
from pathlib import Path


def test_killed_runs_end_as_others_do(project_root: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.host.training.kill_many", "--kills", "5"],
        cwd=project_root,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(project_root)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("5 kills of ")
