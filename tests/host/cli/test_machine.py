"""`fractrain machine` as a user sees it."""

import json
from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from fractrain.host.machines import MACHINES

COMMON = [
    "macs",
    "cycles",
    "stall_cycles",
    "seconds",
    "dram_read_bits",
    "dram_write_bits",
    "joules",
]
WORDS = ["dram_words", "buffer_words", "array_words", "register_words"]


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTRAIN_BUILD", str(tmp_path / "build"))


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main(["machine", *arguments, "--json"]) == 0
    found: dict = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("pass_", ["forward", "error", "gradient"])
def test_every_machine_answers(name: str, pass_: str, capsys: pytest.CaptureFixture[str]) -> None:
    layer = ["--layer", "3,8,1,16,16", "--bits", "2,3", "--batch", "2", "--pass", pass_]
    found = document(capsys, name, *layer)
    about = [found.pop(each) for each in ("machine", "layer", "batch", "pass", "bits")]
    assert about == [name, [3, 8, 1, 16, 16], 2, pass_, [2, 3]]
    notes = found.pop("notes")
    assert list(found) == COMMON + (WORDS if name == "eyeriss" else [])
    assert all(value > 0 for key, value in found.items() if key != "stall_cycles")
    # the table has the same figures and notes
    assert main(["machine", name, *layer]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{name}, {pass_}")
    assert [line for line in lines if line.split() == ["cycles", f"{found['cycles']:,}"]]
    assert lines[-1 - len(notes) :] == ["modelled", *notes]


def test_a_golden_row(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "bit-fusion", "--layer", "11,55,4,3,96", "--im2col", "--batch", "16")
    assert (found["cycles"], found["dram_read_bits"]) == (3_746_423, 570_628_224)


def test_options_reach_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    layer = ["--layer", "3,16,1,16,16"]
    usual = document(capsys, "eyeriss", *layer)
    other = document(capsys, "eyeriss", *layer, "--pes", "12x14", "--clock-mhz", "200")
    assert other["cycles"] > usual["cycles"]
    assert other["seconds"] == pytest.approx(other["cycles"] / 200e6)
    three, two = (
        document(capsys, "recursive-dsp", *layer, "--bits", "4,8", "--packing", f"4,{each},2")
        for each in (3, 2)
    )
    assert two["cycles"] == pytest.approx(1.5 * three["cycles"], abs=2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("bit-fusion", "--layer is needed: K,O,S,IC,OC (fractrain machine --help)"),
        ("bit-fusion --layer 3,13,1,512", "--layer: got '3,13,1,512', allowed: five numbers"),
        ("bit-fusion --layer 3,13,0,512,384", "--layer: got"),
        ("bit-fusion --layer 3,13,1,4,4 --bits 0,4", "--bits: got '0,4', allowed: two numbers"),
        ("eyeriss --layer 3,13,1,4,4 --im2col", "--im2col: got True, allowed: with bit-fusion"),
        ("eyeriss --layer 3,13,1,4,4 --pes 12", "--pes: got '12', allowed: rows and columns"),
        ("tpu --layer 3,13,1,4,4", "NAME: got 'tpu', allowed: bit-fusion, eyeriss"),
        ("bit-fusion --layer 99,9,1,4,4", "one of which the smallest tile fits"),
    ],
)
def test_mistakes_are_one_line(
    arguments: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["machine", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and says in err
