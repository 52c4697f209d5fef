"""The devices of a simulated board, as the driver maps them: registers, interrupt, buffer."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fractrain.hw.contract.registers import BUILD_HASH, CONTROL, ID, RESET, START, WINDOW_FIRST

if TYPE_CHECKING:
    from fractrain.sim.board.board import SimulatedBoard

__all__ = ["MappedBuffer", "UioDevice"]

STUCK_BIT = 1 << 7


class Registers:
    """The machine's registers, an access of GP0 each."""

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board

    def read(self, index: int) -> int:
        self._board.require_answer()
        value = self._board.engine.read_register(index)
        injected = self._board.injected
        if index == ID.address and "wrong-id" in injected:
            return 0x0BAD_F00D
        if index == BUILD_HASH.address and "wrong-hash" in injected:
            return value ^ 0xFFFF_FFFF
        if index == WINDOW_FIRST.address and "stuck-bit" in injected:
            return value & ~STUCK_BIT
        return value

    def write(self, index: int, value: int) -> None:
        self._board.require_answer()
        if index == CONTROL.address and RESET.extract(value):
            self._board.engine.forget_offer()
        self._board.engine.write_register(index, value)
        if index == CONTROL.address and START.extract(value):
            self._board.started()

    def close(self) -> None:
        """Nothing is held."""


class UioDevice:
    """``/dev/uio0`` with uio_pdrv_genirq: an interrupt counts, and is masked until `enable`."""

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board
        self.words = Registers(board)
        self._masked = False
        self._counted = False

    def enable(self) -> None:
        if "no-uio-interrupt" in self._board.injected:
            raise OSError(errno.EIO, os.strerror(errno.EIO), "/dev/uio0")
        self._masked = False
        self._sample()

    def wait(self, timeout_s: float) -> bool:
        self._sample()
        if not self._counted and timeout_s > 0:
            listening = not self._masked and "no-interrupt" not in self._board.injected
            self._board.pass_time(timeout_s, stop_at_interrupt=listening)
            if self._board.caches is not None:
                self._board.caches.evict()
            self._sample()
        came, self._counted = self._counted, False
        return came

    def _sample(self) -> None:
        """The interrupt controller looks at the line."""
        line = self._board.engine.advance(0, until_interrupt=False)
        if line and not self._masked and "no-interrupt" not in self._board.injected:
            self._masked = self._counted = True

    def close(self) -> None:
        self._board.release()


class MappedBuffer:
    """A mapping of the u-dma-buf; ``closed`` is told when it is no more."""

    def __init__(self, data: NDArray[np.uint8], closed: Callable[[], None] = lambda: None) -> None:
        self.data, self._closed = data, closed

    def close(self) -> None:
        self.data = self.data[:0]
        closed, self._closed = self._closed, lambda: None
        closed()
