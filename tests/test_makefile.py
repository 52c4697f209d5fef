"""Set-up by the Makefile, with a Python that only notes what it is asked for: where it works, that
it does so once, and what of the environment reaches it."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

PYTHON = r"""#!/bin/sh
# Stands for Python: `-m venv` makes a folder with another one, `-m pip` and the rest are noted.
printf '%s\n' "$*" >>calls
case "$*" in
"-m venv --clear .venv")
    mkdir -p .venv/bin
    cp "$0" .venv/bin/python
    printf 'command = python3 -m venv --clear %s/.venv\n' "$(pwd -P)" >.venv/pyvenv.cfg
    sleep 0.5
    ;;
*requirements.lock*) env >environment ;;
esac
"""

SUPPORTED = [
    *("one space", "a(b)", "a[b]", "it's", "a#b", "a%b", "a&b", "a;b", "café", "-a", "a*?", "~a"),
    *("a,b", "a=b", "a|b", "<a>", "(a", "a)", "a b  c", "!a", "^a"),
]
REFUSED = {"a:b": ":", "a$b": "$", 'a"b': '"', "a{b": "{", "a}b": "}", "a\\b": "\\", "a`b": "`"}

LEAKING = {
    **{"PYTHONPATH": "/theirs", "PYTHONHOME": "/theirs", "PYTHONSTARTUP": "/theirs"},
    **{"PIP_TARGET": "/theirs", "PIP_PREFIX": "/theirs", "PIP_REQUIRE_HASHES": "1"},
    **{"PIP_NO_BINARY": ":all:", "PIP_CONSTRAINT": "/theirs", "PIP_DRY_RUN": "1"},
}
USERS = {"PIP_INDEX_URL": "https://index.example", "PIP_CERT": "/cert", "PIP_CACHE_DIR": "/cache"}


@pytest.fixture
def project(tmp_path: Path, project_root: Path) -> Path:
    """A folder with what set-up reads, and the stand-in."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(project_root / name, project)
    python = project / "python"
    python.write_text(PYTHON)
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return project


def start(project: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["make", "train", "PYTHON=./python", "ARGS=--steps 2"],
        cwd=project,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def make(project: Path, **environment: str) -> tuple[int, str, str]:
    process = start(project, **environment)
    output, error = process.communicate(timeout=60)
    return process.returncode, output, error


def calls(project: Path) -> list[str]:
    """What was asked for, but for questions about Python itself."""
    lines = (project / "calls").read_text().splitlines()
    return [line for line in lines if not line.startswith("-E -c") and "--version" not in line]


@pytest.mark.parametrize("name", SUPPORTED)
def test_a_folder_of_any_name(name: str, project: Path) -> None:
    """Set up once, and never again where nothing has changed."""
    place = project.rename(project.with_name(name))
    for _ in range(2):
        code, _, error = make(place)
        assert (code, error) == (0, "")
    asked = calls(place)
    assert [line for line in asked if "venv" in line] == ["-m venv --clear .venv"]
    assert asked[-2:] == 2 * ["-m fractrain train --recipe short --steps 2"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_that_python_does_not_take(name: str, project: Path) -> None:
    place = project.rename(project.with_name(name))
    code, output, error = make(place)
    assert code == 2
    assert len(error.splitlines()) == 1
    assert f"the path of this folder has {REFUSED[name]}, which" in error
    assert "move or clone it to another folder" in error
    assert not (place / "calls").exists() and not (place / ".venv").exists()


def test_a_line_break(project: Path) -> None:
    place = project.rename(project.with_name("a\nb"))
    code, _, error = make(place)
    assert code == 2
    assert "the path of this folder has a line break" in error


def test_a_tree_that_was_moved_is_set_up_anew(project: Path) -> None:
    assert make(project)[0] == 0
    place = project.rename(project.with_name("one space"))
    assert make(place)[0] == 0
    assert calls(place).count("-m venv --clear .venv") == 2


def test_two_at_once_set_up_once(project: Path) -> None:
    if shutil.which("flock") is None:
        pytest.skip("no flock here")
    both = [start(project) for _ in range(2)]
    said = [each.communicate(timeout=60) for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert calls(project).count("-m venv --clear .venv") == 1
    assert sum("Setting up .venv" in output for output, _ in said) == 1
    assert sum("Waiting for another make" in output for output, _ in said) == 1


def test_what_was_interrupted_goes_on(project: Path) -> None:
    assert make(project)[0] == 0
    (project / ".venv" / ".installed").unlink()
    assert make(project)[0] == 0
    asked = calls(project)
    assert asked.count("-m venv --clear .venv") == 1
    assert sum("requirements.lock" in line for line in asked) == 2


def test_settings_of_the_shell_do_not_reach_pip(project: Path) -> None:
    code, _, error = make(project, **LEAKING, **USERS, ARGS="--nonsense", PIP_USER="1")
    assert code == 0, error
    lines = (project / "environment").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert not set(LEAKING) & set(found)
    assert found["PIP_USER"] == "0"
    assert {name: found[name] for name in USERS} == USERS
    assert found["AMARANTH_USE_YOSYS"] == "builtin"
