"""The check of every block before it is written."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.window import Window
from fractrain.hw.contract.commands import Fault
from fractrain.hw.flow.layouts import ADDRESS_BITS, write_block

__all__ = ["BlockCheck", "checked_block"]


def checked_block(shape: BurstShape) -> data.StructLayout:
    """A block that may be written, its address counted in blocks; ``follows``: that is one more
    than the address of the block before."""
    return data.StructLayout(
        {
            "valid": 1,
            "follows": 1,
            "address": shape.address_bits,
            "data": 8 * shape.item_bytes,
        }
    )


class BlockCheck(wiring.Component):
    """Passes on blocks that are aligned and inside the window; stops at the first that is not.

    Members
    -------
    take : In(1), block : In(`write_block`)   a block is taken
    checked : Out(`checked_block`)            2 cycles later; it cannot wait
    empty : Out(1)
    window_first, window_last : In(32)    a change holds for blocks two cycles later
    failed : Out(1)                       for one cycle, with fault; no block is passed on after it
                                          until reset
    fault : Out(Fault)                    ALIGNMENT or WINDOW
    """

    LATENCY_CYCLES = 2

    def __init__(self, shape: BurstShape):
        self.shape = shape
        super().__init__(
            {
                "take": In(1),
                "block": In(write_block(8 * shape.item_bytes)),
                "checked": Out(checked_block(shape)),
                "empty": Out(1),
                "window_first": In(ADDRESS_BITS),
                "window_last": In(ADDRESS_BITS),
                "failed": Out(1),
                "fault": Out(Fault),
            }
        )
        self.window = Window(shape)
        self.held, self.valid = Signal(write_block(8 * shape.item_bytes)), Signal()
        self.successor = Signal(shape.address_bits)
        """The address behind the last block."""
        self.stopped = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.window = window = self.window
        held, valid, successor = self.held, self.valid, self.successor
        address = held.address[self.shape.item_bits :]
        misaligned, legal, stopped = Signal(), Signal(), self.stopped
        m.d.comb += [
            window.first_byte.eq(self.window_first),
            window.last_byte.eq(self.window_last),
            misaligned.eq(window.misaligned(held.address)),
            legal.eq(~misaligned & ~window.below(held.address) & ~window.beyond(address)),
            self.empty.eq(~valid & ~self.checked.valid),
        ]
        m.d.sync += [
            valid.eq(self.take),
            self.checked.valid.eq(valid & legal & ~stopped),
            self.failed.eq(valid & ~legal & ~stopped),
            self.fault.eq(Mux(misaligned, Fault.ALIGNMENT, Fault.WINDOW)),
            stopped.eq(stopped | (valid & ~legal)),
        ]
        with m.If(self.take):
            m.d.sync += held.eq(self.block)
        with m.If(valid):
            m.d.sync += [
                self.checked.address.eq(address),
                self.checked.data.eq(held.data),
                self.checked.follows.eq(address == successor),
                successor.eq(address + 1),
            ]
        return m
