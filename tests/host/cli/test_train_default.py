"""What `make train` runs, to its end, in hardware mode and with float surroundings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fractrain.host.cli.main import main
from tests.host.training.pinned import FLOAT_DEFAULT


def train(folder: Path, *options: str) -> dict[str, Any]:
    """Its summary."""
    assert main(["train", "--recipe", "short", *options, "--out", str(folder)]) == 0
    summary: dict[str, Any] = json.loads((folder / "latest/summary.json").read_text())
    expected = "digits", "fractrain", "golden"
    assert (summary["dataset"], summary["method"], summary["backend"]) == expected
    return summary


def test_fractrain_on_digits(
    tmp_path: Path, project_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """30 epochs: as accurate as FW8/BW8 is, for less than half of its effective MACs, with every
    target tried. README has its output."""
    summary = train(tmp_path)
    assert summary["test_accuracy"] >= 97
    assert [stage["target_cp"] for stage in summary["stages"]] == [2.08, 2.4, 2.8, 3.3]
    assert 0.5 < summary["saving"] < 0.7
    modelled = summary["modelled"]
    assert 0.4 < 1 - modelled["seconds"] / modelled["seconds_fw8bw8"] < summary["saving"]
    folder = tmp_path / "latest"
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert len({tuple(map(tuple, line["bits"])) for line in log}) > 1
    output = capsys.readouterr().out
    assert "4 of 4" in output
    assert "ZC706 latency, modelled" in output
    assert str(folder.resolve() / "report.html") in output
    readme = (project_root / "README.md").read_text()
    assert timeless(output) == timeless(readme)
    (stated,) = re.findall(r"weights SHA-256 +([0-9a-f]{16})…", readme)
    assert summary["weights_sha256"].startswith(stated)


def timeless(text: str) -> str:
    """The result that `make train` prints, without the time it took."""
    (result,) = re.findall(r"^  test accuracy .*?^  ZC706 energy, modelled .*?$", text, re.M | re.S)
    return re.sub(r"^  time .*$", "", result, flags=re.M)


def test_float_surroundings_are_what_they_were(tmp_path: Path) -> None:
    found = train(tmp_path, "--mode", "float")["weights_sha256"]
    if not uses_avx512():
        pytest.skip("float32 rounds otherwise on a processor without AVX-512")
    assert found.startswith(FLOAT_DEFAULT)


def uses_avx512() -> bool:
    """Whether NumPy does, and OpenBLAS with it."""
    return bool(np._core._multiarray_umath.__cpu_features__["AVX512_SKX"])  # type: ignore[attr-defined]
