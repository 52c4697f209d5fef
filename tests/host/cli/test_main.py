"""`fractrain` itself: help, version, and what becomes of errors."""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from fractrain import __version__
from fractrain.host.cli import main as cli
from fractrain.hw.contract import errors


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], None]:
    """Install a command ``probe --number N`` that calls the given function."""

    def install(action: Callable[[], int]) -> None:
        def add_parser(subparsers: argparse._SubParsersAction) -> None:
            subparsers.add_parser("probe").add_argument("--number", type=int)

        module = ModuleType("fractrain.host.cli.probe")
        module.add_parser = add_parser  # type: ignore[attr-defined]
        module.run = lambda args: action()  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "fractrain.host.cli.probe", module)
        monkeypatch.setitem(cli.COMMANDS, "probe", "a command of this test")

    return install


def raising(error: BaseException) -> Callable[[], int]:
    def action() -> int:
        raise error

    return action


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"fractrain {__version__}\n"


def test_no_command_shows_every_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")  # argparse breaks lines to fit the terminal
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    for name, summary in cli.COMMANDS.items():
        assert re.search(rf"^    {name}\s", shown, re.M)
        assert summary in shown


def test_help_names_every_exit_code() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.FractrainError)}
    codes |= {0, cli.EXIT_INTERRUPTED, cli.EXIT_BROKEN_PIPE, cli.EXIT_TERMINATED}
    table = cli.EPILOG.partition("exit codes:")[2].splitlines()[1:]
    assert {int(line.split()[0]) for line in table} == codes


def test_code_of_the_command_is_returned(command: Callable) -> None:
    command(lambda: 7)
    assert cli.main(["probe"]) == 7


@pytest.mark.parametrize(
    "error",
    [
        errors.ParameterError("bits", 17, "1..16", where="here"),
        errors.DataError("no such file"),
        errors.MissingToolError("g++ is missing"),
        errors.MachineError("stopped"),
        errors.MismatchError("differs"),
    ],
)
def test_errors_are_one_line_and_a_code(
    error: errors.FractrainError, command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(error))
    assert cli.main(["probe"]) == error.exit_code
    captured = capsys.readouterr()
    assert captured.err == f"fractrain: error: {error}\n"
    assert captured.out == ""


def test_text_of_others_stays_on_one_line(
    command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(errors.DataError("a\nb\x1b[2J" + "c" * 9999)))
    assert cli.main(["probe"]) == 3
    error = capsys.readouterr().err
    assert error.startswith("fractrain: error: a b\\x1b[2Jccc") and len(error) < 2200
    assert error.endswith(")\n") and error.count("\n") == 1


def test_no_memory_is_an_error(command: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    command(raising(MemoryError("Unable to allocate 286. TiB")))
    assert cli.main(["probe"]) == 1
    assert capsys.readouterr().err == (
        "fractrain: error: memory is exhausted: Unable to allocate 286. TiB\n"
    )


def test_interrupt(command: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    command(raising(KeyboardInterrupt()))
    assert cli.main(["probe"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_wrong_option_is_a_usage_error(
    command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    command(lambda: 0)
    assert cli.main(["probe", "--number", "many"]) == 2
    assert capsys.readouterr().err == (
        "fractrain: error: argument --number: invalid int value: 'many' (fractrain probe --help)\n"
    )


def test_unknown_command_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trian"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fractrain: error: COMMAND: got 'trian', allowed: train, sweep, report")
    assert error.endswith("; did you mean train?\n") and error.count("\n") == 1


def test_reader_that_goes_away_ends_quietly() -> None:
    code = """
import sys
from types import ModuleType
from fractrain.host.cli import main as cli
module = ModuleType("fractrain.host.cli.probe")
module.add_parser = lambda subparsers: subparsers.add_parser("probe")
def run(args):
    for number in range(100_000):
        print(number)
    return 0
module.run = run
sys.modules["fractrain.host.cli.probe"] = module
cli.COMMANDS["probe"] = "many lines"
sys.exit(cli.main(["probe"]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        assert process.wait(timeout=60) == cli.EXIT_BROKEN_PIPE
        assert process.stderr.read() == ""


def test_a_command_imports_no_other() -> None:
    code = """
import sys
from fractrain.host.cli.main import COMMANDS, build_parser
build_parser("generate")
print([name for name in COMMANDS if f"fractrain.host.cli.{name}" in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert result.stdout.strip() == "['generate']", result.stderr
