"""`fractrain board`: what it prints, what it writes, and the code that it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fractrain.host.board import linux
from fractrain.host.bringup.stages import STAGES
from fractrain.host.cli.board import SUBCOMMANDS
from fractrain.host.cli.main import main
from fractrain.host.driver import driver
from fractrain.sim.board import INJECTIONS
from tests.test_architecture import run_on_the_board


def test_bring_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    assert main(["board", "bringup", "--device", "simulated", "--json", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    heads = [line for line in lines if line[:2].strip().isdigit()]
    assert [line[4:23].strip() for line in heads] == list(STAGES)
    assert all(line[25:29] == "ok  " for line in heads) and lines[-1] == "all 10 stages passed"
    document = json.loads(file.read_text())
    assert document["passed"] and document["format"] == "fractrain-bringup/1"
    assert [each["name"] for each in document["stages"]] == list(STAGES)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("no-uio", 4, "uio_pdrv_genirq"),
        ("permission-mem", 3, "/dev/mem"),
        ("fclk-unreachable", 2, "FCLK0"),
        ("wrong-hash", 5, "BUILD_HASH"),
        ("stale-caches", 6, "caches"),
    ],
)
def test_a_stage_that_fails(
    name: str, code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "results.json"
    options = ["--device", "simulated", "--inject", name, "--json", str(file)]
    assert main(["board", "bringup", *options]) == code
    printed = capsys.readouterr()
    assert "FAIL" in printed.out and said in printed.out
    assert printed.err.startswith("fractrain: error: ") and printed.err.count("\n") == 1
    assert "likely causes" in printed.out and "the others were not run" in printed.out
    stage = json.loads(file.read_text())["stages"][-1]
    assert (stage["passed"], stage["exit_code"]) == (False, code) and stage["causes"]


def test_several_injections(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "WATCHDOG_CYCLES", 1 << 12)
    options = ["--device", "simulated", "--inject", "fclk-gated", "--inject", "axi-error"]
    assert main(["board", "bringup", *options]) == 5
    out = " ".join(capsys.readouterr().out.split())
    assert "it was gated" in out and "SLVERR" in out


def test_load_and_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "load", "--device", "simulated", "--again"]) == 0
    out = capsys.readouterr().out
    assert "loaded through fpga0" in out and "set to 200 MHz" in out and "build hash 0x" in out
    assert main(["board", "status", "--device", "simulated"]) == 0
    out = capsys.readouterr().out
    for said in ("200 MHz (IO PLL", "as in the manifest", "idle", "FORWARD", "67,108,864 bytes"):
        assert said in out


@pytest.mark.parametrize("name", [name for name in SUBCOMMANDS if name in ("bringup", "load")])
def test_this_computer_is_no_board(
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linux.LinuxSystem, "__init__", _rooted(tmp_path))
    assert main(["board", name]) == 3
    printed = capsys.readouterr()
    assert "no bitstream" in printed.out + printed.err and "Traceback" not in printed.err
    assert main(["board", "status", "--loaded-by-boot"]) == 0
    assert "no buffer" in capsys.readouterr().out


def _rooted(root: Path):  # type: ignore[no-untyped-def]
    def __init__(self, *_: object) -> None:
        self.root, self.environment = root, {}

    return __init__


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bringup", "--inject", "no-uio"], "--inject: got 'no-uio', allowed: with --device sim"),
        (["bringup", "--device", "simulated", "--inject", "x"], "injected: got 'x', allowed: no-b"),
        (["load", "--device", "simulated", "--config", "huge"], "cannot read huge: No such file"),
    ],
)
def test_what_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["board", *arguments]) in (2, 3)
    error = capsys.readouterr().err
    assert error.startswith(f"fractrain: error: {message}") and error.count("\n") == 1


def test_without_a_subcommand_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in SUBCOMMANDS)
    assert len(INJECTIONS) > 20


def test_the_commands_work_with_what_a_board_has(project_root: Path) -> None:
    """NumPy and PyYAML only: help, and an error in place of a board."""
    for arguments, code in ((["board", "bringup", "--help"], 0), (["board", "status"], 0)):
        result = run_on_the_board(
            f"from host.cli.main import main; sys.exit(main({arguments}))", project_root
        )
        assert result.returncode == code, result.stderr
        assert result.stderr == "" and result.stdout
    # what simulates is not there: one line that says so
    result = run_on_the_board(
        "from host.cli.main import main; "
        "sys.exit(main(['board', 'load', '--device', 'simulated']))",
        project_root,
    )
    assert result.returncode == 4 and result.stderr.count("\n") == 1, result.stderr
