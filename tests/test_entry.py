"""The package and the command `fractrain`, whatever else Python can find."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import fractrain
from fractrain.__main__ import main


def run(
    arguments: Sequence[str], folder: Path, path: Sequence[str | Path]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        timeout=60,
    )


def package(folder: Path, name: str, text: str = "") -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(text)
    return folder


@pytest.mark.parametrize("name", ["gen", "host", "hw", "sim", "configs"])
def test_folders_of_others_hide_nothing(name: str, tmp_path: Path, project_root: Path) -> None:
    """Where the user is, or on PYTHONPATH: only `fractrain` is a name of ours."""
    theirs = package(tmp_path / "theirs", name, "raise SystemExit('theirs')")
    package(tmp_path, name, "raise SystemExit('theirs')")
    done = run(["-m", "fractrain", "--version"], tmp_path, ["", theirs, project_root])
    assert done.returncode == 0, done.stderr


def test_public_names() -> None:
    for name in fractrain.__all__:
        assert getattr(fractrain, name) is not None
        assert name in dir(fractrain)
    with fractrain.open_accelerator("golden", config="tiny") as accelerator:
        assert accelerator.parameters == fractrain.load_parameters("tiny")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fractrain.nothing  # type: ignore[attr-defined]


def test_importing_the_package_needs_no_other(project_root: Path) -> None:
    code = "import fractrain, sys; sys.exit('numpy' in sys.modules or 'yaml' in sys.modules)"
    assert run(["-c", code], project_root, [project_root]).returncode == 0


def test_packages_of_another_python(tmp_path: Path, project_root: Path) -> None:
    theirs = package(tmp_path / "theirs", "numpy", "raise ImportError('built\\nfor Python 3.9')")
    done = run(["-m", "fractrain", "cost"], tmp_path, [theirs, project_root])
    assert done.returncode == 2
    assert done.stderr.startswith("fractrain: error: cannot import ")
    assert "built for Python 3.9; unset PYTHONPATH" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_mistakes_of_ours_stay_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise ImportError("no such thing", name="fractrain.host.mistake")

    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setattr("fractrain.host.cli.main.main", broken)
    with pytest.raises(ImportError, match="no such thing"):
        main()
