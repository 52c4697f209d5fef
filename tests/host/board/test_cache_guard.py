"""Caches that are maintained in part: noticed before anybody uses what they hold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fractrain.host.board.cache_guard import GUARD_BYTES, SAMPLES, StaleCaches
from fractrain.host.board.dma_buffer import BufferPlace, DmaBuffer
from fractrain.sim.board.buffer import MappedBuffer
from fractrain.sim.board.caches import CachedView

LINE = 32
SIZE = 64 << 10
ROOM = SIZE + (4 << 10)


class HalfHearted:
    """A system whose u-dma-buf leaves lines out: ``keeps`` says which of so many it maintains."""

    def __init__(self, to_device: str = "all", from_device: str = "all", room: int = ROOM) -> None:
        self.memory = np.zeros(room, np.uint8)
        self.caches = CachedView(self.memory)
        self.left_out = {"sync_for_device": to_device, "sync_for_cpu": from_device}
        self.synced = 0

    def map_buffer(self, path: str, size: int, *, cached: bool) -> MappedBuffer:
        return MappedBuffer(self.caches.data if cached else self.memory)

    def write_text(self, path: str, text: str) -> None:
        attribute, word = path.rpartition("/")[2], int(text, 0)
        first, size, direction = word >> 32, word & 0xFFFF_FFF0, word >> 2 & 3
        self.synced = size
        for line in LINES[self.left_out[attribute]](size // LINE):
            place = first + LINE * int(line)
            if attribute == "sync_for_device":
                self.caches.for_device(place, LINE, direction)
            else:
                self.caches.for_processor(place, LINE, direction)

    def buffer(self, sync_mode: int = 1) -> DmaBuffer:
        place = BufferPlace("/sys/b", "/dev/b", 0x1000_0000, len(self.memory), sync_mode)
        return DmaBuffer(self, place)  # type: ignore[arg-type]


LINES = {
    "all": lambda count: np.arange(count),
    "none": lambda count: np.arange(0),
    "first half": lambda count: np.arange(count // 2),
    "second half": lambda count: np.arange(count // 2, count),
    "all but the last": lambda count: np.arange(count - 1),
    "all but the first": lambda count: np.arange(1, count),
    "every other": lambda count: np.arange(0, count, 2),
    "a gap of an eighth": lambda count: np.r_[: 3 * count // 8, count // 2 : count],
}
GAPS = [name for name in LINES if name != "all"]


def image(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, SIZE, np.uint8)


@pytest.mark.parametrize("size", [64, 4096, 4100, SIZE])
def test_whole_ranges_pass_however_often(size: int) -> None:
    system = HalfHearted()
    buffer = system.buffer()
    for seed in range(20):
        written = image(seed)[:size]
        buffer.write(written)
        assert (system.memory[:size] == written).all()
        system.memory[:size] = image(1000 + seed)[:size]  # the machine's results
        assert (buffer.read(size) == image(1000 + seed)[:size]).all()


@pytest.mark.parametrize("gap", GAPS)
def test_lines_that_are_not_written_back(gap: str) -> None:
    buffer = HalfHearted(to_device=gap).buffer()
    with pytest.raises(StaleCaches, match=r"sync_for_device did not write all of them back: mem"):
        buffer.write(image(0))


@pytest.mark.parametrize("gap", GAPS)
def test_lines_that_are_not_forgotten(gap: str) -> None:
    system = HalfHearted(from_device=gap)
    buffer = system.buffer()
    buffer.write(image(0))
    system.memory[:SIZE] = image(1)
    with pytest.raises(StaleCaches, match="sync_for_cpu did not make the caches forget all of"):
        buffer.read(SIZE)


@pytest.mark.parametrize("gap", ["none", "first half", "all but the last"])
def test_an_end_that_is_missed_is_found_where_nothing_else_changes(gap: str) -> None:
    """Twice the same image, and results that are the image again."""
    system = HalfHearted()
    buffer = system.buffer()
    buffer.write(image(0))
    buffer.read(SIZE)
    system.left_out["sync_for_device"] = gap
    with pytest.raises(StaleCaches):
        buffer.write(image(0))
    system.left_out |= {"sync_for_device": "all", "sync_for_cpu": gap}
    buffer.write(image(0))
    with pytest.raises(StaleCaches):
        buffer.read(SIZE)


def test_every_word_is_looked_at_some_time() -> None:
    """A word that alone is stale is found within as many looks as there are words between two."""
    system = HalfHearted()
    buffer = system.buffer()
    words = SIZE // 4
    for _ in range(4 * words // SAMPLES):
        buffer.write(image(0))
        system.caches.data[4 * 7777] ^= 1  # not written back: it counts as done
        assert buffer._guard is not None
        try:
            buffer._guard.check_written(SIZE)
        except StaleCaches as error:
            assert f"at byte {4 * 7777:,}" in str(error)
            return
    pytest.fail("never looked at")


PART = slice(5 * 128, 5 * 128 + 4096)
"""Bytes in the middle of the buffer, which begin and end with a line."""


def test_parts_are_shared_and_their_neighbours_left_alone() -> None:
    """The machine is at work on these meanwhile."""
    system = HalfHearted()
    buffer = system.buffer()
    for seed in range(20):
        system.memory[:SIZE] = beside = image(seed)
        buffer.data[PART] = wanted = image(100 + seed)[PART]
        buffer.share(PART.start, PART.stop - PART.start)
        assert (system.memory[PART] == wanted).all()
        assert (np.delete(system.memory[:SIZE], PART) == np.delete(beside, PART)).all()
        system.memory[:SIZE] = found = image(200 + seed)
        buffer.refresh(PART.start, PART.stop - PART.start)
        assert (buffer.data[PART] == found[PART]).all()
    buffer.share(0, 0), buffer.refresh(0, 0)


@pytest.mark.parametrize("gap", GAPS)
def test_lines_that_are_missed_in_parts(gap: str) -> None:
    system = HalfHearted()
    buffer = system.buffer()
    buffer.data[PART] = image(0)[PART]
    system.left_out["sync_for_device"] = gap
    with pytest.raises(StaleCaches, match="of bytes 640 to 4,735 of the buffer sync_for_device"):
        buffer.share(PART.start, PART.stop - PART.start)
    system.left_out = {"sync_for_device": "all", "sync_for_cpu": gap}
    buffer.share(PART.start, PART.stop - PART.start)
    system.memory[PART] = image(1)[PART]
    with pytest.raises(StaleCaches, match="of bytes 640 to 4,735 of the buffer sync_for_cpu did"):
        buffer.refresh(PART.start, PART.stop - PART.start)


def test_a_buffer_without_room_for_the_guard() -> None:
    system = HalfHearted(room=SIZE)
    buffer = system.buffer()
    buffer.write(image(0))
    assert system.synced == SIZE and (buffer.read(SIZE) == image(0)).all()
    system = HalfHearted(room=SIZE + GUARD_BYTES)
    system.buffer().write(image(0))
    assert system.synced == SIZE + GUARD_BYTES


@pytest.mark.parametrize("sync_mode", [0, 2, 3])
def test_a_buffer_that_cannot_be_seen_past_the_caches_is_not_watched(sync_mode: int) -> None:
    """Modes 2 and 3 collect writes; 0 has no such mapping."""
    system = HalfHearted(to_device="none")
    buffer = system.buffer(sync_mode)
    buffer.write(image(0))
    assert buffer._guard is None
    buffer.close()
    buffer.close()
    system = HalfHearted()  # and yet it is maintained
    buffer = system.buffer(sync_mode)
    buffer.write(image(0))
    assert (system.memory[:SIZE] == image(0)).all()
    system.memory[:SIZE] = image(1)
    assert (buffer.read(SIZE) == image(1)).all()
