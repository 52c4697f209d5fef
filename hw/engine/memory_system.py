"""The way to memory: one reader for two clients, one writer, and their ports."""

from amaranth.hdl import Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.axi.block_check import BlockCheck
from hw.axi.block_reader import BlockReader
from hw.axi.block_writer import BlockWriter
from hw.axi.run_check import read_request as client_request
from hw.axi.signature import AXI3, join_channels
from hw.contract.commands import Fault
from hw.contract.parameters import Parameters
from hw.fetch.requests import read_request
from hw.flow.tasks import INDEX_BITS

__all__ = ["COMMANDS", "TENSORS", "MemorySystem", "ReadArbiter"]

COMMANDS, TENSORS = range(2)
"""The reader's clients."""

WRITE_FAULT_CYCLES = BlockCheck.LATENCY_CYCLES + 1
"""From taking a block to the fault that it is."""


def _refused(fault: Value) -> Value:
    return (fault == Fault.WINDOW) | (fault == Fault.ALIGNMENT)


class ReadArbiter(wiring.Component):
    """Requests of both clients in one stream, commands first.

    Members
    -------
    i : In(stream of `hw.fetch.requests.read_request`), one for each client
    o : Out(stream of `hw.axi.run_check.read_request`)

    Timing: a register; a request every two cycles.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(read_request())).array(2),
                "o": Out(stream.Signature(client_request())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        commands, tensors = self.i[COMMANDS], self.i[TENSORS]
        m.d.comb += [
            commands.ready.eq(~self.o.valid),
            tensors.ready.eq(~self.o.valid & ~commands.valid),
        ]
        with m.If(self.o.valid):
            m.d.sync += self.o.valid.eq(~self.o.ready)
        with m.Else():
            m.d.sync += self.o.valid.eq(commands.valid | tensors.valid)
            for client, source in ((TENSORS, tensors), (COMMANDS, commands)):
                with m.If(source.valid):
                    for name in ("address", "words", "index"):
                        m.d.sync += self.o.payload[name].eq(source.payload[name])
                    m.d.sync += self.o.payload.client.eq(client)
        return m


class MemorySystem(wiring.Component):
    """`BlockReader` and `BlockWriter` on the same ports.

    Members
    -------
    requests : In(stream of `hw.fetch.requests.read_request`), one for each client
    words : Out(stream of words), one for each client    in the order of its requests
    blocks : In(stream of `hw.axi.block_check.write_block`)
    block_index : In(32)      of the command that writes the block
    hp0 .. : Out(`AXI3`)
    window_first, window_last, watchdog, halt, clear : In    of both
    writer_idle : Out(1)      every block has been written
    quiet : Out(1)            no burst is under way in either
    read_fault, write_fault : Out(8)          for a cycle
    read_index, write_index : Out(32)         of the command whose address is refused. If memory is
                              to blame: of the one that waits for the next word, of the one that
                              sent the last block
    awaited : In(32), one for each client     index of the command that waits for the next word

    Timing: see there. A word blocks those behind it until its client takes it.
    """

    def __init__(self, parameters: Parameters):
        self.reader, self.writer = BlockReader(parameters), BlockWriter(parameters)
        self.ports = [f"hp{number}" for number in range(parameters.memory.ports)]
        super().__init__(
            {
                "requests": In(stream.Signature(read_request())).array(2),
                "words": Out(stream.Signature(8 * parameters.word_bytes)).array(2),
                "blocks": In(stream.Signature(self.writer.blocks.payload.shape())),
                **{port: Out(AXI3) for port in self.ports},
                "block_index": In(INDEX_BITS),
                "awaited": In(INDEX_BITS).array(2),
                "window_first": In(32),
                "window_last": In(32),
                "watchdog": In(32),
                "halt": In(1),
                "clear": In(1),
                "writer_idle": Out(1),
                "quiet": Out(1),
                "read_fault": Out(8),
                "read_index": Out(INDEX_BITS),
                "write_index": Out(INDEX_BITS),
                "write_fault": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        reader, writer = self.reader, self.writer
        m.submodules.reader, m.submodules.writer = reader, writer
        for name in ("window_first", "window_last", "watchdog", "halt", "clear"):
            m.d.comb += [getattr(each, name).eq(getattr(self, name)) for each in (reader, writer)]
        for port in self.ports:
            join_channels(m, getattr(self, port), getattr(reader, port), getattr(writer, port))
        wiring.connect(m, wiring.flipped(self.blocks), writer.blocks)
        self._share_reader(m)
        self._blame(m)
        m.d.comb += [
            self.read_fault.eq(reader.fault),
            self.write_fault.eq(writer.fault),
            self.writer_idle.eq(writer.idle),
            self.quiet.eq(reader.quiet & writer.quiet),
        ]
        return m

    def _blame(self, m: Module) -> None:
        """Whose fault it is: refused addresses are told at once, or a known time later."""
        reader, writer = self.reader, self.writer
        waits = Mux(reader.fault_client == TENSORS, self.awaited[TENSORS], self.awaited[COMMANDS])
        m.d.comb += self.read_index.eq(Mux(_refused(reader.fault), reader.fault_index, waits))
        late = [self.block_index]
        for number in range(WRITE_FAULT_CYCLES):
            late.append(Signal(INDEX_BITS, name=f"block_index_{number}"))
            m.d.sync += late[-1].eq(late[-2])
        last = Signal(INDEX_BITS)
        with m.If(self.blocks.valid & self.blocks.ready):
            m.d.sync += last.eq(self.block_index)
        m.d.comb += self.write_index.eq(Mux(_refused(writer.fault), late[-1], last))

    def _share_reader(self, m: Module) -> None:
        arbiter = ReadArbiter()
        m.submodules.arbiter = ResetInserter(self.clear)(arbiter)
        reader = self.reader
        wiring.connect(m, arbiter.o, reader.requests)
        ready = []
        for client in (COMMANDS, TENSORS):
            mine = Signal(name=f"mine_{client}")
            wiring.connect(m, wiring.flipped(self.requests[client]), arbiter.i[client])
            words = self.words[client]
            m.d.comb += [
                mine.eq(reader.words.payload.client == client),
                words.payload.eq(reader.words.payload.data),
                words.valid.eq(reader.words.valid & mine),
            ]
            ready.append(words.ready & mine)
        m.d.comb += reader.words.ready.eq(ready[0] | ready[1])
