"""Journals: lines are there at once, torn ones do not count."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from host.training.journal import Journal
from hw.contract.errors import DataError


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Callable[[], Journal]]:
    """Opens the journal ``log``, as often as it is called."""
    with ExitStack() as stack:

        def open_journal() -> Journal:
            opened = Journal(tmp_path / "log")
            stack.callback(opened.close)
            return opened

        yield open_journal


def fill(journal: Journal, count: int) -> Journal:
    for number in range(count):
        journal.append({"step": number, "loss": 0.1 * number})
    return journal


def test_lines_are_in_the_file_at_once(journal: Callable[[], Journal], tmp_path: Path) -> None:
    lines = fill(journal(), 2)
    text = '{"step": 0, "loss": 0.0}\n{"step": 1, "loss": 0.1}\n'
    assert (tmp_path / "log").read_text() == text
    assert len(lines) == 2
    assert [entry["step"] for entry in lines.read()] == [0, 1]
    lines.sync()
    lines.close()
    lines.close()
    assert (tmp_path / "log").read_text() == text


def test_an_empty_one_makes_no_file(journal: Callable[[], Journal], tmp_path: Path) -> None:
    empty = journal()
    empty.sync()
    empty.truncate(0)
    assert (len(empty), empty.read()) == (0, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("torn", [b"", b"{", b'{"step": 3}', b"\r\xff\0"])
@pytest.mark.parametrize("kept", [0, 2, 3])
def test_truncated(torn: bytes, kept: int, journal: Callable[[], Journal], tmp_path: Path) -> None:
    fill(journal(), 3)
    whole = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(whole + torn)
    again = journal()
    assert len(again) == 3
    again.truncate(kept)
    assert (tmp_path / "log").read_bytes() == b"".join(whole.splitlines(keepends=True)[:kept])
    again.append({"step": "next"})
    assert len(again) == kept + 1 and again.read()[-1] == {"step": "next"}


def test_a_damaged_line_is_named(journal: Callable[[], Journal], tmp_path: Path) -> None:
    lines = fill(journal(), 3)
    content = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(content.replace(b'"step": 1', b'"step: 1'))
    with pytest.raises(DataError, match=r"log, line 2 is damaged"):
        lines.read()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write"):
        Journal(tmp_path / "missing" / "log").append({})
