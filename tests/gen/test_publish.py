"""Folders are written whole or not at all, and other people's files are safe."""

import json
from pathlib import Path

import pytest

from fractrain.gen.bitstream_manifest import (
    BITSTREAM_MANIFEST_NAME,
    BitstreamManifest,
    Slack,
    Utilization,
)
from fractrain.gen.manifest import MANIFEST_NAME, FileEntry, Manifest
from fractrain.gen.publish import check_replaceable, publish, withdraw
from fractrain.hw.contract.errors import DataError, ParameterError
from fractrain.hw.contract.parameters import load_parameters


def build(**contents: str) -> dict[str, bytes]:
    """A build with the given files and the manifest that lists them."""
    files = {f"{name}.v": content.encode() for name, content in contents.items()}
    manifest = Manifest(
        top="top",
        flavour="synthesis",
        build_hash="0" * 64,
        parameters=load_parameters("tiny"),
        ports=(),
        latencies={},
        tools={},
        files=tuple(FileEntry.of(name, content) for name, content in files.items()),
    )
    return files | {MANIFEST_NAME: manifest.to_json().encode()}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("existing", [False, True])
def test_new_or_empty_folder(existing: bool, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    if existing:
        out.mkdir(parents=True)
    publish(out, build(a="1"))
    assert contents(out) == build(a="1")
    assert [each.name for each in out.parent.iterdir()] == ["out"]  # no scratch left behind


def test_earlier_build_is_replaced_whole(tmp_path: Path) -> None:
    publish(tmp_path / "out", build(a="1", b="2"))
    publish(tmp_path / "out", build(b="3"))
    assert contents(tmp_path / "out") == build(b="3")


def test_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    publish(tmp_path / "link", build(a="1"))
    assert (tmp_path / "link").is_symlink()
    assert contents(real) == build(a="1")


def test_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ParameterError, match=r"--out.*no manifest\.json"):
        publish(tmp_path, build(a="1"))
    assert contents(tmp_path) == {"thesis.tex": b"years of work"}


def test_build_with_foreign_files_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, build(a="1"))
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ParameterError, match=r"move notes\.txt away"):
        publish(out, build(a="2"))
    assert contents(out) == build(a="1") | {"notes.txt": b"mine"}


@pytest.mark.parametrize("text", ["", "{}", "[1]", json.dumps({"format": "web-app"})])
def test_manifest_of_something_else_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_text(text)
    with pytest.raises(DataError, match="not a manifest"):
        publish(tmp_path, build(a="1"))
    assert contents(tmp_path) == {MANIFEST_NAME: text.encode()}


def test_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ParameterError, match="this is a file"):
        publish(tmp_path / "out", build(a="1"))


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        publish(tmp_path / "file" / "out", build(a="1"))


def test_failure_while_writing_keeps_the_earlier_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path / "out", build(a="1"))
    rename = Path.rename

    def fail_for_new(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_new)
    with pytest.raises(DataError, match="No space left"):
        publish(tmp_path / "out", build(a="2"))
    assert contents(tmp_path / "out") == build(a="1")
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


# -- folders within, and bitstreams ------------------------------------------------------------


def bitstream(**contents: str) -> dict[str, bytes]:
    """A bitstream with the given files, each in a folder of its own, and their manifest."""
    files = {f"{name}/{name}.bit": content.encode() for name, content in contents.items()}
    manifest = BitstreamManifest(
        config="tiny",
        build_hash="0" * 64,
        parameters=load_parameters("tiny"),
        clock_mhz=200,
        flow="vivado",
        tool="",
        utilization=Utilization(0, 0, 0, 0),
        slack_ns=Slack(None, None),
        files=tuple(FileEntry.of(name, content) for name, content in files.items()),
    )
    return files | {BITSTREAM_MANIFEST_NAME: manifest.to_json().encode()}


def all_contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_folders_within(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, bitstream(a="1", b="2"), BITSTREAM_MANIFEST_NAME)
    assert all_contents(out) == bitstream(a="1", b="2")
    publish(out, bitstream(b="3"), BITSTREAM_MANIFEST_NAME)
    assert all_contents(out) == bitstream(b="3")
    assert not (out / "a").exists()


@pytest.mark.parametrize("name", ["a/notes.txt", "mine/notes.txt", "notes.txt"])
def test_foreign_files_in_folders_are_seen(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, bitstream(a="1"), BITSTREAM_MANIFEST_NAME)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("mine")
    for replace in (
        lambda: publish(out, bitstream(a="2"), BITSTREAM_MANIFEST_NAME),
        lambda: withdraw(out, BITSTREAM_MANIFEST_NAME),
    ):
        with pytest.raises(ParameterError, match=f"move {name} away"):
            replace()
    assert all_contents(out) == bitstream(a="1") | {name: b"mine"}


def test_an_empty_folder_of_somebody_is_foreign(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, build(a="1"))
    (out / "mine").mkdir()
    with pytest.raises(ParameterError, match="move mine away"):
        publish(out, build(a="2"))


def test_build_and_bitstream_do_not_replace_each_other(tmp_path: Path) -> None:
    publish(tmp_path / "bitstream", bitstream(a="1"), BITSTREAM_MANIFEST_NAME)
    with pytest.raises(ParameterError, match=r"no manifest\.json"):
        publish(tmp_path / "bitstream", build(a="1"))
    publish(tmp_path / "build", build(a="1"))
    with pytest.raises(ParameterError, match=r"no bitstream\.json"):
        publish(tmp_path / "build", bitstream(a="1"), BITSTREAM_MANIFEST_NAME)
    assert all_contents(tmp_path / "bitstream") == bitstream(a="1")
    assert all_contents(tmp_path / "build") == build(a="1")


def test_withdrawn_is_gone_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(out, bitstream(a="1"), BITSTREAM_MANIFEST_NAME)
    withdraw(out, BITSTREAM_MANIFEST_NAME)
    assert list(tmp_path.iterdir()) == []
    withdraw(out, BITSTREAM_MANIFEST_NAME)  # nothing there is nothing to do
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_ours_is_not_withdrawn(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ParameterError, match=r"no bitstream\.json"):
        withdraw(tmp_path, BITSTREAM_MANIFEST_NAME)
    assert contents(tmp_path) == {"thesis.tex": b"years of work"}


def test_a_folder_below_a_file_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write .*below: .*file is a file"):
        check_replaceable(tmp_path / "file" / "below")
    check_replaceable(tmp_path / "new" / "below")
