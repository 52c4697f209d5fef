"""Everything `host.board` needs of the operating system: one protocol, two systems.

`host.board.linux.LinuxSystem` is the real one. In ``sim.board`` registers are the generated RTL, so
driver and bring-up run without a board.

Paths are absolute, as on the board (``/sys/class/uio``). Methods raise `OSError` as the operating
system does; the calling module turns it into an error that says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fractrain.host.driver import Words

__all__ = ["LOCAL", "SIMULATED", "MappedWords", "SharedMemory", "System", "UioDevice"]

LOCAL, SIMULATED = "local", "simulated"
"""Which system, as ``--device`` has it: this computer is the board, or a simulated one."""


class MappedWords(Words, Protocol):
    """Registers that are mapped: word ``n`` is at byte ``4 * n`` of the mapping."""

    def close(self) -> None:
        """Unmap; closing twice is no error."""


class UioDevice(Protocol):
    """An open UIO device, locked for this process: its registers and its interrupt."""

    @property
    def words(self) -> MappedWords:
        """The registers; nothing is accessed before the first read or write."""

    def enable(self) -> None:
        """Let the next interrupt through: the kernel masks it each time it comes."""

    def wait(self, timeout_s: float) -> bool:
        """Whether an interrupt came since the last call, or comes within ``timeout_s`` seconds.

        Never waits longer.
        """

    def close(self) -> None:
        """Unmap and release the device; closing twice is no error."""


class SharedMemory(Protocol):
    """A buffer shared by processor and FPGA."""

    @property
    def data(self) -> NDArray[np.uint8]:
        """Its bytes."""

    def close(self) -> None:
        """Unmap; ``data`` must not be used any more. Closing twice is no error."""


class System(Protocol):
    """The operating system of a board.

    root : the folder that all paths are below, ``/`` on the board
    environment : variables that steer the driver (``FRACTRAIN_BITSTREAM``, ``FRACTRAIN_UDMABUF``)
    simulated : whether its time is simulated
    """

    root: Path
    environment: Mapping[str, str]
    simulated: bool

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""

    def read_text(self, path: str) -> str:
        """The content of a file, stripped."""

    def read_bytes(self, path: str) -> bytes:
        """The content of a file."""

    def write_text(self, path: str, text: str) -> None:
        """Write ``text`` to a file that is there, in one write as attributes of sysfs need it."""

    def replace_text(self, path: str, text: str) -> None:
        """Make a plain file that holds ``text``, and the folder that it is in."""

    def remove(self, path: str) -> None:
        """Remove a plain file; that there is none is no error."""

    def glob(self, pattern: str) -> list[str]:
        """The paths that match, sorted."""

    def open_uio(self, path: str, offset: int, size: int) -> UioDevice:
        """Open ``/dev/uioN`` and map ``size`` bytes of its first region from ``offset`` on.

        Raises `BlockingIOError` while another process has it. No register is accessed.
        """

    def map_physical(self, address: int, size: int) -> MappedWords:
        """Map registers at a physical address (a multiple of 4096) through ``/dev/mem``."""

    def map_buffer(self, path: str, size: int, *, cached: bool) -> SharedMemory:
        """Map a u-dma-buf, through the processor's caches or past them (``O_SYNC``)."""

    def now(self) -> float:
        """Seconds of a clock that only goes forward."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
