"""What is said of work in progress: on a terminal, in a pipe, and where nobody listens."""

import fcntl
import io
import os
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from fractrain.sim import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Time that goes on when it is told to; the line's own thread does not run."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.now += 1
            progress._line.tick(self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "monotonic", clock)
    monkeypatch.setattr(progress._Line, "_tick_on", lambda self: None)
    return clock


@pytest.fixture(autouse=True)
def own_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(progress, "_line", progress._Line())
    yield


def test_a_pipe_gets_a_few_plain_lines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.activity("compiling") as tell:
        for number in range(70):
            tell(f"{number} of 70 files")
            clock.pass_(1)
    assert capsys.readouterr().err.splitlines() == [
        "compiling: 1 of 70 files, 2 s",
        "compiling: 31 of 70 files, 32 s",
        "compiling: 61 of 70 files, 62 s",
        "compiling: done in 70 s",
    ]


def test_a_terminal_has_one_line_that_is_written_over(clock: Clock) -> None:
    terminal = Terminal()
    progress.redirect(terminal)
    with pytest.raises(RuntimeError), progress.activity("compiling") as tell:
        clock.pass_(2)
        tell("3 of 9 files")
        clock.pass_(99)
        raise RuntimeError
    text = terminal.getvalue()
    assert text.startswith("\r\x1b[Kcompiling, 2 s\r\x1b[Kcompiling: 3 of 9 files, 3 s\r\x1b[K")
    assert text.endswith("files, 1 min 41 s\r\x1b[Kcompiling: stopped after 1 min 41 s\n")
    assert text.count("\n") == 1


def test_a_line_is_not_wider_than_the_terminal(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    progress.redirect(terminal)
    with progress.activity("a name that is longer than the line"):
        clock.pass_(2)
        assert terminal.getvalue() == "\r\x1b[Ka name that is long"


def test_the_terminal_is_the_one_that_the_line_is_on(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard output is none here, as in ``fractrain ... | tee log``."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    reader, writer = os.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
    with os.fdopen(reader, "rb", buffering=0) as shown, os.fdopen(writer, "w") as terminal:
        progress.redirect(terminal)
        with progress.activity("a name that is longer than the line"):
            clock.pass_(2)
            assert shown.read(100) == b"\r\x1b[Ka name that is long"
        progress.redirect(None)


def test_what_is_over_at_once_is_not_mentioned(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.activity("quick"):
        clock.pass_(1)
    assert capsys.readouterr().err == ""


def test_work_within_work_takes_the_line(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    say = progress.work()
    say("1 of 2")
    clock.pass_(2)
    with progress.activity("compiling"):
        clock.pass_(2)
    say("2 of 2")
    clock.pass_(30)
    say("")
    clock.pass_(100)
    assert capsys.readouterr().err.splitlines() == [
        "1 of 2, 2 s",
        "compiling, 2 s",
        "compiling: done in 2 s",
        "2 of 2, 32 s",
    ]


def test_an_error_begins_on_a_clean_line(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command is at something when it fails."""
    terminal = Terminal()
    progress.redirect(terminal)

    def fail(*_: object, **__: object) -> None:
        clock.pass_(3)
        raise KeyboardInterrupt

    monkeypatch.setattr("fractrain.host.cli.simulate.record_training_step", fail)
    assert main(["simulate", "--out", str(tmp_path)]) == 130
    assert terminal.getvalue().endswith(" s\r\x1b[K")
    clock.pass_(50)
    assert terminal.getvalue().endswith(" s\r\x1b[K"), "and nothing is said afterwards"


@pytest.mark.parametrize("broken", ["closed", "full", "none"])
def test_output_never_decides(broken: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = open("/dev/full", "w") if broken == "full" else open(os.devnull, "w")
    if broken == "closed":
        stream.close()
    monkeypatch.setattr("sys.stderr", None if broken == "none" else stream)
    with progress.activity("compiling"):
        clock.pass_(5)
    if broken == "full":
        with pytest.raises(OSError, match="No space"):
            stream.close()  # what is still in its buffer
    stream.close()


def test_the_line_goes_on_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "TICK_SECONDS", 0.001)
    terminal = Terminal()
    progress.redirect(terminal)
    with progress.activity("compiling"):
        for _ in range(60_000):
            if terminal.getvalue().count("compiling") >= 3:
                return
            time.sleep(0.001)
    pytest.fail("nothing was said")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (99.4, "99 s"), (100, "1 min 40 s"), (3599.6, "60 min 0 s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert progress.duration(seconds) == text
