"""Cuts runs into bursts."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.run_check import checked_run
from fractrain.hw.flow.layouts import CLIENTS, client_bits

__all__ = ["RunSplitter", "read_burst"]


def read_burst(shape: BurstShape, clients: int = CLIENTS) -> data.StructLayout:
    """A burst of a run, and whether it ``opens`` and ``closes`` its granule."""
    return data.StructLayout(
        {"burst": shape.layout, "opens": 1, "closes": 1, "client": client_bits(clients)}
    )


class RunSplitter(wiring.Component):
    """The bursts of runs, in order, each within 128 aligned bytes.

    Members
    -------
    runs : In(stream of `checked_run`)
    bursts : Out(stream of `read_burst`)

    Timing: one cycle, one burst per cycle, also between runs.
    """

    def __init__(self, shape: BurstShape, clients: int = CLIENTS):
        self.shape = shape
        super().__init__(
            {
                "runs": In(stream.Signature(checked_run(shape, clients))),
                "bursts": Out(stream.Signature(read_burst(shape, clients))),
            }
        )
        self.burst_number = Signal(shape.address_bits - shape.place_bits)
        """In units of 128 bytes."""
        self.first_place, self.last_place = Signal(shape.place_bits), Signal(shape.place_bits)
        self.left = Signal(checked_run(shape, clients)["bursts"].shape)
        """Bursts of the run after this one."""
        self.at_last = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape, places = self.shape, self.shape.place_bits
        burst_number, left, at_last = self.burst_number, self.left, self.at_last
        first_place, last_place = self.first_place, self.last_place
        in_item = burst_number[: shape.parts_per_item_bits]
        out = self.bursts.payload
        m.d.comb += [
            out.burst.address.eq(Cat(first_place, burst_number)),
            out.burst.more.eq(Mux(at_last, last_place, (1 << places) - 1) - first_place),
            out.opens.eq(~in_item.any()),
            out.closes.eq(in_item.all()),
            self.runs.ready.eq(~self.bursts.valid | (self.bursts.ready & at_last)),
        ]
        run = self.runs.payload
        with m.If(self.runs.ready):
            m.d.sync += self.bursts.valid.eq(self.runs.valid)
            m.d.sync += [
                burst_number.eq(run.first[places:]),
                first_place.eq(run.first[:places]),
                last_place.eq(run.last_place),
                left.eq(run.bursts),
                at_last.eq(run.bursts == 0),
                out.client.eq(run.client),
            ]
        with m.Elif(self.bursts.ready):
            m.d.sync += [
                burst_number.eq(burst_number + 1),
                first_place.eq(0),
                left.eq(left - 1),
                at_last.eq(left == 1),
            ]
        return m
