"""`fractrain report` and `fractrain compare`: the real commands on runs of known figures."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fractrain.host.cli.main import main
from tests.host.reports.html_page import Page
from tests.host.reports.synthetic import progressive, write_run

HALVES = progressive((0, (4, 4, 6)), (20, (8, 8, 8)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    runs = tmp_path / "runs"
    write_run(runs / "static8")
    write_run(runs / "pfq", method="pfq", bits=HALVES, accuracies=(55, 91.5, 92, 92), seed=1)
    (runs / "latest").symlink_to("pfq")
    return runs


def test_report_of_the_latest_run(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    assert main(["report", "runs/latest"]) == 0
    assert capsys.readouterr().out == "runs/pfq/report.html\n"
    page = Page((root / "pfq" / "report.html").read_text(encoding="utf-8"))
    assert page.tables["Against the same steps at FW8/BW8"]["saving of FPGA time"] == ["25.0 %"]


def test_report_of_several_runs(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    assert main(["report", "static8", "pfq"]) == 0
    assert capsys.readouterr().out == "report.html\n"
    target = root.parent / "page.html"
    assert main(["report", "static8", "pfq", "--out", str(target)]) == 0
    assert target.read_bytes() == Path("report.html").read_bytes()


def test_compare(root: Path, tmp_path: Path) -> None:
    """As a user calls it, in a process of its own."""
    result = subprocess.run(
        [
            *(sys.executable, "-m", "fractrain", "compare", "static8", "pfq"),
            *("--runs", str(root), "--json", "all.json", "--html", "all.html"),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0 and "fractrain: " not in result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["static8", "pfq"] in lines
    assert ["best", "test", "accuracy", "measured", "91.00", "%", "92.00", "%"] in lines
    assert ["FPGA", "time", "modelled", "8.00", "ms", "6.00", "ms"] in lines
    assert ["saving", "of", "FPGA", "time", "modelled", "0.0", "%", "25.0", "%"] in lines
    assert ["saving", "of", "FPGA", "time", "modelled", "0.0", "%", "75.0", "%"] in lines
    assert ["method", "recorded", "static", "pfq"] in lines
    assert result.stdout.startswith("pfq needed 83.3 % fewer effective MACs and 75.0 % less FPGA")
    assert result.stdout.endswith("\nall.json\n\nall.html\n")
    document = json.loads((tmp_path / "all.json").read_text())
    assert document["runs"][1]["at_equal_steps"]["modelled_seconds"]["value"] == pytest.approx(
        0.006
    )
    page = Page((tmp_path / "all.html").read_text(encoding="utf-8"))
    assert page.tables["At equal accuracy: 91.00 % on cifar10, resnet8"]


def test_compare_needs_no_package_for_pictures(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("jinja2", "markupsafe", "matplotlib"):
        monkeypatch.setitem(sys.modules, package, None)
    names = ["static8", "pfq", "--runs", str(root)]
    assert main(["compare", *names]) == 0
    assert "saving of FPGA time" in capsys.readouterr().out
    assert main(["report", *names]) == 4
    assert "[report]'" in capsys.readouterr().err


def test_what_is_wrong_with_a_run_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(root / "going", done=25, ended=False)
    with (root / "going" / "log.jsonl").open("a") as file:
        file.write('{"step": 25, "lo')
    assert main(["compare", "static8", "going", "--runs", str(root)]) == 0
    printed = capsys.readouterr().out
    assert "going has not ended." in printed
    assert "going: log.jsonl: the last line is incomplete and left out" in printed


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["report", "nothing"], 3, "no run nothing: neither nothing nor "),
        (["report", "empty"], 3, "is not the folder of a run: it has no config.json"),
        (["report", "unlogged"], 3, "is not the folder of a run: it has no log.jsonl"),
        (["report", "damaged"], 3, "config.json is damaged: "),
        (["compare", "pfq", "empty"], 3, "is not the folder of a run: it has no config.json"),
        (["compare", "pfq"], 2, "RUN: got 'pfq', allowed: two runs or more; one run alone:"),
        (["compare", "pfq", "latest"], 2, "RUN: got 'latest', allowed: each run once"),
        (["report", "pfq", "--out", "FILE/page.html"], 3, "cannot write "),
        (["compare", "pfq", "static8", "--json", "FILE/all.json"], 3, "cannot write "),
        (["compare", "pfq", "static8", "--html", "FILE/all.html"], 3, "cannot write "),
    ],
)
def test_mistakes_are_one_line(
    root: Path,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (root / "empty").mkdir()
    (write_run(root / "unlogged") / "log.jsonl").unlink()
    (write_run(root / "damaged") / "config.json").write_text("{")
    (tmp_path / "file").write_text("")
    arguments = [each.replace("FILE", str(tmp_path / "file")) for each in arguments]
    assert main([*arguments, "--runs", str(root)]) == code
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_figures_as_files_of_their_own(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is an SVG that needs nothing else, with a legend where there are several runs."""
    names = sorted(path.name for path in root.iterdir() if not path.is_symlink())
    folder = tmp_path / "figures"
    page = str(tmp_path / "page.html")
    options = ["--runs", str(root), "--out", page, "--figures", str(folder)]
    assert main(["report", *names, *options]) == 0
    files = sorted(folder.iterdir())
    write_run(root / "gates", method="dfq", bits=lambda step, block: (0, (3 + block, 4, 6)))
    assert len(files) == 6, "no bits to see block by block"
    assert main(["report", *names, "gates", *options]) == 0
    files = sorted(folder.iterdir())
    assert len(files) == 6 + 3
    names.append("gates")
    assert all(str(file) in capsys.readouterr().out for file in files[:1])
    for file in files:
        text = file.read_text()
        tree = ElementTree.fromstring(text)
        assert tree.tag == "{http://www.w3.org/2000/svg}svg"
        assert set(re.findall(r"var\(--([\w-]+)\)", text)) <= set(re.findall(r"--([\w-]+):", text))
        words = ["".join(each.itertext()) for each in tree.iter("{http://www.w3.org/2000/svg}text")]
        several = not any(file.name.startswith(f"{name}-") for name in names)
        assert all((name in words) == several for name in names), file.name
    assert (folder / "test-accuracy-over-effective-macs.svg").exists()
