"""The window of memory that may be accessed."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.flow.layouts import ADDRESS_BITS

__all__ = ["Window"]


class Window(wiring.Component):
    """Bounds of the window, ready to compare with: ``first`` in bytes, and how many items from
    address 0 on do not end beyond the window.

    Members
    -------
    first_byte, last_byte : In(32)

    Timing: a change holds for comparisons from the second cycle after it on.
    """

    def __init__(self, shape: BurstShape):
        self.shape = shape
        super().__init__({"first_byte": In(ADDRESS_BITS), "last_byte": In(ADDRESS_BITS)})
        self.first = Signal(ADDRESS_BITS)
        self.items = Signal(ADDRESS_BITS + 1 - shape.item_bits)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += [
            self.first.eq(self.first_byte),
            self.items.eq((self.last_byte + 1) >> self.shape.item_bits),
        ]
        return m

    def below(self, address: Value) -> Value:
        """The byte ``address`` lies before the window."""
        return address < self.first

    def beyond(self, item: Value) -> Value:
        """The item number ``item``, counted from address 0, ends behind the window."""
        return item >= self.items

    def misaligned(self, address: Value) -> Value:
        return address[: self.shape.item_bits].any()
