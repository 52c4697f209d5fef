"""The Python of the documents runs, their commands are understood, their links lead somewhere."""

import argparse
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fractrain.host.cli.main import COMMANDS, DESCRIPTION, EPILOG, build_parser
from fractrain.hw.contract.errors import FractrainError

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
INLINE = re.compile(r"`(fractrain [^`]+)`")
LINE = re.compile(r"^ {2,}(?:sudo )?(?:\.venv/bin/)?(fractrain .+)$", re.MULTILINE)


def python_of(name: str) -> str:
    """All blocks of a document, one after the other."""
    blocks = BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))
    assert blocks
    return "\n".join(blocks)


def run(code: str, name: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, name, "exec"), names)
    return names


@pytest.mark.parametrize("name", ["README.md", "docs/engine.md", "docs/step_model.md"])
def test_examples_run_as_they_stand(name: str) -> None:
    run(python_of(name), name)


HOW_TOS = {
    "docs/howto/dataset.md": "tests/host/datasets/arrays.py",
    "docs/howto/layer.md": "host/graph/operations/layers.py",
    "docs/howto/method.md": "tests/host/methods/alternating.py",
    "docs/howto/network.md": "tests/host/execution/small_network.py",
}
"""Where the code of a how-to stands, which is tested there."""


@pytest.mark.parametrize("name", HOW_TOS)
def test_examples_of_how_tos_are_tested_code(name: str) -> None:
    source = (ROOT / HOW_TOS[name]).read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", (ROOT / name).read_text("utf-8"), re.M | re.S)
    assert blocks
    for block in blocks:
        for part in textwrap.dedent(block).strip().split("\n\n"):
            assert part in source, part


def test_the_how_to_of_targets_makes_one() -> None:
    target = run(python_of("docs/howto/target.md"), "docs/howto/target.md")["TARGET"]
    assert target.part.luts and target.clocks.possible(100)


def test_the_readmes_example_is_the_same_on_golden() -> None:
    code = python_of("README.md")
    golden = run(code.replace('"cosim"', '"golden"'), "README.md, golden")
    rtl = run(code, "README.md")
    assert [golden["acc"].counters.cycles > 0, rtl["acc"].counters.cycles > 0] == [False, True]
    for result in ("y", "dx", "dw"):
        assert np.array_equal(golden[result], rtl[result]), result


def commands_of(text: str) -> Iterator[list[str]]:
    """The words of every call of `fractrain`, without what only readers need."""
    text = text.replace("\\\n", " ")
    lines = [part for found in LINE.findall(text) for part in found.split("&&")]
    for line in [*lines, *(" ".join(found.split()) for found in INLINE.findall(text))]:
        call = re.split(r" {2,}|\s[#|]\s?", line.strip())[0].removeprefix("sudo ")
        words = [word.rstrip(",").rstrip("…").strip("[]") for word in shlex.split(call)[1:]]
        choice = next((word for word in words if "|" in word), "")
        for word in choice.split("|"):
            yield [word if choice and each == choice else each for each in words if each]


def understood(words: list[str]) -> bool:
    """A command's name alone stands for the command, and an option at the end for the option."""
    command = next((word for word in words if word in COMMANDS), None)
    if words == ["COMMAND", "--help"] or (command and words == [command]):
        return True
    parser = build_parser(command)
    try:
        parser.parse_args(words)
    except SystemExit:  # --help
        return True
    except FractrainError:
        given = {word for word in words if word.startswith("--")}
        return bool(command) and words[-1] in given <= options(parser, str(command))
    return True


def options(parser: argparse.ArgumentParser, command: str) -> set[str]:
    """All options of a command."""
    return {text for action in chosen(parser, command)._actions for text in action.option_strings}


def chosen(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    """The parser of a command."""
    return next(
        action.choices[command]
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_are_understood(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands_of(path.read_text(encoding="utf-8")):
        assert understood(words), f"fractrain {shlex.join(words)}: {capsys.readouterr().err}"


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_help_are_understood(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = chosen(build_parser(command), command)
    for words in commands_of(f"{DESCRIPTION}\n{EPILOG}\n{own.description}\n{own.epilog}"):
        assert understood(words), f"fractrain {shlex.join(words)}: {capsys.readouterr().err}"


def test_the_documents_have_many_commands() -> None:
    found = [words for path in DOCUMENTS for words in commands_of(path.read_text("utf-8"))]
    assert len(found) > 60
    assert ["simulate", "--model", "resnet8", "--config", "tiny", "--blocks", "0"] in found
    assert not understood(["simulate", "--modell", "resnet8"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def anchors(path: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {each.replace(" ", "-") for each in kept}
