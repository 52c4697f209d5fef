"""What the target device has."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["XC7Z045", "Device"]


@dataclass(frozen=True)
class Device:
    """Resources of an FPGA; ``memory_luts`` are those of its LUTs that can be memory."""

    name: str
    luts: int
    flip_flops: int
    dsps: int
    bram36: int
    memory_luts: int


XC7Z045 = Device(
    "XC7Z045", luts=218_600, flip_flops=437_200, dsps=900, bram36=545, memory_luts=70_400
)
"""The device of the ZC706 (AMD DS190)."""
