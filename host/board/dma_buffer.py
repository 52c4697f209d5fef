"""The buffer that processor and FPGA share: u-dma-buf, and the care its caches need.

The FPGA reaches DDR through the HP ports, past the processor's caches. So the caches must write the
processor's data back before the machine starts (`DmaBuffer.for_device`), and drop their lines of
the buffer before results are read (`DmaBuffer.for_processor`).

u-dma-buf does either with one write to an attribute (github.com/ikwzm/udmabuf, "manual cache
management"): offset in bits 63:32, size in 31:4, direction in 3:2 (1 to the device, 2 from it), and
bit 0 to do it. Only whole cache lines can be named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fractrain.host.board.cache_guard import CacheGuard
from fractrain.host.board.system import SharedMemory, System
from fractrain.hw.contract.errors import DataError, MachineError, MissingToolError, ParameterError

__all__ = ["BufferPlace", "DmaBuffer", "find_buffer"]

CLASSES = ("/sys/class/u-dma-buf", "/sys/class/udmabuf")
"""Folders of the module's class, also in versions before 3.0."""

BUFFER_NAME = "udmabuf-fractrain"
NAME_VARIABLE = "FRACTRAIN_UDMABUF"
LINE_BYTES = 64
"""Twice a line of the Cortex-A9's caches and of the PL310 behind them, which have 32."""

PAGE_BYTES = 4096
TO_DEVICE, FROM_DEVICE = 1, 2
UNCACHED_MODE = 1
"""Strongly ordered, so that START cannot overtake earlier writes. (2 and 3 combine writes and would
need a barrier, which Python lacks.)"""

LARGEST_MODE = 3
"""Bit 2 maps as if every file were opened with O_SYNC (SYNC_ALWAYS of u-dma-buf.c): accesses meant
for the caches would go past them, where an unaligned one ends in a bus error."""


@dataclass(frozen=True)
class BufferPlace:
    """A u-dma-buf: its attributes' folder, its device, where it is in memory, and its modes."""

    folder: str
    device: str
    address: int
    size: int
    sync_mode: int


def find_buffer(system: System) -> BufferPlace:
    """The u-dma-buf named by ``FRACTRAIN_UDMABUF``, else the one of our device tree.

    Raises `MissingToolError` if there is none, `DataError` if it cannot serve.
    """
    name = system.environment.get(NAME_VARIABLE) or BUFFER_NAME
    found = [each for each in CLASSES if system.exists(f"{each}/{name}")]
    if not found:
        raise MissingToolError(_missing(system, name))
    folder = f"{found[0]}/{name}"
    address, size, mode = (_number(system, folder, each) for each in _ATTRIBUTES)
    if system.exists(f"{folder}/dma_coherent") and _number(system, folder, "dma_coherent"):
        raise DataError(
            f"{folder}/dma_coherent is 1: u-dma-buf then leaves the caches alone, but the HP ports "
            "are not coherent; remove dma-coherent from the buffer's node in the device tree"
        )
    if not 0 <= mode <= LARGEST_MODE:
        raise DataError(
            f"{folder}/sync_mode is {mode}, allowed are 0 to {LARGEST_MODE}: in higher modes "
            "u-dma-buf ignores O_SYNC, by which the driver maps through the caches or past them; "
            f"set sync-mode = <{UNCACHED_MODE}> in the buffer's node of the device tree"
        )
    if address % PAGE_BYTES or not PAGE_BYTES <= size <= (1 << 32) - address:
        raise DataError(
            f"{folder}: {size} bytes at 0x{address:X} is no range of whole pages below 4 GB"
        )
    return BufferPlace(folder, f"/dev/{name}", address, size // PAGE_BYTES * PAGE_BYTES, mode)


_ATTRIBUTES = ("phys_addr", "size", "sync_mode")


def _missing(system: System, name: str) -> str:
    present = [path.rpartition("/")[2] for each in CLASSES for path in system.glob(f"{each}/*")]
    if present:
        return (
            f"no u-dma-buf is named {name}, there are {', '.join(present)}: give the buffer's node "
            f'device-name = "{BUFFER_NAME}" (board/zynq/system.dtsi), or set {NAME_VARIABLE} to '
            "one of them"
        )
    return (
        f"no buffer to share with the FPGA: {CLASSES[0]} is missing or empty; the module u-dma-buf "
        "must be loaded (modprobe u-dma-buf; docs/board.md says how to build it) and the device "
        f"tree must have the node of {name} (board/zynq/system.dtsi), with enough memory (cma=)"
    )


def _number(system: System, folder: str, name: str) -> int:
    try:
        return int(system.read_text(f"{folder}/{name}"), 0)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a number"
        raise DataError(f"cannot read {folder}/{name}: {reason}") from error


class DmaBuffer:
    """A mapped u-dma-buf; ``cached`` through the processor's caches, the default and the faster.

    ``data`` are its bytes, from physical address ``address`` on. If the buffer can also be mapped
    past the caches, a `CacheGuard` checks their maintenance.

    Raises `DataError` where rights are missing, `ParameterError` if it cannot be mapped uncached,
    `MachineError` if mapping fails otherwise.
    """

    def __init__(self, system: System, place: BufferPlace, *, cached: bool = True) -> None:
        self._system, self.place, self.cached = system, place, cached
        if not cached and place.sync_mode & 3 != UNCACHED_MODE:
            raise ParameterError(
                f"{place.folder}/sync_mode",
                place.sync_mode,
                f"{UNCACHED_MODE} for a mapping past the caches (sync-mode in the device tree)",
            )
        self._memory = self._map(cached)
        self._staged = np.zeros(0, np.uint8)
        self._past: SharedMemory | None = None
        self._guard: CacheGuard | None = None
        if cached and place.sync_mode & 3 == UNCACHED_MODE:
            self._past = self._map(False)
            self._guard = CacheGuard(self._memory.data, self._past.data)

    def _map(self, cached: bool) -> SharedMemory:
        place = self.place
        try:
            return self._system.map_buffer(place.device, place.size, cached=cached)
        except PermissionError as error:
            raise DataError(
                f"no permission to open {place.device}: run as root, or give your group the right "
                "by a rule of udev (board/zynq/install.sh installs one)"
            ) from error
        except FileNotFoundError as error:
            raise MissingToolError(
                f"{place.device} is missing although {place.folder} is there: udev must be running"
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise MachineError(
                f"cannot map {place.size} bytes of {place.device}: {reason}"
            ) from error

    @property
    def data(self) -> NDArray[np.uint8]:
        return self._memory.data

    @property
    def address(self) -> int:
        return self.place.address

    @property
    def size(self) -> int:
        return self.place.size

    def room(self, size: int) -> NDArray[np.uint8]:
        """The first ``size`` bytes, to be filled; the device sees them after `written`.

        For a buffer past the caches this is ordinary memory, which `written` copies in one go: the
        buffer takes no unaligned access, and filling it makes some.
        """
        if self.cached:
            return self.data[:size]
        if len(self._staged) < size:
            self._staged = np.zeros(size, np.uint8)
        return self._staged[:size]

    def write(self, image: NDArray[np.uint8]) -> None:
        """Put ``image`` at the beginning of the buffer, where the device sees it from now on.

        Raises as `written` does.
        """
        self.room(len(image))[:] = image
        self.written(len(image))

    def written(self, size: int) -> None:
        """Make the filled `room` of ``size`` visible to the device.

        Raises `StaleCaches` if memory differs afterwards.
        """
        if not self.cached:
            self.data[:size] = self._staged[:size]
        if self._guard is None:
            self.for_device(0, size)
            return
        self._guard.write(size)
        self.for_device(0, self._guard.reach(size))
        self._guard.check_written(size)

    def read(self, size: int) -> NDArray[np.uint8]:
        """The first ``size`` bytes as the device has left them; valid until the next `room`.

        For a buffer past the caches this is a copy, made in one go: the buffer takes no unaligned
        access, and unpacking results makes some. Raises `StaleCaches` if the processor sees other
        data than memory has.
        """
        if self._guard is None:
            self.for_processor(0, size)
        else:
            self._guard.arrive(size)
            self.for_processor(0, self._guard.reach(size))
            self._guard.check_read(size)
        return self.data[:size] if self.cached else self.data[:size].copy()

    def share(self, first: int, size: int) -> None:
        """Make what the processor has written to ``size`` bytes of ``data`` from ``first`` on
        visible to the device, also while that works on others.

        The device must write to none of their cache lines, of `LINE_BYTES`, meanwhile. Raises
        `StaleCaches` if memory differs afterwards.
        """
        self.for_device(first, size)
        if self._guard is not None and size:
            self._guard.check_shared(first, size)

    def refresh(self, first: int, size: int) -> None:
        """Make what the device has written there visible to the processor, which must have written
        to none of their cache lines since `share`.

        Raises `StaleCaches` if the processor sees other data than memory has.
        """
        self.for_processor(first, size)
        if self._guard is not None and size:
            self._guard.check_refreshed(first, size)

    def for_device(self, offset: int, size: int) -> None:
        """Write the caches' lines of these bytes back to memory."""
        self._sync("sync_for_device", offset, size, TO_DEVICE)

    def for_processor(self, offset: int, size: int) -> None:
        """Drop the caches' lines of these bytes, so that reads come from memory."""
        self._sync("sync_for_cpu", offset, size, FROM_DEVICE)

    def _sync(self, attribute: str, offset: int, size: int, direction: int) -> None:
        if not self.cached or not size:
            return
        first = offset // LINE_BYTES * LINE_BYTES
        last = min(-(-(offset + size) // LINE_BYTES) * LINE_BYTES, self.size)
        if not 0 <= offset <= offset + size <= self.size:
            raise ParameterError("bytes of the buffer", (offset, size), f"within {self.size}")
        path = f"{self.place.folder}/{attribute}"
        command = first << 32 | (last - first) & 0xFFFF_FFF0 | direction << 2 | 1
        try:
            self._system.write_text(path, f"0x{command:016X}")
        except PermissionError as error:
            raise DataError(
                f"no permission to write {path}: run as root, or give your group the right "
                "(board/zynq/install.sh installs a rule of udev for it)"
            ) from error
        except OSError as error:
            raise MachineError(f"cannot write 0x{command:016X} to {path}: {error}") from error

    def close(self) -> None:
        """Unmap it; closing twice is no error."""
        self._guard = None
        for mapping in (self._past, self._memory):
            if mapping is not None:
                mapping.close()
