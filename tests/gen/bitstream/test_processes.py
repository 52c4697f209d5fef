"""Tools run to their end or are ended with everything that they started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fractrain.gen.bitstream import processes
from fractrain.gen.bitstream.processes import run_logged
from fractrain.gen.bitstream.script_runs import run_script
from fractrain.hw.contract.errors import DataError, FractrainError, MissingToolError


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie (nobody may wait for an orphan here)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    for _ in range(100):
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


def test_lines_log_and_code(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "echo one; echo two >&2; printf 'last, \\377 no newline'; pwd; cat; exit 7"
    code = run_logged(["sh", "-c", script], tmp_path, tmp_path / "log", lines.append)
    assert code == 7
    assert lines == ["one", "two", f"last, \N{REPLACEMENT CHARACTER} no newline{tmp_path}"]
    assert (tmp_path / "log").read_bytes().startswith(b"one\ntwo\nlast, \xff")


def test_environment_is_added(tmp_path: Path) -> None:
    lines: list[str] = []
    command = ["sh", "-c", "echo $WHERE ${PATH:+there}"]
    run_logged(command, tmp_path, tmp_path / "log", lines.append, {"WHERE": "here"})
    assert lines == ["here there"]


def test_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="cannot start nothing-of-this-name"):
        run_logged(["nothing-of-this-name"], tmp_path, tmp_path / "log", print)


def test_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write .*log: No such file"):
        run_logged(["true"], tmp_path, tmp_path / "not there" / "log", print)


def test_tool_that_dies_and_leaves_its_children(tmp_path: Path) -> None:
    """They hold its output open; nobody must wait for them, and they must end."""
    lines: list[str] = []
    script = "sleep 1000 & echo $!; kill -9 $$"
    code = run_logged(["sh", "-c", script], tmp_path, tmp_path / "log", lines.append)
    assert code == -signal.SIGKILL
    assert gone(int(lines[0]))


@pytest.mark.parametrize("stubborn", [False, True])
def test_interruption_ends_the_whole_group(
    stubborn: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.5)
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.extend(map(int, line.split()))
        raise KeyboardInterrupt

    trap = "trap '' TERM; " if stubborn else ""
    script = f"{trap} sleep 1000 & echo $! $$; wait; sleep 1000"
    with pytest.raises(KeyboardInterrupt):
        run_logged(["sh", "-c", script], tmp_path, tmp_path / "log", interrupt)
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


def test_control_c_at_a_terminal(tmp_path: Path, project_root: Path) -> None:
    """SIGINT to this process alone, as it is in the foreground and the tool is not."""
    program = """
import sys
from pathlib import Path
from fractrain.gen.bitstream.processes import run_logged
say = lambda line: print(line, flush=True)
run_logged(["sh", "-c", "echo $$; sleep 1000"], Path("."), Path("log"), say)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(project_root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process:
        try:
            tool = int(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == -signal.SIGINT
        finally:
            process.kill()  # or nothing would end the wait of `with`
    assert gone(tool)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo FRACTRAIN FAILED synthesis: no; exit 1", r"^Tool failed: synthesis: no$"),
        ("echo FRACTRAIN FAILED synthesis: no", r"^Tool failed: synthesis: no$"),
        ("exit 3", r"^Tool failed: start: it ended with code 3$"),
        ("echo FRACTRAIN STAGE two; kill -9 $$", r"^Tool failed: two: it ended by SIGKILL$"),
        (
            "echo FRACTRAIN STAGE two; echo 'ERROR: disk full'; echo; exit 1",
            r"^Tool failed: two: it ended with code 1: ERROR: disk full$",
        ),
    ],
)
def test_why_a_script_failed(script: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(FractrainError, match=says):
        run_script(["sh", "-c", script], tmp_path, tool="Tool", log="log", say=print)


def test_stages_are_told_as_they_begin(tmp_path: Path) -> None:
    stages: list[str] = []
    script = "echo FRACTRAIN STAGE one; echo noise; echo FRACTRAIN STAGE two of three"
    run_script(["sh", "-c", script], tmp_path, tool="Tool", log="log", say=stages.append)
    assert stages == ["one", "two of three"]
