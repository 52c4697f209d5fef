"""The check of a whole run of words before its first burst."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.window import Window
from fractrain.hw.contract.commands import Fault
from fractrain.hw.flow.layouts import ADDRESS_BITS, CLIENTS, WORDS_BITS, client_bits, client_request
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["RunCheck", "checked_run"]


def checked_run(shape: BurstShape, clients: int = CLIENTS) -> data.StructLayout:
    """A run that may be read.

    first : address of its first part
    bursts : bursts that follow the first one
    last_place : place of its last part within the burst of that part
    """
    return data.StructLayout(
        {
            "first": shape.address_bits,
            "bursts": WORDS_BITS + shape.parts_per_item_bits,
            "last_place": shape.place_bits,
            "client": client_bits(clients),
        }
    )


class RunCheck(wiring.Component):
    """Passes on runs that are aligned and inside the window; stops at the first that is not.

    Members
    -------
    requests : In(stream of `client_request`)
    runs : Out(stream of `checked_run`)
    window_first, window_last : In(32)    a change holds for requests two cycles later
    failed : Out(1)                       for one cycle, with ``fault`` (ALIGNMENT or WINDOW), its
                                          client and its index; no later run passes until reset
    fault, fault_client, fault_index : Out

    Timing: 4 cycles, one run per cycle.
    """

    def __init__(self, shape: BurstShape, clients: int = CLIENTS):
        self.shape = shape
        super().__init__(
            {
                "requests": In(stream.Signature(client_request(clients))),
                "runs": Out(stream.Signature(checked_run(shape, clients))),
                "window_first": In(ADDRESS_BITS),
                "window_last": In(ADDRESS_BITS),
                "failed": Out(1),
                "fault": Out(Fault),
                "fault_client": Out(client_bits(clients)),
                "fault_index": Out(INDEX_BITS),
            }
        )
        self.window = Window(shape)
        self.advance, self.stopped = Signal(), Signal()
        request = client_request(clients)
        self.asked = Signal(
            data.StructLayout({"valid": 1, "request": request, "after": WORDS_BITS})
        )
        """The request in a register; ``after`` is its number of words less one."""
        self.extent = Signal(
            data.StructLayout(
                {
                    "valid": 1,
                    "request": request,
                    "last": ADDRESS_BITS + 1 - shape.item_bits,
                    "before": 1,
                    "misaligned": 1,
                }
            )
        )
        """Its last word, with a carry for one beyond 4 GB, and half of the verdict."""
        self.judged = Signal(
            data.StructLayout(
                {
                    "valid": 1,
                    "legal": 1,
                    "cause": Fault,
                    "index": INDEX_BITS,
                    "run": checked_run(shape, clients),
                }
            )
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.window = window = self.window
        m.d.comb += [
            window.first_byte.eq(self.window_first),
            window.last_byte.eq(self.window_last),
            self.advance.eq(~self.runs.valid | self.runs.ready),
            self.requests.ready.eq(self.advance & ~self.stopped),
        ]
        with m.If(self.advance):
            self._measure(m)
            self._judge(m)
        self._report(m)
        return m

    def _measure(self, m: Module) -> None:
        asked, extent, low = self.asked, self.extent, self.shape.item_bits
        m.d.sync += [
            asked.valid.eq(self.requests.valid & ~self.stopped),
            extent.valid.eq(asked.valid & asked.request.words.any() & ~self.stopped),
        ]
        with m.If(self.requests.valid):
            m.d.sync += [
                asked.request.eq(self.requests.payload),
                asked.after.eq(self.requests.payload.words - 1),
            ]
        with m.If(asked.valid):
            m.d.sync += [
                extent.request.eq(asked.request),
                extent.last.eq(asked.request.address[low:] + asked.after),
                extent.before.eq(self.window.below(asked.request.address)),
                extent.misaligned.eq(self.window.misaligned(asked.request.address)),
            ]

    def _judge(self, m: Module) -> None:
        extent, judged = self.extent, self.judged
        place, parts = self.shape.place_bits, self.shape.parts_per_item_bits
        first, last = extent.request.address[self.shape.item_bits :], extent.last
        bursts = (last[place:] - first[place:])[:WORDS_BITS]
        m.d.sync += [
            judged.valid.eq(extent.valid & ~self.stopped),
            self.runs.valid.eq(judged.valid & judged.legal & ~self.stopped),
        ]
        with m.If(extent.valid):
            m.d.sync += [
                judged.legal.eq(~extent.misaligned & ~extent.before & ~self.window.beyond(last)),
                judged.cause.eq(Mux(extent.misaligned, Fault.ALIGNMENT, Fault.WINDOW)),
                judged.index.eq(extent.request.index),
                judged.run.first.eq(first << parts),
                judged.run.bursts.eq((bursts << parts) | ((1 << parts) - 1)),
                judged.run.last_place.eq(last[:place]),
                judged.run.client.eq(extent.request.client),
            ]
        with m.If(judged.valid):
            m.d.sync += self.runs.payload.eq(judged.run)

    def _report(self, m: Module) -> None:
        judged = self.judged
        guilty = judged.valid & ~judged.legal & ~self.stopped
        m.d.sync += [
            self.stopped.eq(self.stopped | guilty),
            self.failed.eq(guilty),
            self.fault.eq(judged.cause),
            self.fault_client.eq(judged.run.client),
            self.fault_index.eq(judged.index),
        ]
