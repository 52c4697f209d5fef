"""Standard output and error that cannot take what is written: nothing else suffers."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fractrain.host.process.streams import Stream
from fractrain.sim.progress import can_overwrite

PROBE = """
import sys
from types import ModuleType
from fractrain.host.cli import main as cli
module = ModuleType("fractrain.host.cli.probe")
module.add_parser = lambda subparsers: subparsers.add_parser("probe")
def run(args):
    with open("result", "w") as file:
        print("Größe … \\udcff", flush=True)
        print("note", file=sys.stderr)
        file.write("done")
    return 0
module.run = run
sys.modules["fractrain.host.cli.probe"] = module
cli.COMMANDS["probe"] = "prints, and works"
if "printed" in sys.argv:
    cli.PRINTED += ("probe",)
sys.exit(cli.main(["probe"]))
"""


def probe(
    folder: Path, redirections: str = "", word: str = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """A command that prints, and leaves a file, run by a shell with ``redirections``."""
    root = str(Path(__file__).parents[3])
    return subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" {word} {redirections}', sys.executable, PROBE],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": root} | environment,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"PYTHONIOENCODING": "ascii"}, b"Gr??e ? \xff\n"),
        ({"PYTHONIOENCODING": "iso-8859-1"}, b"Gr\xf6\xdfe ? \xff\n"),
        ({"PYTHONIOENCODING": "utf-8:strict"}, "Größe … ".encode() + b"\xff\n"),
    ],
)
def test_any_encoding(environment: Mapping[str, str], shown: bytes, tmp_path: Path) -> None:
    done = probe(tmp_path, **environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, shown, b"note\n")


@pytest.mark.parametrize("redirections", [">&-", "2>&-", ">&- 2>&- <&-", ">/dev/full 2>/dev/full"])
def test_work_does_not_need_a_reader(redirections: str, tmp_path: Path) -> None:
    done = probe(tmp_path, redirections)
    assert done.returncode == 0
    assert (tmp_path / "result").read_text() == "done", "and nothing printed went there"


def test_a_full_disk_is_named_once(tmp_path: Path) -> None:
    done = probe(tmp_path, ">/dev/full")
    assert done.returncode == 0, "its results are in files"
    assert done.stderr.decode().splitlines() == [
        "note",
        "fractrain: note: cannot write to standard output: No space left on device; "
        "all files are complete",
    ]
    done = probe(tmp_path, ">/dev/full", "printed")
    assert done.returncode == 3, "it has nothing but what it prints"
    assert b"fractrain: error: cannot write to standard output: No space left" in done.stderr


# -- the stream itself -----------------------------------------------------------------------------


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for each in (reader, writer):
        try:
            os.close(each)
        except OSError:
            pass


def test_a_reader_that_goes_ends_it_once(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    stream = Stream(writer, ends_with_reader=True)
    stream.write(b"text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        stream.write(b"text")
    assert stream.write(b"what was buffered") == 17
    assert Stream(writer).write(b"of standard error") == 17


def test_what_cannot_be_written_goes_to_the_spare(pipe: tuple[int, int]) -> None:
    reader, spare = pipe
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        stream = Stream(full, spare=spare)
        assert stream.write(b"fractrain: error: why") == 21
    finally:
        os.close(full)
    assert isinstance(stream.failure, OSError)
    assert os.read(reader, 100) == b"fractrain: error: why"


def test_a_descriptor_that_does_not_block(pipe: tuple[int, int]) -> None:
    """Whoever shares the terminal may have made it so: nothing is dropped."""
    reader, writer = pipe
    os.set_blocking(writer, False)
    size = 1 << 20
    program = f"import os\nwhile os.read({reader}, 4096): pass"
    with subprocess.Popen([sys.executable, "-c", program], pass_fds=[reader]) as process:
        stream = Stream(writer)
        assert stream.write(b"x" * size) == size
        assert stream.failure is None
        os.close(writer)
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("term", "possible"), [("xterm", True), ("dumb", False), ("", False), (None, False)]
)
def test_dumb_terminals_keep_their_lines(
    term: str | None, possible: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TERM", raising=False)
    if term is not None:
        monkeypatch.setenv("TERM", term)
    master, slave = os.openpty()
    with open(slave, "w") as terminal:
        assert can_overwrite(terminal) == possible
    os.close(master)
