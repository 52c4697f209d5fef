"""Runs of words from DDR, over all ports at once, in order."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.bursts import BurstShape
from fractrain.hw.axi.lut_queue import LutQueue
from fractrain.hw.axi.occupancy import Occupancy
from fractrain.hw.axi.read_merger import ReadMerger, granule_order, read_word
from fractrain.hw.axi.read_port import ReadPort
from fractrain.hw.axi.run_check import RunCheck
from fractrain.hw.axi.run_splitter import RunSplitter, read_burst
from fractrain.hw.axi.signature import AXI3_READ
from fractrain.hw.axi.watchdog import Watchdog
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import WORD_BITS
from fractrain.hw.flow.layouts import ADDRESS_BITS, client_bits, client_request, read_clients
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["BlockReader"]


class BlockReader(wiring.Component):
    """Reads runs of words; every word is given back in the order of the requests.

    Members
    -------
    requests : In(stream of `client_request`)
    words : Out(stream of `read_word`)
    hp0 .. : Out(`AXI3_READ`)                 ``memory.ports`` of them, also in ``ports``
    window_first, window_last : In(32)        bytes; a change holds for requests 2 cycles later
    watchdog : In(32)                         cycles without progress until TIMEOUT; 0: never
    halt : In(1)      issue no new burst; a burst on offer stays
    clear : In(1)     forget all requests and all words not delivered; drop the answers to bursts
                      under way, and take no request before they have come
    quiet : Out(1)    no burst is under way, and no answer from before ``clear`` is missing
    fault : Out(Fault)    for one cycle; nothing more is issued until ``clear``
    fault_client : Out       the client that it concerns, until the next fault
    fault_index : Out(32)    of the request, if it was ALIGNMENT or WINDOW

    Faults: ALIGNMENT and WINDOW are found for a whole run before its first burst, so nothing of it
    is issued; words requested earlier may still come. READ_ERROR comes in the bad word's turn;
    neither this word nor anything after it is delivered. TIMEOUT concerns the client of the next
    word.

    Bursts: aligned granules of ``max(128, word_bytes)`` bytes (less at the ends of a run) go to
    the ports in turn, 16 beats at most per burst, at most ``memory.outstanding`` per port between
    offer and last answer. A granule's place in the port's store is reserved before it is
    issued, so memory never waits: ``rready`` is always 1.

    Timing: `REQUEST_LATENCY_CYCLES` from a request to ARVALID, `WORD_LATENCY_CYCLES` from the last
    beat of a word to the word, if nothing else waits. One word per cycle and 8 bytes per cycle and
    port at most.
    """

    REQUEST_LATENCY_CYCLES = 8
    WORD_LATENCY_CYCLES = 3

    def __init__(self, parameters: Parameters):
        self.shape = BurstShape(parameters.word_bytes)
        self.port_count, self.clients = parameters.memory.ports, read_clients(parameters)
        outstanding = parameters.memory.outstanding
        # Twice what may be under way: as much again may wait for the words of other ports.
        self.granules = max(2, 2 * outstanding // self.shape.bursts_per_granule)
        places = self.granules * self.shape.items_per_granule
        self.readers = [ReadPort(self.shape, outstanding, places) for _ in range(self.port_count)]
        super().__init__(
            {
                "requests": In(stream.Signature(client_request(self.clients))),
                "words": Out(stream.Signature(read_word(self.shape, self.clients))),
                **{f"hp{number}": Out(AXI3_READ) for number in range(self.port_count)},
                "window_first": In(ADDRESS_BITS),
                "window_last": In(ADDRESS_BITS),
                "watchdog": In(WORD_BITS),
                "halt": In(1),
                "clear": In(1),
                "quiet": Out(1),
                "fault": Out(Fault),
                "fault_client": Out(client_bits(self.clients)),
                "fault_index": Out(INDEX_BITS),
            }
        )
        self.flush, self.stopped, self.calm = Signal(), Signal(), Signal()
        self.paused = Signal()
        """``stopped`` or ``flush``, as one register."""

    @property
    def ports(self) -> list[wiring.PureInterface]:
        return [getattr(self, f"hp{number}") for number in range(self.port_count)]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape, clients = self.shape, self.clients
        check, splitter = RunCheck(shape, clients), RunSplitter(shape, clients)
        merger = ReadMerger(shape, self.port_count, clients)
        order = LutQueue(granule_order(shape, clients), self.port_count * self.granules)
        for name, part in (
            ("check", check),
            ("splitter", splitter),
            ("merger", merger),
            ("order", order),
        ):
            m.submodules[name] = ResetInserter(self.flush)(part)
        m.submodules += self.readers
        m.d.comb += [
            check.window_first.eq(self.window_first),
            check.window_last.eq(self.window_last),
            check.requests.payload.eq(self.requests.payload),
            check.requests.valid.eq(self.requests.valid),
            self.requests.ready.eq(check.requests.ready & ~self.flush),
        ]
        wiring.connect(m, check.runs, splitter.runs)
        wiring.connect(m, order.o, merger.order)
        self._deal(m, splitter, order, merger)
        self._connect_ports(m, merger)
        self._report(m, check, merger, self._expired(m))
        self._forget(m)
        return m

    def _deal(self, m: Module, splitter: RunSplitter, order: LutQueue, merger: ReadMerger) -> None:
        """Each granule to the next port, once that has room for all of it."""
        # cuts the way from the ports' readiness back to the requests
        register = StreamRegister(read_burst(self.shape, self.clients))
        m.submodules.register = ResetInserter(self.flush)(register)
        wiring.connect(m, splitter.bursts, register.i)
        bursts, payload = register.o, register.o.payload
        here = Signal(self.port_count, init=1)  # one bit: the port of this granule
        ready, passed = Signal(self.port_count), Signal()
        for number, reader in enumerate(self.readers):
            places = Occupancy(self.granules)
            m.submodules[f"places_{number}"] = ResetInserter(self.flush)(places)
            may = here[number] & (places.room | ~payload.opens)
            m.d.comb += [
                ready[number].eq(may & reader.bursts.ready),
                reader.bursts.valid.eq(bursts.valid & may),
                reader.bursts.payload.eq(payload.burst),
                places.enter.eq(bursts.valid & ready[number] & payload.opens),
                places.leave.eq(merger.done[number]),
            ]
        m.d.comb += [bursts.ready.eq(ready.any()), passed.eq(bursts.valid & bursts.ready)]
        with m.If(self.flush):
            m.d.sync += here.eq(1)
        with m.Elif(passed & payload.closes):
            m.d.sync += here.eq(here.rotate_left(1))
        m.d.sync += [
            order.write.eq(passed & payload.opens & ~self.flush),
            order.item.more.eq(payload.burst.more),
            order.item.client.eq(payload.client),
        ]

    def _connect_ports(self, m: Module, merger: ReadMerger) -> None:
        for number, (reader, port) in enumerate(zip(self.readers, self.ports, strict=True)):
            wiring.connect(m, reader.axi, wiring.flipped(port))
            m.d.comb += [
                reader.hold.eq(self.halt | self.paused),
                reader.flush.eq(self.flush),
                merger.ready[number].eq(reader.ready),
                merger.word[number].eq(reader.word),
                merger.bad[number].eq(reader.bad),
                reader.take.eq(merger.take[number]),
            ]
        m.d.comb += [
            self.words.payload.eq(merger.words.payload),
            self.words.valid.eq(merger.words.valid & ~self.flush),
            merger.words.ready.eq(self.words.ready),
        ]

    def _expired(self, m: Module) -> Value:
        m.submodules.watchdog = watchdog = Watchdog()
        m.d.comb += [
            watchdog.limit.eq(self.watchdog),
            watchdog.waiting.eq(~self.calm & ~self.flush),
            watchdog.progress.eq(Cat(reader.progress for reader in self.readers).any()),
        ]
        return watchdog.expired

    def _report(self, m: Module, check: RunCheck, merger: ReadMerger, expired: Value) -> None:
        """The first cause since ``clear``."""
        was_failed, first = Signal(), Signal()
        bad_word = merger.failed & ~was_failed
        m.d.comb += first.eq(
            (bad_word | expired | check.failed) & ~(self.stopped | self.flush | self.clear)
        )
        flush, stopped = Signal(), Signal()
        m.d.comb += [
            flush.eq(self.clear | (self.flush & ~self.calm)),
            stopped.eq((self.stopped | first) & ~(self.flush | self.clear)),
        ]
        m.d.sync += [
            was_failed.eq(merger.failed),
            self.flush.eq(flush),
            self.stopped.eq(stopped),
            self.paused.eq(flush | stopped),
            self.fault.eq(
                Mux(first, Mux(bad_word, Fault.READ_ERROR, self._other(check)), Fault.NONE)
            ),
        ]
        other_client = Mux(check.failed, check.fault_client, merger.client)
        with m.If(first):
            m.d.sync += [
                self.fault_client.eq(Mux(bad_word, merger.failed_client, other_client)),
                self.fault_index.eq(check.fault_index),
            ]

    @staticmethod
    def _other(check: RunCheck) -> Value:
        return Mux(check.failed, check.fault, Fault.TIMEOUT)

    def _forget(self, m: Module) -> None:
        m.d.comb += [
            self.calm.eq(Cat(reader.quiet for reader in self.readers).all()),
            self.quiet.eq(self.calm & ~self.flush),
        ]
