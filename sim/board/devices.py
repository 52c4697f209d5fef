"""The UIO device of a simulated board, as the driver maps it: registers and interrupt."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection

from fractrain.hw.contract.registers import BUILD_HASH, CONTROL, ID, START, WINDOW_FIRST
from fractrain.sim.board.buffer import SharedBuffer
from fractrain.sim.board.fpga import Fpga

__all__ = ["UioDevice"]

STUCK_BIT = 1 << 7


class Registers:
    """The machine's registers, an access of GP0 each."""

    def __init__(self, fpga: Fpga, injected: Collection[str]) -> None:
        self._fpga, self._injected = fpga, injected

    def read(self, index: int) -> int:
        self._fpga.require_answer()
        value = self._fpga.engine.read_register(index)
        if index == ID.address and "wrong-id" in self._injected:
            return 0x0BAD_F00D
        if index == BUILD_HASH.address and "wrong-hash" in self._injected:
            return value ^ 0xFFFF_FFFF
        if index == WINDOW_FIRST.address and "stuck-bit" in self._injected:
            return value & ~STUCK_BIT
        return value

    def write(self, index: int, value: int) -> None:
        self._fpga.require_answer()
        self._fpga.engine.write_register(index, value)
        if index == CONTROL.address and START.extract(value):
            self._fpga.started()

    def close(self) -> None:
        """Nothing is held."""


class UioDevice:
    """``/dev/uio0`` with uio_pdrv_genirq: an interrupt counts, and is masked until `enable`.

    Calls ``closed`` when the device is closed.
    """

    def __init__(
        self,
        fpga: Fpga,
        buffer: SharedBuffer,
        injected: Collection[str],
        closed: Callable[[], None],
    ) -> None:
        self._fpga, self._buffer = fpga, buffer
        self._injected, self._closed = injected, closed
        self.words = Registers(fpga, injected)
        self._masked = False
        self._counted = False

    def enable(self) -> None:
        if "no-uio-interrupt" in self._injected:
            raise OSError(errno.EIO, os.strerror(errno.EIO), "/dev/uio0")
        self._masked = False
        self._sample()

    def wait(self, timeout_s: float) -> bool:
        self._sample()
        if not self._counted and timeout_s > 0:
            listening = not self._masked and "no-interrupt" not in self._injected
            self._fpga.pass_time(timeout_s, stop_at_interrupt=listening)
            self._buffer.evict()
            self._sample()
        came, self._counted = self._counted, False
        return came

    def _sample(self) -> None:
        """The interrupt controller looks at the line."""
        line = self._fpga.engine.advance(0, until_interrupt=False)
        if line and not self._masked and "no-interrupt" not in self._injected:
            self._masked = self._counted = True

    def close(self) -> None:
        self._closed()
