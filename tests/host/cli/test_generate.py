"""`fractrain generate` as a user sees it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fractrain.gen.manifest import MANIFEST_NAME, read_manifest
from fractrain.host.cli.main import main


def test_writes_and_says_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tiny"
    assert main(["generate", "--config", "tiny", "--out", str(out), "--flavour", "simulation"]) == 0
    shown = capsys.readouterr().out
    manifest = read_manifest(out / MANIFEST_NAME)
    assert manifest.flavour == "simulation"
    assert f"build hash {manifest.build_hash[:8]}" in shown
    for entry in manifest.files:
        assert f"{out / entry.path}  {entry.size_bytes:,} bytes" in shown


def test_folder_follows_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "--config", "tiny"]) == 0
    assert (tmp_path / "build" / "tiny" / MANIFEST_NAME).is_file()


def test_unknown_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--config", "tinny"]) == 3
    error = capsys.readouterr().err
    assert error.startswith("fractrain: error: cannot read tinny: No such file")
    assert error.endswith("did you mean tiny?\n")
    assert "tiny" in error
    assert error.count("\n") == 1


def test_wrong_value_in_a_configuration(
    tmp_path: Path, project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (project_root / "configs" / "tiny.yaml").read_text()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("spatial_bits: 1", "spatial_bits: 3"))
    assert main(["generate", "--config", str(wrong), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "array.spatial_bits" in error
    assert "got 3" in error
    assert str(wrong) in error
    assert not (tmp_path / "out").exists()


def test_folder_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    assert main(["generate", "--config", "tiny", "--out", str(tmp_path)]) == 2
    assert "precious" not in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["precious.txt"]


def test_without_the_hardware_packages(tmp_path: Path, project_root: Path) -> None:
    """On a machine without Amaranth: one line that names the package and the extra, code 4."""
    code = """
import sys
sys.modules["amaranth"] = None
from fractrain.host.cli.main import main
sys.exit(main(["generate", "--config", "tiny", "--out", "out"]))
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(project_root)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 4
    assert result.stderr.startswith(
        "fractrain: error: the Python package amaranth is not installed"
    )
    assert "[hardware]'" in result.stderr
    assert result.stderr.count("\n") == 1
