"""Packages that may be missing, or set up for something else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import logging, sys
from fractrain.hw.contract.errors import MissingToolError
from fractrain.host.reports.matplotlib_defaults import plain_matplotlib
try:
    with plain_matplotlib("report"):
        import io, matplotlib
        from matplotlib.figure import Figure
        figure = Figure()
        figure.add_subplot().set_title("title")
        figure.savefig(io.BytesIO(), format="svg")
        print("drawn", matplotlib.rcParams["text.usetex"], matplotlib.rcParams["savefig.dpi"])
except MissingToolError as error:
    print(error)
"""


def draw(folder: Path, project_root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(project_root)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense"])
def test_a_backend_of_a_notebook_does_not_matter(
    backend: str, tmp_path: Path, project_root: Path
) -> None:
    done = draw(tmp_path, project_root, MPLBACKEND=backend)
    assert (done.stdout, done.stderr) == ("drawn False figure\n", "")


def test_settings_of_the_user_do_not_matter(tmp_path: Path, project_root: Path) -> None:
    (tmp_path / "matplotlibrc").write_text(
        "text.usetex: True\nsavefig.dpi: 7\nbackend: nonsense\nno.such.thing: 1\n"
    )
    (tmp_path / "file").touch()
    done = draw(tmp_path, project_root, MPLCONFIGDIR=str(tmp_path / "file" / "below"))
    assert (done.stdout, done.stderr) == ("drawn False figure\n", "")


def test_settings_that_cannot_be_read_are_named(tmp_path: Path, project_root: Path) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe\x00")
    done = draw(tmp_path, project_root)
    assert done.stdout.startswith("matplotlib does not load: ")
    assert "mend or move the file matplotlibrc" in done.stdout
    assert done.stderr == ""
