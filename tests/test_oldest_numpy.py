"""The oldest NumPy that the project takes, with PyYAML alone, trains the same weights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.host.training.pinned import ON_RANDOM_PIXELS, write_cifar10

OLDEST = "1.24"
PYTHON = "python3.11"
"""The only one that the project takes and that this NumPy was built for."""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Its Python; the test is skipped where that, or NumPy, cannot be had."""
    mine = sys.version_info[:2] == (3, 11)
    python = sys.executable if mine else shutil.which(PYTHON)
    if python is None:
        pytest.skip(f"NumPy {OLDEST} needs {PYTHON}, which is not here")
    folder = tmp_path / "environment"
    if mine:
        venv.create(folder, with_pip=False)
    else:
        subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    found = folder / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", found, "install", "--only-binary", ":all:"]
    options = ["--quiet", "--disable-pip-version-check", "--retries", "1"]
    done = subprocess.run(
        [*pip, *options, f"numpy=={OLDEST}.*", "pyyaml"], capture_output=True, text=True
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        pytest.skip(f"NumPy {OLDEST} cannot be installed here: {reason}")
    return found


def run(python: Path, *arguments: str, cwd: Path, root: Path) -> str:
    """What it prints; it sees the project's source and no other packages of this environment."""
    done = subprocess.run(
        [python, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_trains_the_same_weights(environment: Path, tmp_path: Path, project_root: Path) -> None:
    code = "import numpy; print(numpy.__version__)"
    found = run(environment, "-c", code, cwd=tmp_path, root=project_root)
    assert found.startswith(f"{OLDEST}.")
    write_cifar10(tmp_path / "cifar")
    arguments = "-m", "fractrain", "train", *ON_RANDOM_PIXELS.options
    run(environment, *arguments, cwd=tmp_path, root=project_root)
    ON_RANDOM_PIXELS.check(tmp_path / "runs/latest")
