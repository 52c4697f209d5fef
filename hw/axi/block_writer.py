"""Blocks to DDR, over all ports at once."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.block_check import BlockCheck
from fractrain.hw.axi.burst_collector import BurstCollector
from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.signature import AXI3_WRITE
from fractrain.hw.axi.watchdog import Watchdog
from fractrain.hw.axi.write_port import WritePort
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import WORD_BITS
from fractrain.hw.flow.layouts import ADDRESS_BITS, write_block

__all__ = ["BlockWriter"]


class BlockWriter(wiring.Component):
    """Writes blocks of ``block_bytes``, each to its own address.

    Members
    -------
    blocks : In(stream of `write_block`)
    hp0 .. : Out(`AXI3_WRITE`)            ``memory.ports`` of them, also in ``ports``
    window_first, window_last : In(32)    bytes; a change holds for blocks 2 cycles later
    watchdog : In(32)                     cycles without progress until TIMEOUT; 0: never
    halt : In(1)      issue no new burst; a burst on offer stays, and data of issued bursts goes on
    clear : In(1)     forget all blocks without an issued burst; bursts under way end with no byte
                      enabled in the beats not yet offered, and no block is taken until they are
                      answered
    quiet : Out(1)    no burst is under way, and no answer from before ``clear`` is missing
    idle : Out(1)     nothing is held, every burst is acknowledged, and there was no fault since
                      ``clear``
    fault : Out(Fault)    for one cycle; nothing more is issued until ``clear``

    Faults: ALIGNMENT and WINDOW for a block, which is never issued; WRITE_ERROR for an error
    response; TIMEOUT.

    Bursts: blocks with consecutive addresses within 128 aligned bytes become one burst; bursts
    go to the ports in turn, at most ``memory.outstanding`` per port between offer and answer. A
    burst is issued only when all of its blocks are held, so its beats follow without a gap.
    Different ports may write in any order; of two blocks for one address, either may stay.

    Timing: `ADDRESS_LATENCY_CYCLES` from the block that ends 128 bytes to AWVALID,
    `DATA_LATENCY_CYCLES` from there to WVALID, if nothing else waits. One block per cycle and 8
    bytes per cycle and port at most.
    """

    ADDRESS_LATENCY_CYCLES = 6
    DATA_LATENCY_CYCLES = 1

    MARGIN = BlockCheck.LATENCY_CYCLES + 3
    """Blocks that may still come once a port's store has no room: those in the check, one that the
    store has yet to count, and two while its flag becomes ``blocks.ready``."""

    def __init__(self, parameters: Parameters):
        self.shape = BurstShape(parameters.block_bytes)
        self.port_count = parameters.memory.ports
        outstanding = parameters.memory.outstanding
        places = max(2 * self.MARGIN, 2 * outstanding * self.shape.items_per_granule)
        self.writers = [
            WritePort(self.shape, outstanding, places, self.MARGIN) for _ in range(self.port_count)
        ]
        super().__init__(
            {
                "blocks": In(stream.Signature(write_block(8 * self.shape.item_bytes))),
                **{f"hp{number}": Out(AXI3_WRITE) for number in range(self.port_count)},
                "window_first": In(ADDRESS_BITS),
                "window_last": In(ADDRESS_BITS),
                "watchdog": In(WORD_BITS),
                "halt": In(1),
                "clear": In(1),
                "quiet": Out(1),
                "idle": Out(1),
                "fault": Out(Fault),
            }
        )
        self.flush, self.stopped, self.calm = Signal(), Signal(), Signal()
        self.first = Signal()
        """A fault is found, the first since ``clear``."""
        self.paused = Signal()
        """``stopped`` or ``flush``, as one register."""

    @property
    def ports(self) -> list[wiring.PureInterface]:
        return [getattr(self, f"hp{number}") for number in range(self.port_count)]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        check = BlockCheck(self.shape)
        collector = BurstCollector(self.shape, self.port_count)
        m.submodules.check = ResetInserter(self.flush)(check)
        m.submodules.collector = ResetInserter(self.flush)(collector)
        m.submodules += self.writers
        m.d.comb += [
            check.window_first.eq(self.window_first),
            check.window_last.eq(self.window_last),
            collector.block.eq(check.checked),
        ]
        self._connect_ports(m, check, collector)
        self._take(m, check, collector)
        self._report(m, check, self._expired(m))
        self._forget(m)
        return m

    def _take(self, m: Module, check: BlockCheck, collector: BurstCollector) -> None:
        """Takes blocks while every port has room for all that may be on their way to it."""
        ready = Signal()
        m.d.sync += ready.eq(Cat(writer.room for writer in self.writers).all() & ~self.stopped)
        m.d.comb += [
            self.blocks.ready.eq(ready & ~self.flush),
            check.take.eq(self.blocks.valid & self.blocks.ready),
            check.block.eq(self.blocks.payload),
        ]
        empty = Cat(writer.empty for writer in self.writers).all()
        innocent = ~self.first & ~self.stopped & ~self.flush
        m.d.sync += self.idle.eq(check.empty & collector.empty & empty & ~check.take & innocent)

    def _connect_ports(self, m: Module, check: BlockCheck, collector: BurstCollector) -> None:
        for number, (writer, port) in enumerate(zip(self.writers, self.ports, strict=True)):
            wiring.connect(m, writer.axi, wiring.flipped(port))
            m.d.comb += [
                writer.hold.eq(self.halt | self.paused),
                writer.flush.eq(self.flush),
                writer.store.eq(collector.store[number]),
                writer.block.eq(check.checked.data),
                writer.send.eq(collector.send[number]),
                writer.burst.eq(collector.burst),
            ]

    def _expired(self, m: Module) -> Value:
        m.submodules.watchdog = watchdog = Watchdog()
        m.d.comb += [
            watchdog.limit.eq(self.watchdog),
            watchdog.waiting.eq(~self.calm & ~self.flush),
            watchdog.progress.eq(Cat(writer.progress for writer in self.writers).any()),
        ]
        return watchdog.expired

    def _report(self, m: Module, check: BlockCheck, expired: Value) -> None:
        """The first cause since ``clear``."""
        failed, first = Signal(), self.first
        m.d.sync += failed.eq(Cat(writer.failed for writer in self.writers).any())
        m.d.comb += first.eq(
            (failed | expired | check.failed) & ~(self.stopped | self.flush | self.clear)
        )
        other = Mux(failed, Fault.WRITE_ERROR, Fault.TIMEOUT)
        flush, stopped = Signal(), Signal()
        m.d.comb += [
            flush.eq(self.clear | (self.flush & ~self.calm)),
            stopped.eq((self.stopped | first) & ~(self.flush | self.clear)),
        ]
        m.d.sync += [
            self.flush.eq(flush),
            self.stopped.eq(stopped),
            self.paused.eq(flush | stopped),
            self.fault.eq(Mux(first, Mux(check.failed, check.fault, other), Fault.NONE)),
        ]

    def _forget(self, m: Module) -> None:
        m.d.comb += [
            self.calm.eq(Cat(writer.quiet for writer in self.writers).all()),
            self.quiet.eq(self.calm & ~self.flush),
        ]
