"""The base of all compiled simulations: it opens, holds and closes a model."""

from __future__ import annotations

import ctypes
from types import TracebackType
from typing import Self

from fractrain.hw.contract.errors import MachineError


class Simulation:
    """A compiled model behind the functions ``machine_open`` and ``machine_close`` of its library.

    Use it in a ``with`` statement, or `close` it.
    """

    _handle: int | None = None
    _library: ctypes.CDLL

    def _open(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._handle = library.machine_open()

    def close(self) -> None:
        """Release the model and finish its waveform; closing twice is no error."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._library.machine_close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _open_handle(self) -> int:
        if self._handle is None:
            raise MachineError("the simulation is closed; open it again")
        return self._handle
