"""The random bytes of weights, in the order of the weights."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import FIELDS, Opcode
from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.random_bits import WORD_PIXELS
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.vector.random_bytes import counter_layout
from fractrain.hw.vector.update_layouts import PLACE_BITS, half_block

__all__ = ["WeightBytes"]

_FIELDS = FIELDS[Opcode.UPDATE]
GROUP_PLACE = WORD_PIXELS.bit_length() - 1
"""Bits of a pixel's number within the bytes of a counter."""


class WeightBytes(wiring.Component):
    """u of the weights of half-blocks, filter by filter, ``lanes`` channels at a time: of image 0,
    channel ``filter_group * C + f`` and pixel ``place + c * taps`` (`hw.contract.random_bits`).

    Members
    -------
    halves : In(stream of `half_block`)
    filter_group, taps : In     while there are any
    counters : Out(stream of `counter_layout`), random_valid : In(1), random : In(ArrayLayout(8,
                            32))    of a `RandomBytes` that has the key
    o : Out(stream of ArrayLayout(8, lanes))

    Timing: a channel of two filters a cycle, so two bytes; counters run ahead by `COUNTERS`.
    A filter's pixels are ``taps`` apart, so they are in groups of 32 that follow each other, as
    ``taps`` is less than 32.
    """

    COUNTERS = 16

    def __init__(self, parameters: Parameters, lanes: int) -> None:
        self.parameters, self.lanes = parameters, lanes
        self.channels = parameters.block.channels
        super().__init__(
            {
                "halves": In(stream.Signature(half_block(parameters))),
                "filter_group": In(_FIELDS["filter_group"].width),
                "taps": In(_FIELDS["taps"].width),
                "counters": Out(stream.Signature(counter_layout())),
                "random_valid": In(1),
                "random": In(data.ArrayLayout(RANDOM_BITS, WORD_PIXELS)),
                "o": Out(stream.Signature(data.ArrayLayout(RANDOM_BITS, lanes))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # a half-block waits here from its first counter on
        m.submodules.begun = begun = StreamRegister(PLACE_BITS)
        words = data.ArrayLayout(RANDOM_BITS, WORD_PIXELS)
        m.submodules.even = even = Fifo(words, self.COUNTERS + Fifo.SLACK)
        m.submodules.odd = odd = Fifo(words, self.COUNTERS + Fifo.SLACK)
        used = Signal()
        self._count(m, begun, used)
        second = Signal()
        m.d.sync += second.eq(self.random_valid & ~second)
        m.d.comb += [
            even.w_en.eq(self.random_valid & ~second),
            odd.w_en.eq(second),
            even.w_data.eq(self.random),
            odd.w_data.eq(self.random),
            even.r_en.eq(used),
            odd.r_en.eq(used),
        ]
        self._pick(m, begun, even, odd, used)
        return m

    def _count(self, m: Module, begun: StreamRegister, used: Value) -> None:
        """Counters of each pair of filters: of the groups that its pixels are in."""
        half, counter = self.halves.payload, self.counters.payload
        busy = Signal()
        first, last, group = (
            Signal(PLACE_BITS - GROUP_PLACE, name=name) for name in ("first", "last", "group")
        )
        pair = Signal(range(self.channels // 2))
        left = Signal(range(self.COUNTERS + 1), init=self.COUNTERS)
        starts, goes = Signal(), Signal()
        m.d.comb += [
            self.halves.ready.eq(~busy & begun.i.ready),
            starts.eq(self.halves.valid & self.halves.ready),
            begun.i.valid.eq(starts),
            begun.i.payload.eq(half.place),
            self.counters.valid.eq(busy & (left != 0)),
            goes.eq(self.counters.valid & self.counters.ready),
            counter.image.eq(0),
            counter.pair.eq(Cat(pair, self.filter_group)),
            counter.group.eq(group),
        ]
        m.d.sync += left.eq(left - goes + used)
        with m.If(starts):
            reach = half.place + self.taps * (self.channels - 1)
            m.d.sync += [
                busy.eq(1),
                pair.eq(0),
                first.eq(half.place >> GROUP_PLACE),
                group.eq(half.place >> GROUP_PLACE),
                last.eq(reach >> GROUP_PLACE),
            ]
        with m.Elif(goes):
            m.d.sync += group.eq(group + 1)
            with m.If(group == last):
                m.d.sync += [
                    group.eq(first),
                    pair.eq(pair + 1),
                    busy.eq(pair != self.channels // 2 - 1),
                ]

    def _pick(self, m: Module, begun: StreamRegister, even: Fifo, odd: Fifo, used: Value) -> None:
        """A byte of either filter for each channel; then both filters' bytes leave."""
        row = self.channels * RANDOM_BITS
        rows = [Signal(row, name=f"row_{name}", reset_less=True) for name in ("even", "odd")]
        place, channel = Signal(PLACE_BITS), Signal(range(self.channels))
        pair, full = Signal(range(self.channels // 2)), Signal()
        picks, running = Signal(), Signal()
        leaves, out_left = Signal(), Signal(range(2 * self.channels // self.lanes + 1))
        at_last = channel == self.channels - 1
        following = place + self.taps
        m.d.comb += [
            picks.eq(running & odd.r_rdy & even.r_rdy & ~full),
            used.eq(picks & (at_last | (following[GROUP_PLACE:] != place[GROUP_PLACE:]))),
            begun.o.ready.eq(picks & at_last & (pair == self.channels // 2 - 1)),
            leaves.eq(full & (out_left == 0)),
        ]
        with m.If(~running):
            m.d.sync += [
                place.eq(begun.o.payload),
                channel.eq(0),
                pair.eq(0),
                running.eq(begun.o.valid),
            ]
        with m.Elif(picks):
            m.d.sync += [
                place.eq(Mux(at_last, begun.o.payload, following)),
                channel.eq(Mux(at_last, 0, channel + 1)),
                pair.eq(pair + at_last),
                running.eq(~begun.o.ready),
            ]
        with m.If(picks):
            for word, fifo in zip(rows, (even, odd), strict=True):
                byte = fifo.head[place[:GROUP_PLACE]]
                m.d.sync += word.eq(Cat(word[RANDOM_BITS:], byte))
        with m.If(picks & at_last):
            m.d.sync += full.eq(1)
        with m.Elif(leaves):
            m.d.sync += full.eq(0)
        size = self.lanes * RANDOM_BITS
        out = Signal(2 * row, reset_less=True)
        m.d.comb += [self.o.valid.eq(out_left != 0), self.o.payload.eq(out[:size])]
        with m.If(leaves):
            m.d.sync += [out.eq(Cat(rows)), out_left.eq(2 * self.channels // self.lanes)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [out.eq(out >> size), out_left.eq(out_left - 1)]
