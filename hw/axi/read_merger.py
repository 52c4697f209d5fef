"""Puts the words of all ports back into the order in which they were asked for."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.lut_queue import LutQueue
from fractrain.hw.flow.layouts import CLIENTS, client_bits

__all__ = ["ReadMerger", "granule_order", "read_word"]


def granule_order(shape: BurstShape, clients: int = CLIENTS) -> data.StructLayout:
    """What is to come from the next port: one word and ``more``."""
    return data.StructLayout({"more": shape.place_bits, "client": client_bits(clients)})


def read_word(shape: BurstShape, clients: int = CLIENTS) -> data.StructLayout:
    """A word of memory and who asked for it."""
    return data.StructLayout({"data": 8 * shape.item_bytes, "client": client_bits(clients)})


class ReadMerger(wiring.Component):
    """Takes each granule's words from the ports in turn.

    Members
    -------
    order : In(stream of `granule_order`)
    ready, bad, word : In, per port    its oldest word
    take : Out(1), per port
    done : Out(ports)                  the last word of a granule of this port is taken
    words : Out(stream of `read_word`)
    client : Out                       the client of the next word
    failed : Out(1), failed_client : Out    the next word is bad; nothing follows

    Timing: one cycle; one word per cycle.
    """

    WORDS_WAITING = 4
    """Words between the ports and the output, so that neither handshake depends on the other
    within a cycle."""

    def __init__(self, shape: BurstShape, ports: int, clients: int = CLIENTS):
        self.shape, self.ports = shape, ports
        self.layout = read_word(shape, clients)
        super().__init__(
            {
                "order": In(stream.Signature(granule_order(shape, clients))),
                "ready": In(1).array(ports),
                "bad": In(1).array(ports),
                "word": In(8 * shape.item_bytes).array(ports),
                "take": Out(1).array(ports),
                "done": Out(ports),
                "words": Out(stream.Signature(self.layout)),
                "failed": Out(1),
                "failed_client": Out(client_bits(clients)),
                "client": Out(client_bits(clients)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        number, index = Signal(range(max(2, self.ports))), Signal(self.shape.place_bits)
        here = Signal(self.ports, init=1)  # the same as one bit; none after a bad word
        at_last, order = Signal(), self.order.payload
        m.submodules.queue = queue = LutQueue(self.layout, self.WORDS_WAITING)
        wiring.connect(m, queue.o, wiring.flipped(self.words))
        for port in range(self.ports):
            m.d.comb += [
                self.take[port].eq(here[port] & self.ready[port] & self.order.valid & queue.room),
                self.done[port].eq(self.take[port] & at_last),
            ]
        any_ready = Cat(here[port] & self.ready[port] for port in range(self.ports)).any()
        take, bad = Signal(), Signal()
        m.d.comb += [
            take.eq(any_ready & self.order.valid & queue.room),
            bad.eq(Array(self.bad)[number]),
            at_last.eq(index == order.more),
            self.order.ready.eq(any_ready & at_last & queue.room),
            self.client.eq(order.client),
            queue.write.eq(take & ~bad),
            queue.item.data.eq(Array(self.word)[number]),
            queue.item.client.eq(order.client),
        ]
        with m.If(take):
            m.d.sync += [
                index.eq(Mux(at_last, 0, index + 1)),
                self.failed.eq(bad),
                self.failed_client.eq(order.client),
            ]
            with m.If(at_last):
                m.d.sync += [
                    here.eq(here.rotate_left(1)),
                    number.eq(Mux(here[-1], 0, number + 1)),
                ]
            with m.If(bad):
                m.d.sync += here.eq(0)
        return m
