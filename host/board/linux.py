"""Linux as a `host.board.system.System`: the only code that touches a real board."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import mmap
import os
import select
import struct
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fractrain.host.board.system import MappedWords, SharedMemory, UioDevice

__all__ = ["LinuxSystem"]

READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE


class LinuxSystem:
    """The operating system, with ``root`` in front of all paths (tests put a folder there)."""

    simulated = False

    def __init__(
        self, root: str | Path = "/", environment: Mapping[str, str] | None = None
    ) -> None:
        self.root = Path(root)
        self.environment = os.environ if environment is None else environment

    def exists(self, path: str) -> bool:
        return self._place(path).exists()

    def read_text(self, path: str) -> str:
        return self._place(path).read_text(encoding="utf-8", errors="replace").strip()

    def read_bytes(self, path: str) -> bytes:
        return self._place(path).read_bytes()

    def write_text(self, path: str, text: str) -> None:
        descriptor = os.open(self._place(path), os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode("utf-8"))
        finally:
            os.close(descriptor)

    def replace_text(self, path: str, text: str) -> None:
        place = self._place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, place)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._place(path).unlink()

    def glob(self, pattern: str) -> list[str]:
        root = glob.escape(str(self.root)).rstrip("/")
        skipped = len(str(self.root).rstrip("/"))
        return sorted(each[skipped:] for each in glob.glob(root + pattern))

    def open_uio(self, path: str, offset: int, size: int) -> UioDevice:
        return _LinuxUio(self._place(path), offset, size)

    def map_physical(self, address: int, size: int) -> MappedWords:
        descriptor = os.open(self._place("/dev/mem"), os.O_RDWR | os.O_SYNC | os.O_CLOEXEC)
        try:
            return _MappedWords(
                mmap.mmap(descriptor, size, mmap.MAP_SHARED, READ_WRITE, offset=address)
            )
        finally:
            os.close(descriptor)

    def map_buffer(self, path: str, size: int, *, cached: bool) -> SharedMemory:
        # u-dma-buf maps past the caches if the file was opened with O_SYNC (sync-mode 1)
        flags = os.O_RDWR | os.O_CLOEXEC | (0 if cached else os.O_SYNC)
        descriptor = os.open(self._place(path), flags)
        try:
            return _MappedBuffer(mmap.mmap(descriptor, size, mmap.MAP_SHARED, READ_WRITE))
        finally:
            os.close(descriptor)

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _place(self, path: str) -> Path:
        return self.root / path.lstrip("/")


class _Mapping:
    """A mapping and a view of it, released together: a live view keeps pages mapped."""

    def __init__(self, mapping: mmap.mmap, kind: str, offset: int = 0) -> None:
        self._mapping: mmap.mmap | None = mapping
        self._view: NDArray = np.frombuffer(memoryview(mapping)[offset:], dtype=kind)

    def close(self) -> None:
        if self._mapping is None:
            return
        mapping, self._mapping = self._mapping, None
        self._view = np.zeros(0, self._view.dtype)
        try:
            mapping.close()
        except BufferError:
            # An array of it is still alive: its pages go with the array.
            pass


class _MappedWords(_Mapping):
    """Registers. One scalar at a time: NumPy may read a slice with any accesses, twice or by bytes,
    and the bus would see each of them."""

    def __init__(self, mapping: mmap.mmap, offset: int = 0) -> None:
        super().__init__(mapping, "<u4", offset)

    def read(self, index: int) -> int:
        return int(self._view[index])

    def write(self, index: int, value: int) -> None:
        self._view[index] = value


class _MappedBuffer(_Mapping):
    """The buffer's bytes."""

    def __init__(self, mapping: mmap.mmap) -> None:
        super().__init__(mapping, "u1")

    @property
    def data(self) -> NDArray[np.uint8]:
        return self._view


class _LinuxUio:
    """``/dev/uioN``: Documentation/driver-api/uio-howto.rst of the kernel.

    Region 0 is mapped at file offset 0, from the beginning of its first page; the registers begin
    ``offset`` bytes later. Reading four bytes takes the count of interrupts and blocks until there
    is one, so it is only done when `select.poll` says that there is, of a descriptor that does not
    block. Writing a 1 of four bytes unmasks the interrupt.
    """

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            # released however the process ends
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            length = -(-(offset + size) // mmap.PAGESIZE) * mmap.PAGESIZE
            mapping = mmap.mmap(self._descriptor, length, mmap.MAP_SHARED, READ_WRITE)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.words: MappedWords = _MappedWords(mapping, offset)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def enable(self) -> None:
        os.write(self._descriptor, struct.pack("=I", 1))

    def wait(self, timeout_s: float) -> bool:
        if not self._poll.poll(max(0.0, 1000 * timeout_s)):
            return False
        try:
            return len(os.read(self._descriptor, 4)) == 4
        except BlockingIOError:
            return False

    def close(self) -> None:
        self.words.close()
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
