"""What must hold from a request, or a block, to its bursts: the parts that decide on addresses,
connected as in `BlockReader` and `BlockWriter`, with their invariants."""

from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from fractrain.hw.axi.block_check import BlockCheck
from fractrain.hw.axi.burst_collector import BurstCollector
from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.run_check import RunCheck
from fractrain.hw.axi.run_splitter import RunSplitter
from fractrain.hw.contract.bursts import BEAT_BYTES, BURST_BYTES
from fractrain.hw.flow.layouts import client_request, write_block

__all__ = ["LEGAL", "ReadMonitor", "WriteMonitor", "burst_is_legal"]

PORTS = 2
LEGAL = "bursts lie in the window and in 128 aligned bytes"


def burst_is_legal(shape: BurstShape, burst: data.View, first: Value, last: Value) -> Value:
    """Whatever byte of it there is, it lies in the window and in the same 128 aligned bytes."""
    start = shape.byte_address(burst.address)
    bytes_after = (shape.length(burst.more) + 1) * BEAT_BYTES - 1
    end = start + bytes_after
    within = start % BURST_BYTES + bytes_after < BURST_BYTES
    return (start >= first) & (end <= last) & within


class _Monitor(wiring.Component):
    """A window that stays, and the assertion that the check knows it."""

    def hold_window(self, m: Module, check: RunCheck | BlockCheck) -> Signal:
        """Returns whether this is not the first cycle."""
        started, first, last = Signal(), Signal(32), Signal(32)
        window = check.window
        m.d.sync += [started.eq(1), first.eq(self.window_first), last.eq(self.window_last)]
        known = (window.first == first) & (window.items == (last + 1) >> window.shape.item_bits)
        m.d.comb += [
            check.window_first.eq(self.window_first),
            check.window_last.eq(self.window_last),
            Assume(~started | ((first == self.window_first) & (last == self.window_last))),
            Assert(~started | known),
        ]
        return started


class ReadMonitor(_Monitor):
    """`RunCheck` and `RunSplitter`: any requests, bursts taken at any time."""

    def __init__(self, item_bytes: int) -> None:
        self.shape = BurstShape(item_bytes)
        super().__init__(
            {
                "valid": In(1),
                "request": In(client_request()),
                "ready": In(1),
                "window_first": In(32),
                "window_last": In(32),
            }
        )
        self.check, self.splitter = RunCheck(self.shape), RunSplitter(self.shape)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.check, m.submodules.splitter = check, splitter = self.check, self.splitter
        wiring.connect(m, check.runs, splitter.runs)
        m.d.comb += [
            check.requests.valid.eq(self.valid),
            check.requests.payload.eq(self.request),
            splitter.bursts.ready.eq(self.ready),
        ]
        started = self.hold_window(m, check)
        held = Cat(
            check.asked.valid,
            check.extent.valid,
            check.judged.valid,
            check.runs.valid,
            splitter.bursts.valid,
        )
        m.d.comb += [
            Assert(started | ~held.any()),
            Assert(
                ~splitter.bursts.valid
                | burst_is_legal(
                    self.shape, splitter.bursts.payload.burst, self.window_first, self.window_last
                ),
                LEGAL,
            ),
        ]
        self._check(m)
        self._split(m)
        bursts = splitter.bursts
        m.d.comb += [Cover(bursts.valid & (splitter.left == 2)), Cover(check.failed)]
        return m

    def _check(self, m: Module) -> None:
        """The invariants of the check, stage by stage."""
        asked, extent, judged = self.check.asked, self.check.extent, self.check.judged
        low = self.shape.item_bits
        request = extent.request
        m.d.comb += [
            Assert(~asked.valid | (asked.after == (asked.request.words - 1)[:12])),
            Assert(
                ~extent.valid
                | (
                    (request.words != 0)
                    & (extent.last == request.address[low:] + request.words - 1)
                    & (extent.before == (request.address < self.window_first))
                    & (extent.misaligned == request.address[:low].any())
                )
            ),
            Assert(~(judged.valid & judged.legal) | self._legal(judged.run)),
            Assert(~self.check.runs.valid | self._legal(self.check.runs.payload)),
        ]

    def _legal(self, run: data.View) -> Value:
        places = self.shape.place_bits
        return self._in_window(run.first, run.first[places:] + run.bursts, run.last_place)

    def _in_window(self, first: Value, last_burst: Value, last_place: Value) -> Value:
        """Parts ``first`` .. (``last_burst``, ``last_place``), in this order, in the window."""
        last = Cat(last_place, last_burst)
        end = (last + 1) * self.shape.part_bytes - 1
        start = self.shape.byte_address(first)
        return (start >= self.window_first) & (first <= last) & (end <= self.window_last)

    def _split(self, m: Module) -> None:
        splitter = self.splitter
        first = Cat(splitter.first_place, splitter.burst_number)
        rest = self._in_window(first, splitter.burst_number + splitter.left, splitter.last_place)
        m.d.comb += Assert(
            ~splitter.bursts.valid | (rest & (splitter.at_last == (splitter.left == 0)))
        )


class WriteMonitor(_Monitor):
    """`BlockCheck` and `BurstCollector`: any blocks at any time."""

    def __init__(self, item_bytes: int) -> None:
        self.shape = BurstShape(item_bytes)
        super().__init__(
            {
                "take": In(1),
                "block": In(write_block(8 * self.shape.item_bytes)),
                "window_first": In(32),
                "window_last": In(32),
            }
        )
        self.check, self.collector = BlockCheck(self.shape), BurstCollector(self.shape, PORTS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.check, m.submodules.collector = check, collector = self.check, self.collector
        m.d.comb += [
            check.take.eq(self.take),
            check.block.eq(self.block),
            collector.block.eq(check.checked),
        ]
        started = self.hold_window(m, check)
        held = Cat(check.valid, check.checked.valid, collector.open, collector.send)
        m.d.comb += [
            Assert(started | ~held.any()),
            Assert(
                ~collector.send.any()
                | burst_is_legal(self.shape, collector.burst, self.window_first, self.window_last),
                LEGAL,
            ),
        ]
        self._follow(m)
        full = (1 << self.shape.place_bits) - 1
        m.d.comb += [Cover(collector.send[1] & (collector.burst.more == full)), Cover(check.failed)]
        return m

    def _follow(self, m: Module) -> None:
        """The open burst is legal, and ends with the last block that the check has passed on."""
        check, growing, shape = self.check, self.collector.growing, self.shape
        checked, passed, last = check.checked, Signal(), Signal(shape.address_bits)
        latest = Mux(checked.valid, checked.address, last)
        with m.If(checked.valid):
            m.d.sync += [passed.eq(1), last.eq(checked.address)]
        start = shape.byte_address(checked.address)
        in_window = (start >= self.window_first) & (
            start + shape.item_bytes - 1 <= self.window_last
        )
        one_more = (latest + 1)[: shape.address_bits]
        newest = growing.address + growing.more
        legal = burst_is_legal(shape, growing, self.window_first, self.window_last)
        m.d.comb += [
            Assert(~checked.valid | in_window),
            Assert(~(checked.valid | passed) | check.stopped | (check.successor == one_more)),
            Assert(
                ~(checked.valid & passed & checked.follows)
                | (checked.address == (last + 1)[: shape.address_bits])
            ),
            Assert(~self.collector.open | (legal & passed & (last == newest))),
            Assert(~self.collector.open | ~newest[: shape.place_bits].all() | self.collector.ended),
        ]
