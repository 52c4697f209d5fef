"""The command `fractrain` before anything of the project is imported."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import fractrain


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


def test_nothing_is_wrong_here() -> None:
    assert fractrain.intruder() is None


def test_the_script_names_the_intruder_and_the_variable(tmp_path: Path, project_root: Path) -> None:
    """As pip's script does it: by the entry point, from any folder."""
    theirs = package(tmp_path / "theirs", "host")
    script = "import sys; from fractrain import main; sys.exit(main())"
    done = run(["-P", "-c", script, "train"], tmp_path, [theirs, project_root])
    assert done.returncode == 2
    assert done.stderr == (
        f"fractrain: error: {theirs}/host hides this project's package 'host': remove {theirs} "
        "from PYTHONPATH, or give 'host' there another name\n"
    )


def test_plain_folders_hide_no_package(tmp_path: Path, project_root: Path) -> None:
    """Python itself prefers a package behind them."""
    (tmp_path / "theirs" / "host").mkdir(parents=True)
    done = run(["-m", "fractrain", "--version"], tmp_path, [tmp_path / "theirs", project_root])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", [[], ["", "/nowhere"]])
def test_the_current_folder(path: list[str], tmp_path: Path, project_root: Path) -> None:
    package(tmp_path, "hw")
    done = run(["-m", "host.cli.main", "cost"], tmp_path, [*path, project_root])
    assert done.returncode == 2
    assert "looks in the current folder" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert ("PYTHONPATH has an empty entry" in done.stderr) == bool(path)


def test_packages_of_another_python(tmp_path: Path, project_root: Path) -> None:
    theirs = package(tmp_path / "theirs", "numpy", "raise ImportError('built\\nfor Python 3.9')")
    done = run(["-m", "fractrain", "cost"], tmp_path, [theirs, project_root])
    assert done.returncode == 2
    assert done.stderr.startswith("fractrain: error: cannot import ")
    assert "built for Python 3.9; unset PYTHONPATH" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_mistakes_of_ours_stay_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise ImportError("no such thing", name="host.mistake")

    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setattr("host.cli.main.main", broken)
    with pytest.raises(ImportError, match="no such thing"):
        fractrain.main()
