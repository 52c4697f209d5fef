"""The failure that no software survives: an access that hangs the processor."""

from __future__ import annotations

__all__ = ["BusHang"]


class BusHang(Exception):
    """An access that the FPGA would never answer: on a board, the processor now stands still.

    Nothing catches it, so a driver that gets here fails its test.
    """
