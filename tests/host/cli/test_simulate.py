"""`fractrain simulate` and `fractrain calibrate`: the real commands on the RTL, their figures, and
what they refuse."""

import json
import re
from pathlib import Path

import pytest

from fractrain.host.cli.main import main


def test_a_training_step_equals_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Block 1 has stride 2 and a shortcut: three layers, three passes each."""
    out = tmp_path / "new" / "folder"
    options = ["--blocks", "1", "--batch", "1", "--precision", "3,2,4", "--out", str(out)]
    code = main(["simulate", *options])
    printed = capsys.readouterr().out
    assert code == 0 and "9 convolutions on tiny equal the golden model bit for bit" in printed
    document = json.loads((out / "figures.json").read_text())
    rows = {(row["layer"], row["pass"]): row for row in document["convolutions"]}
    assert len(rows) == 9 and document["precision"] == "3,2,4"
    row = rows["stage1.block0.second", "forward"]
    # 256 pixels x 32 channels x 288 taps; 16 tiles x 4 groups of filters x 4 slices x 3 x 2 passes
    assert row["macs"] == 256 * 32 * 288 and row["busy_cycles"] == 16 * 4 * 4 * 3 * 2
    assert rows["stage1.block0.shortcut", "forward"]["bits"] == [8, 8]
    for row in [*rows.values(), document["step"]]:
        assert 0 < row["utilization"] <= row["busy_cycles"] / row["cycles"] <= 1
        assert row["model"]["busy_cycles"] == row["busy_cycles"]
        assert row["model"]["bytes_in"] == row["bytes_in"]
    # the table by geometry: useful work over what the busy array could have done
    shortcut = [each for each in document["geometries"] if "1x1" in each["geometry"]]
    assert [each["pass"] for each in shortcut] == ["all", "forward", "error", "gradient"]
    assert shortcut[0]["busy_cycles"] == sum(each["busy_cycles"] for each in shortcut[1:])
    busy = rows["stage1.block0.shortcut", "forward"]["busy_cycles"]
    assert shortcut[1]["useful"] == 256 * 16 * 32 * 64 / (busy * 16 * 8 * 72)
    # loads hide behind other convolutions
    assert document["step"]["cycles"] < sum(row["cycles"] for row in rows.values())
    assert {file.name for file in out.iterdir()} == {"figures.json", "roofline.svg"}
    assert "error: of the cycle model, each convolution alone; of the whole step" in printed
    picture = (out / "roofline.svg").read_text()
    titles = re.findall(
        r"<title>([^:<]*): [^<]*% of its roof, the (?:array|memory)</title>", picture
    )
    assert sorted(titles) == sorted([*(" ".join(key) for key in rows), "whole step"])
    assert "ports, ideal memory: 6.40 GB/s" in picture


@pytest.mark.parametrize("results", ["raw", "planes"])
def test_results_in_memory(
    results: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--blocks", "2", "--batch", "1", "--precision", "1,1,2", "--memory", "ddr"]
    found = {}
    for mode in ("hardware", "float"):
        more = ["--results", results, "--mode", mode, "--out", str(tmp_path / mode)]
        assert main(["simulate", *options, *more]) == 0
        document = json.loads((tmp_path / mode / "figures.json").read_text())
        assert document["mode"] == mode
        found[mode] = document["step"]
    step = found["hardware"]
    assert step["bytes_out"] == step["model"]["bytes_out"] > 0
    assert found["float"] == step, "the machine does the same in both modes"


def test_the_last_block_of_the_deepest_published_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ResNet-164 has 81 blocks, those of all depths have the same shapes."""
    options = ["--model", "resnet164", "--blocks", "80", "--batch", "1", "--precision", "1,1,1"]
    assert main(["simulate", "--config", "tiny", *options, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "stage2.block26.second" in printed
    assert "6 convolutions on tiny equal the golden model bit for bit" in printed


def test_calibrate_writes_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "table.md"
    options = ["--config", "tiny", "--networks", "resnet8", "--precisions", "1,1,1"]
    assert main(["calibrate", *options, "--batch", "1", "--uniform", "--out", str(file)]) == 0
    lines = [line for line in file.read_text().splitlines() if line.startswith("| resnet8")]
    assert [line.split(" | ")[2:4] for line in lines] == [
        ["ideal", "port"],
        ["ddr", "raw"],
        ["ddr", "planes"],
    ]
    for line in lines:
        cells = line.split(" | ")
        errors = [float(cell.removesuffix(" %")) for cell in cells[6:13]]
        # tiny layers: a few cycles of latency are a large part
        assert max(map(abs, errors)) < 3, line
        assert errors[1] == 0 and errors[6] == 0, "busy cycles and bytes are exact"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--precision", "4,4"], "precision: got '4,4', allowed: three numbers a,w,e"),
        (
            ["--precision", "4,4,13"],
            "error bits of 4/4/13: got 13, allowed: at most 12 in hardware",
        ),
        (["--mode", "reference"], "--mode: got 'reference', allowed: hardware, float"),
        (["--precision", "0,4,4"], "precision: got '0,4,4', allowed: at least 1 bit"),
        (["--batch", "0"], "--batch: got '0', allowed: a whole"),
        (["--model", "vgg"], "model: got 'vgg'"),
        (["--config", "nowhere"], "cannot read nowhere"),
        (["--blocks", "2..1"], "blocks: got '2..1', allowed: the number of a residual block"),
        (["--blocks", "3"], "blocks: got 3, allowed: 0..2, resnet8 has no more"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", *arguments]) in (2, 3)
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_an_unwritable_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "folder"
    options = ["--blocks", "2", "--batch", "1", "--precision", "1,1,1", "--out", str(target)]
    assert main(["simulate", *options]) == 3
    assert f"cannot make the folder {target}" in capsys.readouterr().err


def test_calibrate_finds_mistakes_before_it_measures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", "--config", "tiny", "--networks", "resnet8", "vgg"]) == 2
    assert "model: got 'vgg'" in capsys.readouterr().err
    for nothing in ("0,0,0", "4,0,4"):
        assert main(["calibrate", "--config", "tiny", "--precisions", "4,4,6", nothing]) == 2
        assert f"--precisions: got '{nothing}', allowed: " in capsys.readouterr().err
    assert main(["calibrate", "--config", "tiny", "--precisions", "4,4,6", "4,4,16"]) == 2
    assert "error bits of 4/4/16: got 16" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["calibrate", "--out", str(tmp_path / "file" / "table.md")]) == 3
    assert "is a file" in capsys.readouterr().err
