"""The check of a whole run of words before its first burst."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.axi.bursts import BurstShape
from hw.axi.window import Window
from hw.contract.commands import Fault

__all__ = ["WORDS_BITS", "RunCheck", "checked_run", "read_request"]

WORDS_BITS = 12


def read_request() -> data.StructLayout:
    """``words`` words from the byte ``address`` on, for ``client``; 0 words are no request.
    ``index`` says which command wants them, for fault reports."""
    return data.StructLayout({"address": 32, "words": WORDS_BITS, "client": 1, "index": 32})


def checked_run(shape: BurstShape) -> data.StructLayout:
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
            "client": 1,
        }
    )


class RunCheck(wiring.Component):
    """Passes on the runs that are aligned and lie in the window, and stops at the first other one.

    Members
    -------
    requests : In(stream of `read_request`)
    runs : Out(stream of `checked_run`)
    window_first, window_last : In(32)    a change holds for requests two cycles later
    failed : Out(1)                       for one cycle, with ``fault``, ALIGNMENT or WINDOW, and
                                          whose it is; no run requested later is passed on until
                                          reset
    fault, fault_client, fault_index : Out

    Timing: 4 cycles, one run per cycle.
    """

    def __init__(self, shape: BurstShape):
        self.shape = shape
        super().__init__(
            {
                "requests": In(stream.Signature(read_request())),
                "runs": Out(stream.Signature(checked_run(shape))),
                "window_first": In(32),
                "window_last": In(32),
                "failed": Out(1),
                "fault": Out(8),
                "fault_client": Out(1),
                "fault_index": Out(32),
            }
        )
        self.window = Window(shape)
        self.advance, self.stopped = Signal(), Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.window = window = self.window
        m.d.comb += [
            window.first_byte.eq(self.window_first),
            window.last_byte.eq(self.window_last),
            self.advance.eq(~self.runs.valid | self.runs.ready),
            self.requests.ready.eq(self.advance & ~self.stopped),
        ]
        self._judge(m, *self._extent(m, *self._request(m)))
        return m

    def _request(self, m: Module) -> tuple[Value, data.View, Value]:
        """The request in a register; its number of words less one."""
        request, valid, words_after = Signal(read_request()), Signal(), Signal(WORDS_BITS)
        with m.If(self.advance):
            m.d.sync += valid.eq(self.requests.valid & ~self.stopped)
            with m.If(self.requests.valid):
                m.d.sync += [
                    request.eq(self.requests.payload),
                    words_after.eq(self.requests.payload.words - 1),
                ]
        return valid, request, words_after

    def _extent(
        self, m: Module, valid: Value, request: data.View, words_after: Value
    ) -> tuple[Value, data.View, Value, Value, Value]:
        """Its last word, with a carry that tells when it is beyond 4 GB."""
        low = self.shape.item_bits
        last = Signal(33 - low)
        registered, before, misaligned = Signal.like(request), Signal(), Signal()
        there = Signal()
        with m.If(self.advance):
            m.d.sync += there.eq(valid & request.words.any() & ~self.stopped)
            m.d.sync += [
                registered.eq(request),
                last.eq(request.address[low:] + words_after),
                before.eq(self.window.below(request.address)),
                misaligned.eq(self.window.misaligned(request.address)),
            ]
        return there, registered, last, before, misaligned

    def _judge(
        self,
        m: Module,
        valid: Value,
        request: data.View,
        last: Value,
        before: Value,
        misaligned: Value,
    ) -> None:
        first = request.address[self.shape.item_bits :]
        place, parts = self.shape.place_bits, self.shape.parts_per_item_bits
        judged, legal, cause, index = Signal(), Signal(), Signal(8), Signal(32)
        run = Signal(checked_run(self.shape))
        words_bursts = (last[place:] - first[place:])[:WORDS_BITS]
        with m.If(self.advance):
            m.d.sync += [
                judged.eq(valid & ~self.stopped),
                legal.eq(~misaligned & ~before & ~self.window.beyond(last)),
                cause.eq(Mux(misaligned, Fault.ALIGNMENT, Fault.WINDOW)),
                run.first.eq(first << parts),
                run.bursts.eq((words_bursts << parts) | ((1 << parts) - 1)),
                run.last_place.eq(last[:place]),
                run.client.eq(request.client),
                index.eq(request.index),
                self.runs.valid.eq(judged & legal & ~self.stopped),
                self.runs.payload.eq(run),
            ]
        guilty = judged & ~legal & ~self.stopped
        m.d.sync += [
            self.stopped.eq(self.stopped | guilty),
            self.failed.eq(guilty),
            self.fault.eq(cause),
            self.fault_client.eq(run.client),
            self.fault_index.eq(index),
        ]
