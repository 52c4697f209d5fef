"""Amaranth's buffered FIFO with an attribute for its RAM."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.fifo import SyncFIFOBuffered

from fractrain.hw.flow.ram_style import ram_style

__all__ = ["Fifo"]


class Fifo(SyncFIFOBuffered):
    """`SyncFIFOBuffered` in the RAM that suits its depth."""

    def elaborate(self, platform: Any) -> Module:
        m: Module = super().elaborate(platform)
        if self.depth > 1:
            m.submodules.storage.attrs.update(ram_style(self.depth - 1))
        return m
