"""The wheel: one name at the top, and everything works from it, far from any checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PARTS = ("configs", "constraints", "fractrain", "gen", "host", "hw", "sim")
FILES = ("pyproject.toml", "README.md", "LICENSE")
PIP = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")


def run(*command: str | Path, cwd: Path) -> str:
    """What ``command`` says; without what the environment adds to Python's path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, as setuptools leaves files in the tree and packs what it finds there."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for part in PARTS:
        shutil.copytree(
            project_root / part,
            source / part,
            symlinks=True,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for file in FILES:
        shutil.copy(project_root / file, source)
    pip = (sys.executable, "-m", "pip", "wheel", *PIP, "--no-build-isolation")
    run(*pip, "--wheel-dir", folder, source, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


class Installed:
    """The wheel in an environment of its own, and an empty folder to work in."""

    def __init__(self, wheel: Path, folder: Path) -> None:
        environment, self.folder = folder / "environment", folder / "work"
        self.folder.mkdir()
        venv.create(environment, with_pip=False)
        self.bin = environment / "bin"
        pip = (sys.executable, "-m", "pip", "--python", self.bin / "python", "install", *PIP)
        run(*pip, wheel, cwd=self.folder)
        packages = environment / sysconfig.get_path("purelib", vars={"base": ""}).lstrip("/")
        # What it needs is taken from here; a checkout that is installed here is not: its own .pth
        # is read in a folder of packages only.
        Path(packages, "needs.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        self.package = packages / "fractrain"

    def __call__(self, *arguments: str) -> str:
        return run(self.bin / "fractrain", *arguments, cwd=self.folder)

    def files(self) -> set[Path]:
        found = (file for file in self.package.rglob("*") if "__pycache__" not in file.parts)
        return set(found)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """None of its commands writes into the package."""
    result = Installed(wheel, tmp_path_factory.mktemp("installed"))
    before = result.files()
    yield result
    assert result.files() == before


def test_one_name_at_the_top(wheel: Path, project_root: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"fractrain"}
    assert len(tops) == 2
    code = {name for name in names if name.endswith(".py")}
    for part in PARTS[:2]:  # all of their files are data
        assert any(name.startswith(f"fractrain/{part}/") for name in names)
    for part in PARTS[2:]:
        files = (project_root / part).rglob("*.py")
        prefix = "" if part == "fractrain" else "fractrain/"
        assert {prefix + str(file.relative_to(project_root)) for file in files} <= code


def test_every_data_file_is_in_it(wheel: Path, project_root: Path) -> None:
    """What is no Python, but is beside it: `package-data` of pyproject.toml lists the endings."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for part in set(PARTS) - {"fractrain"}:
        for file in (project_root / part).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".md":
                assert f"fractrain/{file.relative_to(project_root)}" in names


def test_the_commands_work(installed: Installed) -> None:
    assert "generate" in installed("--help")
    assert installed("--version").startswith("fractrain ")
    installed("generate", "--config", "tiny", "--out", "machine")
    assert {"manifest.json", "registers.md"} < {
        file.name for file in (installed.folder / "machine").iterdir()
    }
    sizes = ("--batch", "4", "--size", "8", "--precisions", "4,4,6")
    assert "resnet8" in installed("cost", "--config", "tiny", "--networks", "resnet8", *sizes)


def test_it_trains(installed: Installed) -> None:
    """A few steps on digits, with a report; all it writes is below the folder it is called in."""
    installed("train", "--steps", "2", "--name", "wheel")
    summary = json.loads((installed.folder / "runs" / "wheel" / "summary.json").read_text())
    assert summary["steps"] == 2
    assert (installed.folder / "runs" / "wheel" / "report.html").is_file()
    code = "import fractrain; print(fractrain.__file__)"
    found = run(installed.bin / "python", "-c", code, cwd=installed.folder).strip()
    assert Path(found).is_relative_to(installed.package)
