"""The one failure of a board that no software survives."""

from __future__ import annotations

__all__ = ["BusHang"]


class BusHang(Exception):
    """An access that the FPGA would never answer: on the board the processor stands still now.

    Nothing catches it, so whatever lets the driver come here fails a test.
    """
