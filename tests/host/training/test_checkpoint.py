"""Checkpoints: what comes back is what was saved, or nothing at all."""

import errno
import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest

from fractrain.host.training.checkpoint import (
    Checkpoint,
    Checkpoints,
    DamagedError,
    UnusableError,
    decode,
    encode,
)
from fractrain.host.training.trainer import TrainerState
from fractrain.hw.contract.errors import DataError

RUN = "f" * 64


def checkpoint(step: int = 7) -> Checkpoint:
    arrays = {
        "parameter/first.weight": np.arange(-3, 3, dtype=np.float32).reshape(2, 3) / 7,
        "statistic/first.range": np.array(1.25, np.float32),
    }
    document = {"step": step, "macs": [2**70, 3], "losses": [0.1 + 0.2, 1e-300]}
    return Checkpoint(TrainerState(arrays, document), {"seconds": {"training": 1.5}})


def signed(body: bytes, version: bytes = b"2") -> bytes:
    """A file with the right hash for any body."""
    digest = hashlib.sha256(version + body).hexdigest().encode()
    return b"fractrain-checkpoint %s %s\n" % (version, digest) + body


def test_round_trip() -> None:
    saved, read = checkpoint(), decode(encode(checkpoint(), RUN), RUN)
    assert read.step == 7
    assert read.run == saved.run
    assert read.state.document == saved.state.document
    assert read.state.arrays.keys() == saved.state.arrays.keys()
    for name, array in saved.state.arrays.items():
        found = read.state.arrays[name]
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.tobytes() == array.tobytes()


def test_every_flipped_bit_is_found() -> None:
    content = encode(checkpoint(), RUN)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(DamagedError, match="SHA-256"):
            decode(bytes(damaged), RUN)


def test_every_truncation_is_found() -> None:
    content = encode(checkpoint(), RUN)
    for length in range(len(content)):
        with pytest.raises(DamagedError, match="SHA-256"):
            decode(content[:length], RUN)
    with pytest.raises(DamagedError, match="SHA-256"):
        decode(content + b"\0", RUN)


def test_another_run() -> None:
    with pytest.raises(UnusableError, match="other options"):
        decode(encode(checkpoint(), "0" * 64), RUN)


def test_another_format_is_no_damage() -> None:
    """Another version of this program may read it: nothing begins anew without it."""
    body = encode(checkpoint(), RUN).partition(b"\n")[2]
    assert decode(signed(body), RUN).step == 7
    with pytest.raises(UnusableError, match="format is '1', this program reads 2") as error:
        decode(signed(body, b"1"), RUN)
    assert not isinstance(error.value, DamagedError)


@pytest.mark.parametrize("kind", ["text", "pickle", "no document", "a list"])
def test_bodies_of_another_hand(kind: str) -> None:
    body = io.BytesIO(b"hello")
    if kind == "a list":
        np.savez(body, document=np.frombuffer(b"[]", np.uint8))
    elif kind != "text":
        np.savez(body, **{"document" if kind == "pickle" else "a": np.array([{}], object)})
    with pytest.raises(DamagedError, match="holds no checkpoint"):
        decode(signed(body.getvalue()), RUN)


# -- the folder --------------------------------------------------------------------------------


def saved(folder: Path, *steps: int) -> Checkpoints:
    checkpoints = Checkpoints(folder, RUN)
    for step in steps:
        checkpoints.save(checkpoint(step))
    return checkpoints


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def load(checkpoints: Checkpoints, last_step: int = 10**6) -> tuple[int | None, list[str]]:
    """The step of the one that is used, and notes; those after ``last_step`` do not fit."""
    notes: list[str] = []

    def fits(found: Checkpoint) -> None:
        if found.step > last_step:
            raise UnusableError(f"the log ends at {last_step}")

    found = checkpoints.load(notes.append, fits)
    return None if found is None else found.step, notes


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path / "checkpoints", 9, 10, 100, 101)
    assert names(checkpoints.folder) == ["step-00000100.checkpoint", "step-00000101.checkpoint"]
    assert load(checkpoints) == (101, [])
    assert load(Checkpoints(tmp_path / "none", RUN)) == (None, [])


@pytest.mark.parametrize("damage", ["empty", "flip", "cut", "other name"])
def test_a_damaged_one_is_put_aside_and_the_one_before_it_used(damage: str, tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 5, 6)
    newest = tmp_path / "step-00000006.checkpoint"
    content = newest.read_bytes()
    newest.write_bytes(
        {
            "empty": b"",
            "flip": content[:200] + bytes([content[200] ^ 4]) + content[201:],
            "cut": content[:-1],
            "other name": encode(checkpoint(7), RUN),
        }[damage]
    )
    step, notes = load(checkpoints)
    assert step == 5
    assert len(notes) == 1 and str(newest) in notes[0]
    assert names(tmp_path) == ["step-00000005.checkpoint", "step-00000006.checkpoint.damaged"]
    # It does not count as one of the two.
    checkpoints.save(checkpoint(7))
    assert names(tmp_path)[0] == "step-00000005.checkpoint"
    assert load(checkpoints) == (7, [])


def test_none_that_is_undamaged(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 5, 6)
    for path in tmp_path.iterdir():
        path.write_bytes(b"fractrain-checkpoint 1 0\n")
    step, notes = load(checkpoints)
    assert step is None and len(notes) == 2


# -- those that cannot be used, and are not certainly lost ---------------------------------------

FIVE, SIX = (f"step-0000000{step}.checkpoint" for step in (5, 6))


def make_unusable(path: Path, kind: str) -> str:
    """Break it; what is said of it."""
    content = path.read_bytes()
    path.unlink()
    if kind == "another format":
        path.write_bytes(signed(content.partition(b"\n")[2], b"9"))
        return "its format is '9'"
    if kind == "another run":
        path.write_bytes(encode(checkpoint(6), "0" * 64))
        return "it is of a run with other options"
    if kind == "folder":
        path.mkdir()
        return "cannot read it: Is a directory"
    if kind == "FIFO":
        os.mkfifo(path)
        return "cannot read it: it is no regular file"
    path.symlink_to({"EIO": "/proc/self/mem", "endless": "/dev/zero", "nowhere": "none"}[kind])
    return {
        "EIO": "cannot read it: Input/output error",
        "endless": "cannot read it: it is no regular file",
        "nowhere": "cannot read it: No such file",
    }[kind]


UNUSABLE = ["another format", "another run", "folder", "FIFO", "EIO", "endless", "nowhere"]


@pytest.mark.parametrize("kind", UNUSABLE)
def test_one_that_is_unusable_does_not_keep_the_one_before_it_from_being_used(
    kind: str, tmp_path: Path
) -> None:
    checkpoints = saved(tmp_path, 5, 6)
    said = make_unusable(tmp_path / SIX, kind)
    step, notes = load(checkpoints)
    assert step == 5 and len(notes) == 1
    assert said in notes[0] and notes[0].endswith(f"it is now {SIX}.unused")
    assert names(tmp_path) == [FIVE, f"{SIX}.unused"]


@pytest.mark.parametrize("kind", UNUSABLE)
def test_no_run_begins_anew_beside_one_that_may_still_be_saved(kind: str, tmp_path: Path) -> None:
    """Even if the other is damaged; and nothing is renamed."""
    checkpoints = saved(tmp_path, 5, 6)
    said = make_unusable(tmp_path / SIX, kind)
    (tmp_path / FIVE).write_bytes(b"")
    with pytest.raises(DataError, match=f"{SIX} cannot be used: {said}.*nothing was changed"):
        load(checkpoints)
    assert names(tmp_path) == [FIVE, SIX]


def test_one_that_is_ahead_of_the_log(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 5, 6)
    with pytest.raises(DataError, match=f"{SIX} cannot be used: the log ends at 4"):
        load(checkpoints, last_step=4)
    step, notes = load(checkpoints, last_step=5)
    assert step == 5
    assert "the log ends at 5" in notes[0]


def test_one_that_cannot_be_put_aside_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = saved(tmp_path, 5, 6)
    (tmp_path / SIX).write_bytes(b"")

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "replace", read_only)
    step, notes = load(checkpoints)
    assert step == 5 and "SHA-256" in notes[0] and "it is now" not in notes[0]


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(DataError, match=r"cannot read .*checkpoints: Not a directory"):
        load(Checkpoints(tmp_path / "checkpoints", RUN))


def test_the_newest_is_that_of_the_last_step_not_of_the_last_name(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 99_999_999, 100_000_000)
    (tmp_path / "step-new.checkpoint").write_text("nobody's")
    assert load(checkpoints, 10**9) == (100_000_000, [])


def test_what_cannot_be_removed_does_not_end_a_run(tmp_path: Path) -> None:
    (tmp_path / "step-00000001.checkpoint").mkdir()
    checkpoints = saved(tmp_path, 5, 6, 7)
    assert names(tmp_path) == ["step-00000001.checkpoint", SIX, "step-00000007.checkpoint"]
    assert load(checkpoints) == (7, [])


def test_killed_before_the_file_had_its_name(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 5)
    (tmp_path / ".step-00000006.checkpoint.99.tmp").write_bytes(encode(checkpoint(6), RUN)[:-9])
    assert load(checkpoints) == (5, [])
    assert names(tmp_path) == ["step-00000005.checkpoint"]


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        saved(tmp_path / "file", 1)
