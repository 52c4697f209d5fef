"""The queue behind the array, which cannot wait."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import array_beat, excess_bits
from fractrain.hw.flow.ram_style import SHALLOW, ram_style
from fractrain.hw.shared_module import SharedModule

__all__ = ["BeatQueue", "QueuePart"]


class QueuePart(wiring.Component):
    """First in, first out: ``width`` bits, ``depth`` items.

    Not Amaranth's FIFO: the parts of a beat share one count of items, which `BeatQueue` has, and
    an item stays at the output until the next step.

    Members
    -------
    write, write_data : In       only while fewer than ``depth`` items are inside
    step, wanted : In(1)         with both, the oldest item leaves: it is at ``data`` from the next
                                 cycle on, until the next ``step``; with ``step`` alone ``data``
                                 becomes 0
    data : Out(width)
    clear : In(1)                forget all items

    Timing: an item may leave in the cycle after it was written. The user keeps count of the items.
    """

    def __init__(self, width: int, depth: int):
        self.width, self.depth = width, depth
        super().__init__(
            {
                "write": In(1),
                "write_data": In(width),
                "step": In(1),
                "wanted": In(1),
                "data": Out(width),
                "clear": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.width, depth=self.depth, init=[], attrs=ram_style(self.depth)
        )
        write = memory.write_port()
        read = memory.read_port(domain="comb" if self.depth <= SHALLOW else "sync")
        leaves = self.step & self.wanted
        m.d.comb += [write.en.eq(self.write), write.data.eq(self.write_data)]
        shown = Signal(reset_less=True)  # what is at ``data`` is an item
        with m.If(self.step):
            m.d.sync += shown.eq(self.wanted)
        if self.depth <= SHALLOW:
            word = Signal(self.width, reset_less=True)
            # what is 0 stays: so a part has a gate of its own, and ``step`` does not drive all bits
            with m.If(self.step & (self.wanted | shown)):
                m.d.sync += word.eq(Mux(self.wanted, read.data, 0))
            m.d.comb += self.data.eq(word)
        else:
            m.d.comb += [read.en.eq(leaves), self.data.eq(Mux(shown, read.data, 0))]
        for port, moves in ((write, self.write), (read, leaves)):
            last = port.addr == self.depth - 1
            pointer = Signal(range(self.depth))
            m.d.comb += port.addr.eq(pointer)
            with m.If(moves):
                m.d.sync += pointer.eq(Mux(last, 0, pointer + 1))
            with m.If(self.clear):
                m.d.sync += pointer.eq(0)
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
    step, wanted : In(1)          with both, the oldest claimed beat leaves: it is at ``data`` from
                                  the next cycle on, until the next ``step``; with ``step`` alone
                                  ``data`` becomes 0
    data : Out
    clear : In(1)                 forget all beats; reset the rest with it

    Timing: a beat is ``available`` `latency_cycles` after the array gave it. One claim and one beat
    out per cycle.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        layout = array_beat(parameters.array)
        super().__init__(
            {
                "admit": In(1),
                "excess": In(excess_bits(parameters)),
                "beats": In(layout),
                "available": Out(1),
                "claim": In(1),
                "step": In(1),
                "wanted": In(1),
                "data": Out(layout["data"].shape),
                "clear": In(1),
            }
        )

    @property
    def latency_cycles(self) -> int:
        """From the array's beat to ``available``."""
        return 1 + (self.parameters.array.spatial_bits > 1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parameters = self.parameters
        beat = self._aligned(m) if parameters.array.spatial_bits > 1 else self.beats
        places = parameters.queues.result_tiles * parameters.beats_per_tile
        unclaimed = Signal(places)  # a 1 for each: ``claim`` comes late, no carry may follow
        m.d.comb += self.available.eq(unclaimed[0])
        with m.If(beat.valid & ~self.claim):
            m.d.sync += unclaimed.eq(Cat(1, unclaimed))
        with m.Elif(~beat.valid & self.claim):
            m.d.sync += unclaimed.eq(unclaimed >> 1)
        self._connect_parts(m, beat, places)
        return m

    def _connect_parts(self, m: Module, beat: data.View, places: int) -> None:
        """Parts in lockstep, each with its own pointers: one set could not drive them all."""
        width = self.parameters.array.cluster_rows * SUM_BITS
        for number in range(self.parameters.results_per_beat * SUM_BITS // width):
            part = SharedModule(QueuePart(width, places), f"result_queue_{width}x{places}")
            m.submodules[f"part_{number}"] = part
            bits = slice(number * width, (number + 1) * width)
            m.d.comb += [
                part.write.eq(beat.valid),
                part.write_data.eq(beat.data.as_value()[bits]),
                part.clear.eq(self.clear),
                part.step.eq(self.step),
                part.wanted.eq(self.wanted),
                self.data.as_value()[bits].eq(part.data),
            ]

    def _aligned(self, m: Module) -> data.View:
        """The beats, each shifted right by its tile's ``excess``."""
        m.submodules.excesses = excesses = Fifo(
            unsigned(len(self.excess)), self.parameters.queues.result_tiles + Fifo.SLACK
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
