"""Journals: lines are there at once, torn ones do not count, changed ones are noticed."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fractrain.host.files.journal import EMPTY, Journal, Mark
from fractrain.hw.contract.errors import DataError


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
    empty.cut(EMPTY)
    assert (len(empty), empty.read(), empty.mark(), empty.damage(EMPTY)) == (0, [], EMPTY, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("torn", [b"", b"{", b'{"step": 3}', b"\r\xff\0"])
@pytest.mark.parametrize("kept", [0, 2, 3])
def test_cut(torn: bytes, kept: int, journal: Callable[[], Journal], tmp_path: Path) -> None:
    first = fill(journal(), kept)
    mark = first.mark()
    assert mark.lines == kept
    for number in range(kept, 3):
        first.append({"step": number})
    whole = (tmp_path / "log").read_bytes() if kept < 3 else first.path.read_bytes()
    (tmp_path / "log").write_bytes(whole + torn)
    again = journal()
    assert len(again) == 3
    assert [entry["step"] for entry in again.read_behind(mark)] == list(range(kept, 3))
    again.cut(mark)
    assert (tmp_path / "log").read_bytes() == b"".join(whole.splitlines(keepends=True)[:kept])
    again.append({"step": "next"})
    assert len(again) == kept + 1 and again.read()[-1] == {"step": "next"}


def test_what_a_killed_process_has_torn_goes_at_every_byte(tmp_path: Path) -> None:
    """The line that comes next is no part of it."""
    whole = fill(Journal(tmp_path / "whole"), 3)
    content = whole.path.read_bytes()
    whole.close()
    second = content.index(b"\n") + 1
    for length in range(len(content) + 1):
        path = tmp_path / f"cut at {length}"
        path.write_bytes(content[:length])
        torn = Journal(path)
        count = content[:length].count(b"\n")
        assert len(torn) == len(torn.read()) == count
        torn.append({"step": "next"})
        torn.close()
        assert path.read_bytes() == b"".join(
            [*content.splitlines(keepends=True)[:count], b'{"step": "next"}\n']
        )
    assert second > 1


# -- marks -------------------------------------------------------------------------------------


def marked(path: Path) -> tuple[Mark, bytes]:
    """A journal of four lines with the mark after three."""
    journal = fill(Journal(path), 3)
    mark = journal.mark()
    journal.append({"step": 3})
    journal.close()
    return Mark(**mark.document()), path.read_bytes()


def test_a_mark_goes_on_in_another_process(journal: Callable[[], Journal], tmp_path: Path) -> None:
    first = fill(journal(), 2)
    first.close()
    second = journal()
    second.append({"step": 2})
    assert second.mark() == journal().mark() != first.mark()


def test_every_flipped_bit_before_a_mark_is_found(tmp_path: Path) -> None:
    mark, content = marked(tmp_path / "log")
    journal = Journal(tmp_path / "log")
    assert journal.damage(mark) == ""
    for position in range(len(content)):
        for bit in range(8) if position % 7 == 0 else (position % 8,):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            journal.path.write_bytes(damaged)
            assert bool(journal.damage(mark)) == (position < mark.size)


def test_every_truncation_before_a_mark_is_found(tmp_path: Path) -> None:
    mark, content = marked(tmp_path / "log")
    journal = Journal(tmp_path / "log")
    for length in range(len(content)):
        journal.path.write_bytes(content[:length])
        damage = journal.damage(mark)
        assert damage == (
            f"has {content[:length].count(10)} of 3 lines" if length < mark.size else ""
        )


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([0, 2, 1, 3], "has other first 3 lines"),
        ([0, 0, 1, 2, 3], "has other first 3 lines"),
        ([0, 1, 3], "has other first 3 lines"),
        ([1, 2, 3], "has other first 3 lines"),
    ],
    ids=["swapped", "twice", "one lost", "the first lost"],
)
def test_lines_in_other_places_are_found(order: list[int], said: str, tmp_path: Path) -> None:
    mark, content = marked(tmp_path / "log")
    lines = content.splitlines(keepends=True)
    journal = Journal(tmp_path / "log")
    journal.path.write_bytes(b"".join(lines[each] for each in order))
    assert journal.damage(mark).startswith(said)


def test_what_is_said_of_a_file_that_is_none(tmp_path: Path) -> None:
    mark, _ = marked(tmp_path / "log")
    journal = Journal(tmp_path / "log")
    journal.path.unlink()
    assert journal.damage(mark) == "is missing, with its 3 lines"
    os.mkfifo(journal.path)
    assert journal.damage(mark) == "cannot be read: it is no regular file"
    with pytest.raises(DataError, match="no regular file"):
        journal.read()
    journal.path.unlink()
    journal.path.symlink_to("/proc/self/mem")
    assert journal.damage(mark) == "cannot be read: Input/output error"


# -- damage ------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [b'{"step: 1}', b"[1]", b"", b"\xff", b"[" * 100_000])
def test_a_damaged_line_is_named(line: bytes, journal: Callable[[], Journal]) -> None:
    lines = fill(journal(), 3)
    content = lines.path.read_bytes().splitlines(keepends=True)
    lines.path.write_bytes(content[0] + line + b"\n" + content[2])
    with pytest.raises(DataError, match="log is damaged in line 2"):
        journal().read()
    assert [entry["step"] for entry in journal().read_behind(EMPTY)] == [0, 2]


def test_what_changes_while_it_is_written_is_noticed(journal: Callable[[], Journal]) -> None:
    lines = fill(journal(), 3)
    lines.path.write_bytes(b'{"step": 0}\n')
    with pytest.raises(DataError, match="log has 1 of 3 lines: something else has changed it"):
        lines.read()


def test_what_is_put_aside_begins_anew(journal: Callable[[], Journal], tmp_path: Path) -> None:
    lines = fill(journal(), 3)
    content = lines.path.read_bytes()
    assert lines.put_aside() == "log.damaged"
    assert (tmp_path / "log.damaged").read_bytes() == content
    lines.append({"step": 0})
    assert lines.read() == [{"step": 0}]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write"):
        Journal(tmp_path / "missing" / "log").append({})
