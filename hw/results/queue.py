"""The queue between the array, which cannot wait, and everything that may have to."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from hw.contract.parameters import Parameters
from hw.results.layouts import SUM_BITS, array_beat, excess_bits
from hw.shared_module import SharedModule

__all__ = ["FIFO_SLACK", "BeatQueue", "QueuePart"]

FIFO_SLACK = 1
"""Room beyond the items inside that Amaranth's buffered FIFO needs to take one in every cycle: its
output register counts as a place, but is filled from the others only a cycle later."""


class QueuePart(wiring.Component):
    """First in, first out: ``width`` bits, ``depth`` items.

    Members
    -------
    write, write_data : In       only while fewer than ``depth`` items are inside
    readable, read_data : Out    the oldest item
    read : In(1)                 take it (only while ``readable``)
    clear : In(1)                forget all items

    Timing: an item is readable two cycles after it was written.
    """

    def __init__(self, width: int, depth: int):
        self.width, self.depth = width, depth
        super().__init__(
            {
                "write": In(1),
                "write_data": In(width),
                "readable": Out(1),
                "read_data": Out(width),
                "read": In(1),
                "clear": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fifo = SyncFIFOBuffered(width=self.width, depth=self.depth + FIFO_SLACK)
        m.submodules.fifo = ResetInserter(self.clear)(fifo)
        m.d.comb += [
            fifo.w_en.eq(self.write),
            fifo.w_data.eq(self.write_data),
            self.readable.eq(fifo.r_rdy),
            self.read_data.eq(fifo.r_data),
            fifo.r_en.eq(self.read),
        ]
        return m


class BeatQueue(wiring.Component):
    """Holds the beats of ``queues.result_tiles`` tiles, without the absent planes' zero bits.

    With ``spatial_bits`` > 1 a result carries the absent planes of both operands as zero low
    bits; it is shifted right by that number on its way in, exactly.

    Members
    -------
    admit : In(1), excess : In    a last pass is issued, with its count of absent planes
    beats : In(`array_beat`)      from the array
    available : Out(1)            there is a beat that is not claimed yet
    claim : In(1)                 claim it (only while ``available``)
    read : In(1)                  take the oldest claimed beat: two cycles after the claim at the
                                  earliest, when it is sure to be at ``data``
    data : Out                    the oldest beat
    clear : In(1)                 forget all beats

    Timing: a beat is ``available`` in the cycle after the array gave it, one later with
    ``spatial_bits`` > 1. Claims and reads: one per cycle.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        layout = array_beat(parameters)
        super().__init__(
            {
                "admit": In(1),
                "excess": In(excess_bits(parameters)),
                "beats": In(layout),
                "available": Out(1),
                "claim": In(1),
                "read": In(1),
                "data": Out(layout["data"].shape),
                "clear": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parameters = self.parameters
        beat = self._aligned(m) if parameters.array.spatial_bits > 1 else self.beats
        places = parameters.queues.result_tiles * parameters.beats_per_tile
        unclaimed = Signal(range(places + 1))
        # ``available`` is a register: the way from the port's ready to the claim is long
        with m.If(beat.valid & ~self.claim):
            m.d.sync += [unclaimed.eq(unclaimed + 1), self.available.eq(1)]
        with m.Elif(~beat.valid & self.claim):
            m.d.sync += [unclaimed.eq(unclaimed - 1), self.available.eq(unclaimed != 1)]
        self._connect_parts(m, beat, places)
        return m

    def _connect_parts(self, m: Module, beat: data.View, places: int) -> None:
        """Parts in lockstep, each with pointers of its own: one set could not drive them all."""
        width = self.parameters.array.cluster_rows * SUM_BITS
        for number in range(self.parameters.results_per_beat * SUM_BITS // width):
            part = SharedModule(QueuePart(width, places), f"result_queue_{width}x{places}")
            m.submodules[f"part_{number}"] = part
            bits = slice(number * width, (number + 1) * width)
            m.d.comb += [
                part.write.eq(beat.valid),
                part.write_data.eq(beat.data.as_value()[bits]),
                part.clear.eq(self.clear),
                part.read.eq(self.read),
                self.data.as_value()[bits].eq(part.read_data),
            ]

    def _aligned(self, m: Module) -> data.View:
        """The beats, each shifted right by its tile's ``excess``."""
        m.submodules.excesses = excesses = SyncFIFOBuffered(
            width=len(self.excess), depth=self.parameters.queues.result_tiles + FIFO_SLACK
        )
        aligned = Signal.like(self.beats)
        values = Signal.like(self.beats.data.as_value(), reset_less=True)
        m.d.comb += [
            excesses.w_data.eq(self.excess),
            excesses.w_en.eq(self.admit),
            excesses.r_en.eq(self.beats.valid & self.beats.last),
        ]
        m.d.sync += [aligned.valid.eq(self.beats.valid), aligned.last.eq(self.beats.last)]
        with m.If(self.beats.valid):
            m.d.sync += values.eq(Cat(value >> excesses.r_data for value in self.beats.data))
        m.d.comb += aligned.data.eq(values)
        return aligned
