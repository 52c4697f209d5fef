"""Checkpoints: what comes back is what was saved, or nothing at all."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest

from host.training.checkpoint import Checkpoint, Checkpoints, DamagedError, decode, encode
from host.training.trainer import TrainerState
from hw.contract.errors import DataError

RUN = "f" * 64


def checkpoint(step: int = 7) -> Checkpoint:
    arrays = {
        "parameter/first.weight": np.arange(-3, 3, dtype=np.float32).reshape(2, 3) / 7,
        "statistic/first.range": np.array(1.25, np.float32),
    }
    document = {"step": step, "macs": [2**70, 3], "losses": [0.1 + 0.2, 1e-300]}
    return Checkpoint(TrainerState(arrays, document), {"seconds": {"training": 1.5}})


def signed(body: bytes, version: bytes = b"1") -> bytes:
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
    with pytest.raises(DamagedError, match="other options"):
        decode(encode(checkpoint(), "0" * 64), RUN)


def test_another_format_is_no_damage() -> None:
    """Another version of this program may read it: it must not be put aside."""
    body = encode(checkpoint(), RUN).partition(b"\n")[2]
    assert decode(signed(body), RUN).step == 7
    with pytest.raises(DataError, match="format is '2', this program reads 1"):
        decode(signed(body, b"2"), RUN)


@pytest.mark.parametrize("kind", ["text", "pickle", "no document"])
def test_bodies_of_another_hand(kind: str) -> None:
    body = io.BytesIO(b"hello")
    if kind != "text":
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
    notes: list[str] = []
    found = checkpoints.load(notes.append, last_step=last_step)
    return None if found is None else found.step, notes


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path / "checkpoints", 9, 10, 100, 101)
    assert names(checkpoints.folder) == ["step-00000100.checkpoint", "step-00000101.checkpoint"]
    assert load(checkpoints) == (101, [])
    assert load(Checkpoints(tmp_path / "none", RUN)) == (None, [])


@pytest.mark.parametrize("damage", ["empty", "flip", "cut", "other run"])
def test_a_damaged_one_is_put_aside_and_the_one_before_it_used(damage: str, tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 5, 6)
    newest = tmp_path / "step-00000006.checkpoint"
    content = newest.read_bytes()
    newest.write_bytes(
        {
            "empty": b"",
            "flip": content[:200] + bytes([content[200] ^ 4]) + content[201:],
            "cut": content[:-1],
            "other run": encode(checkpoint(6), "0" * 64),
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


def test_one_that_is_ahead_of_the_log(tmp_path: Path) -> None:
    step, notes = load(saved(tmp_path, 5, 6), last_step=5)
    assert step == 5
    assert "at step 6, the log ends at 5" in notes[0]


def test_another_format_stays(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 5)
    path = tmp_path / "step-00000005.checkpoint"
    path.write_bytes(signed(path.read_bytes().partition(b"\n")[2], b"9"))
    with pytest.raises(DataError, match=r"step-00000005\.checkpoint: its format is '9'"):
        load(checkpoints)
    assert names(tmp_path) == [path.name]


def test_killed_before_the_file_had_its_name(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 5)
    (tmp_path / ".step-00000006.checkpoint.99.tmp").write_bytes(encode(checkpoint(6), RUN)[:-9])
    assert load(checkpoints) == (5, [])
    assert names(tmp_path) == ["step-00000005.checkpoint"]


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        saved(tmp_path / "file", 1)
