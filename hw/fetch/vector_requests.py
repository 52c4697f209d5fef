"""Which words of memory a command needs, of a machine with a vector unit."""

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.kinds import kind_task
from fractrain.hw.fetch.nest import PARTS, read_nest, read_nest_of
from fractrain.hw.fetch.requests import word_shift
from fractrain.hw.flow.expander import Expander
from fractrain.hw.flow.layouts import ADDRESS_BITS, WORDS_BITS, read_request
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["VectorRequests"]


class VectorRequests(wiring.Component):
    """For every read of a command (`read_nest`), a request: `LoadRequests` for all commands of the
    fetch stage.

    Members
    -------
    tasks : In(stream of `kind_task`)    a skipped one, and a MOVE, makes no request
    requests : Out(stream of `read_request`)
    halt : In(1)                          make no more requests: two at most are still offered

    Timing: a request per cycle, ``latency_cycles`` after its task, without a gap between tasks.
    Addresses beyond 32 bits do not wrap: such a request reaches beyond the end of the address
    space, and the reader refuses it.
    """

    LOOPS = 3
    latency_cycles = 1 + LOOPS * (Expander.latency_cycles + StreamRegister.latency_cycles)

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.shift = word_shift(parameters)
        nest = read_nest(parameters).members
        self.outer = data.StructLayout({k: v for k, v in nest.items() if k != "outer"})
        common = {name: nest[name] for name in ("skip", "index", "byte", "address")}
        inner = {name: nest[name] for name in ("planes", "plane_stride", "masked")}
        size = {"words": WORDS_BITS}
        self.pieces = data.StructLayout(
            {
                **common,
                **inner,
                **size,
                "step": nest["step"],
                "rest": WORDS_BITS,
                "mask_offset": nest["address"],
            }
        )
        self.planes = data.StructLayout(
            {
                **common,
                **size,
                "plane_stride": nest["plane_stride"],
                "masked": 1,
                "mask_address": nest["address"],
            }
        )
        inside = ADDRESS_BITS - self.shift
        self.found = data.StructLayout(
            {
                "byte": self.shift,
                "address": inside,
                "words": WORDS_BITS,
                "index": INDEX_BITS,
                "beyond": 1,
            }
        )
        super().__init__(
            {
                "tasks": In(stream.Signature(kind_task(parameters))),
                "requests": Out(stream.Signature(read_request())),
                "halt": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        nest = read_nest(self.parameters)
        outer = Expander(self.outer, nest["outer"].width, {"address": "outer_stride"})
        pieces = Expander(self.pieces, nest["pieces"].width, {"address": "step"})
        planes = Expander(self.planes, nest["planes"].width, {"address": "plane_stride"})
        entry = StreamRegister(nest)
        outer_done = StreamRegister(pieces.i.payload.shape())
        pieces_done = StreamRegister(planes.i.payload.shape())
        leaving = StreamRegister(self.found)
        for name, part in (
            ("entry", entry),
            ("outer", outer),
            ("outer_done", outer_done),
            ("pieces", pieces),
            ("pieces_done", pieces_done),
            ("planes", planes),
            ("exit", leaving),
        ):
            m.submodules[name] = part
        self._enter(m, entry, outer)
        self._begin_pieces(m, outer, outer_done)
        wiring.connect(m, outer_done.o, pieces.i)
        self._begin_planes(m, pieces, pieces_done)
        wiring.connect(m, pieces_done.o, planes.i)
        self._leave(m, planes, leaving)
        return m

    def _enter(self, m: Module, entry: StreamRegister, outer: Expander) -> None:
        for name, value in read_nest_of(self.tasks.payload, self.parameters).items():
            if isinstance(value, list):
                for part, each in enumerate(value):
                    m.d.comb += entry.i.payload[name][part].eq(each)
            else:
                m.d.comb += entry.i.payload[name].eq(value)
        nest, item = entry.o.payload, outer.i.payload.item
        m.d.comb += [
            entry.i.valid.eq(self.tasks.valid),
            self.tasks.ready.eq(entry.i.ready),
            *(item[name].eq(nest[name]) for name in self.outer.members),
            outer.i.payload.count.eq(nest.outer),
            outer.i.valid.eq(entry.o.valid),
            entry.o.ready.eq(outer.i.ready),
        ]

    def _begin_pieces(self, m: Module, outer: Expander, done: StreamRegister) -> None:
        source, piece = outer.o.payload.item, done.i.payload.item
        for name in self.pieces.members:
            if name != "mask_offset":
                m.d.comb += piece[name].eq(source[name])
        m.d.comb += [
            piece.mask_offset.eq(sum((source.mask_offset[part] for part in range(PARTS)), start=0)),
            done.i.payload.count.eq(source.pieces),
            done.i.valid.eq(outer.o.valid),
            outer.o.ready.eq(done.i.ready),
        ]

    def _begin_planes(self, m: Module, pieces: Expander, done: StreamRegister) -> None:
        source, plane = pieces.o.payload.item, done.i.payload.item
        for name in ("skip", "index", "byte", "address", "plane_stride", "masked"):
            m.d.comb += plane[name].eq(source[name])
        m.d.comb += [
            plane.words.eq(Mux(pieces.o.payload.last, source.rest, source.words)),
            plane.mask_address.eq(source.address + source.mask_offset),
            done.i.payload.count.eq(source.planes),
            done.i.valid.eq(pieces.o.valid),
            pieces.o.ready.eq(done.i.ready),
        ]

    def _leave(self, m: Module, planes: Expander, leaving: StreamRegister) -> None:
        """Skipped tasks end here. ``beyond`` is found before the register, used behind it."""
        inside = ADDRESS_BITS - self.shift
        item, request, beyond = planes.o.payload.item, leaving.o.payload, leaving.o.payload.beyond
        of_mask = item.masked & planes.o.payload.last
        address = Mux(of_mask, item.mask_address, item.address)
        m.d.comb += [
            leaving.i.valid.eq(planes.o.valid & ~item.skip & ~self.halt),
            planes.o.ready.eq((leaving.i.ready | item.skip) & ~self.halt),
            leaving.i.payload.byte.eq(item.byte),
            leaving.i.payload.address.eq(address),
            leaving.i.payload.index.eq(item.index),
            leaving.i.payload.words.eq(item.words),
            leaving.i.payload.beyond.eq(address[inside:].any()),
            self.requests.payload.address.eq(
                Cat(request.byte, request.address | beyond.replicate(inside))
            ),
            self.requests.payload.words.eq(request.words | beyond.replicate(WORDS_BITS)),
            self.requests.payload.index.eq(request.index),
            self.requests.valid.eq(leaving.o.valid),
            leaving.o.ready.eq(self.requests.ready),
        ]
