"""Folders and links with plain names, for programs that break on others."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fractrain.gen import plain_paths
from fractrain.gen.plain_paths import is_plain, plain_path, plain_workspace, temporary_root
from fractrain.hw.contract.errors import DataError

ODD_NAMES = [
    *("one space", "a(b)", "a[b]", "it's", 'a"b', "a$b", "a#b", "a%b", "a&b", "a;b", "a\\b"),
    *("café", "-a", "a\nb", "a:b", "a`b", "a,b", "a=b", "~a", "a*", "a?", "a|b", "a<b", "{a}"),
]


@pytest.fixture(autouse=True)
def no_memory_of_it() -> Iterator[None]:
    """Functions that remember what they found look again."""
    yield
    temporary_root.cache_clear()
    plain_path.cache_clear()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_not_plain(name: str, tmp_path: Path) -> None:
    assert not is_plain(tmp_path / name)
    assert not is_plain(tmp_path / name / "below")


def test_plain_names_stay_what_they_are(tmp_path: Path) -> None:
    assert is_plain(tmp_path / "a.b_c-d+e@f")
    assert plain_path(tmp_path / "a.b_c-d+e@f") == tmp_path / "a.b_c-d+e@f"
    with plain_workspace(tmp_path) as work:
        assert work == tmp_path


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_link_leads_there(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file.cpp").write_text("text")
    link = plain_path(folder / "file.cpp")
    assert is_plain(link) and link.suffix == ".cpp"
    assert link.read_text() == "text"
    assert plain_path(folder) != link


@pytest.mark.parametrize("name", ODD_NAMES)
def test_work_moves_to_its_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    with pytest.raises(RuntimeError), plain_workspace(folder) as work:
        assert is_plain(work) and work != folder
        (work / "sub").mkdir()
        (work / "sub" / "file").write_text("text")
        raise RuntimeError
    assert (folder / "sub" / "file").read_text() == "text"
    assert not work.exists()


def test_a_temporary_folder_of_any_name_is_none_to_work_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "one space"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    monkeypatch.setattr(plain_paths, "CANDIDATES", (str(tmp_path / "missing"), str(tmp_path)))
    temporary_root.cache_clear()
    assert temporary_root() == tmp_path
    monkeypatch.setattr(plain_paths, "CANDIDATES", (str(tmp_path / "missing"),))
    temporary_root.cache_clear()
    with pytest.raises(DataError, match="set TMPDIR to one"):
        temporary_root()
