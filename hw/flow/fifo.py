"""Amaranth's buffered FIFO, for items of a layout and in a RAM that suits its depth."""

from typing import Any

from amaranth.hdl import Module, Shape
from amaranth.lib import data
from amaranth.lib.fifo import SyncFIFOBuffered

from fractrain.hw.flow.ram_style import ram_style

__all__ = ["Fifo"]


class Fifo(SyncFIFOBuffered):
    """`SyncFIFOBuffered` of ``depth`` places for items of ``layout``.

    ``w_stream`` and ``r_stream`` connect it as streams; ``head`` is the oldest item. It takes an
    item in every cycle as long as `SLACK` more places are there than items: the output register
    counts as a place, but is filled from the others only a cycle later.
    """

    SLACK = 1

    def __init__(self, layout: data.Layout | Shape, depth: int) -> None:
        self.layout = layout
        super().__init__(width=Shape.cast(layout).width, depth=depth)

    @property
    def head(self) -> Any:
        """The item at ``r_data``."""
        return (
            data.View(self.layout, self.r_data)
            if isinstance(self.layout, data.Layout)
            else (self.r_data)
        )

    def elaborate(self, platform: Any) -> Module:
        m: Module = super().elaborate(platform)
        if self.depth > 1:
            # Amaranth's memory does not say which RAM it wants
            m.submodules.storage.attrs.update(ram_style(self.depth - 1))
        return m
