"""The way to memory: one reader and one writer for all who use it, and their ports."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.axi.block_check import BlockCheck
from fractrain.hw.axi.block_reader import BlockReader
from fractrain.hw.axi.block_writer import BlockWriter
from fractrain.hw.axi.signature import AXI3, join_channels
from fractrain.hw.contract.commands import Fault
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import WORD_BITS
from fractrain.hw.engine.write_arbiter import WriteArbiter
from fractrain.hw.flow.layouts import (
    ADDRESS_BITS,
    CLIENTS,
    client_bits,
    client_request,
    read_clients,
    read_request,
    write_block,
)
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["COMMANDS", "TENSORS", "VECTOR", "MemorySystem", "ReadArbiter", "WordRouter"]

COMMANDS, TENSORS, VECTOR = range(3)
"""The reader's clients, the last on a machine with a vector unit."""

WRITE_FAULT_CYCLES = BlockCheck.LATENCY_CYCLES + 1
"""From taking a bad block to its fault."""

READ_FAULT_CYCLES = 12
"""More than the fetch stage needs for the words that it has taken."""

OWED_CYCLES = 2
"""From a block until the writer is not idle."""


def _refused(fault: Value) -> Value:
    return (fault == Fault.WINDOW) | (fault == Fault.ALIGNMENT)


class ReadArbiter(wiring.Component):
    """Requests of all clients in one stream: commands first, then those of lower numbers.

    Members
    -------
    i : In(stream of `hw.flow.layouts.read_request`), one for each client
    o : Out(stream of `hw.flow.layouts.client_request`)

    Timing: a register; a request every two cycles.
    """

    def __init__(self, clients: int = CLIENTS) -> None:
        self.clients = clients
        super().__init__(
            {
                "i": In(stream.Signature(read_request())).array(clients),
                "o": Out(stream.Signature(client_request(clients))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        before: Value | None = None
        for each in self.i:
            m.d.comb += each.ready.eq(~self.o.valid if before is None else ~self.o.valid & ~before)
            before = each.valid if before is None else before | each.valid
        with m.If(self.o.valid):
            m.d.sync += self.o.valid.eq(~self.o.ready)
        with m.Else():
            m.d.sync += self.o.valid.eq(before)
            for client, source in reversed(list(enumerate(self.i))):
                with m.If(source.valid):
                    for name in read_request().members:
                        m.d.sync += self.o.payload[name].eq(source.payload[name])
                    m.d.sync += self.o.payload.client.eq(client)
        return m


class WordRouter(wiring.Component):
    """Hands every word to the client that requested it: a `hw.flow.stream_register.StreamRegister`
    with an exit for each client.

    Members
    -------
    i : In(stream of ``layout``, `hw.axi.read_merger.read_word`)
    o : Out(stream of words), one for each client

    Timing: a register; a word per cycle. A word blocks those behind it until its client takes it.
    """

    def __init__(
        self, layout: data.StructLayout, clients: int = CLIENTS, *, primitives: bool = False
    ):
        self.primitives = primitives
        word = layout["data"].shape
        super().__init__(
            {"i": In(stream.Signature(layout)), "o": Out(stream.Signature(word)).array(clients)}
        )
        self.spare = Signal(layout)
        self.spare_held = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = Signal.like(self.o[0].payload)
        both = self.spare.data, self.i.payload.data
        oldest = pair_mux(m, self.spare_held, *both, name="oldest", primitives=self.primitives)
        leaves = Cat(each.valid & each.ready for each in self.o).any()
        held = Cat(each.valid for each in self.o).any()
        m.d.comb += [self.i.ready.eq(~self.spare_held), *(each.payload.eq(word) for each in self.o)]
        with m.If(leaves | ~held):
            m.d.sync += self.spare_held.eq(0)
            with m.If(self.i.valid | self.spare_held):
                m.d.sync += word.eq(oldest)
            client = Mux(self.spare_held, self.spare.client, self.i.payload.client)
            for number, each in enumerate(self.o):
                m.d.sync += each.valid.eq((self.i.valid | self.spare_held) & (client == number))
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += [self.spare_held.eq(1), self.spare.eq(self.i.payload)]
        return m


class MemorySystem(wiring.Component):
    """`BlockReader` and `BlockWriter` on the same ports.

    Members
    -------
    requests : In(stream of `hw.flow.layouts.read_request`), one for each client
    words : Out(stream of words), one for each client    in the order of its requests
    blocks : In(stream of `hw.flow.layouts.write_block`)
    block_index : In(32)      of the command that writes the block
    vector_blocks, vector_index : In     the same of a vector unit, on a machine that has one
    hp0 .. : Out(`AXI3`)
    window_first, window_last, watchdog, halt, clear : In    of both
    writer_idle : Out(1)      every block has been written
    result_idle, vector_idle : Out(1)     with a vector unit: every block of that stage has been;
                              low from the cycle after one was taken
    quiet : Out(1)            no burst is under way in either
    read_fault, write_fault : Out(Fault)          for a cycle
    read_index, write_index : Out(32)         number of the command with the refused address. If
                              memory failed: the one that waits for the next word, the one that sent
                              the last block
    awaited : In(32), one for each client     index of the command that waits for the next word

    Timing: see there; a word comes a cycle later, and ``read_fault`` `READ_FAULT_CYCLES`.
    """

    def __init__(self, parameters: Parameters, *, primitives: bool = False):
        self.primitives = primitives
        self.reader, self.writer = BlockReader(parameters), BlockWriter(parameters)
        self.parameters, self.clients = parameters, read_clients(parameters)
        self.ports = [f"hp{number}" for number in range(parameters.memory.ports)]
        blocks = In(stream.Signature(write_block(parameters.block_bits)))
        vector = {
            "vector_blocks": blocks,
            "vector_index": In(INDEX_BITS),
            "result_idle": Out(1),
            "vector_idle": Out(1),
        }
        super().__init__(
            {
                "requests": In(stream.Signature(read_request())).array(self.clients),
                "words": Out(stream.Signature(8 * parameters.word_bytes)).array(self.clients),
                "blocks": blocks,
                **({} if parameters.vector is None else vector),
                **{port: Out(AXI3) for port in self.ports},
                "block_index": In(INDEX_BITS),
                "awaited": In(INDEX_BITS).array(self.clients),
                "window_first": In(ADDRESS_BITS),
                "window_last": In(ADDRESS_BITS),
                "watchdog": In(WORD_BITS),
                "halt": In(1),
                "clear": In(1),
                "writer_idle": Out(1),
                "quiet": Out(1),
                "read_fault": Out(Fault),
                "read_index": Out(INDEX_BITS),
                "write_index": Out(INDEX_BITS),
                "write_fault": Out(Fault),
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
        index = self._share_writer(m)
        self._share_reader(m)
        self._blame(m, index)
        m.d.comb += [
            self.write_fault.eq(writer.fault),
            self.writer_idle.eq(writer.idle),
            self.quiet.eq(reader.quiet & writer.quiet),
        ]
        return m

    def _share_writer(self, m: Module) -> Value:
        """The command that sends the next block."""
        if self.parameters.vector is None:
            wiring.connect(m, wiring.flipped(self.blocks), self.writer.blocks)
            return self.block_index
        arbiter = WriteArbiter(self.parameters, primitives=self.primitives)
        m.submodules.blocks = ResetInserter(self.clear)(arbiter)
        for number, blocks in enumerate((self.blocks, self.vector_blocks)):
            wiring.connect(m, wiring.flipped(blocks), arbiter.i[number])
        wiring.connect(m, arbiter.o, self.writer.blocks)
        m.d.comb += [
            arbiter.index[0].eq(self.block_index),
            arbiter.index[1].eq(self.vector_index),
        ]
        for blocks, idle in (
            (self.blocks, self.result_idle),
            (self.vector_blocks, self.vector_idle),
        ):
            self._owe(m, blocks, idle)
        return arbiter.o_index

    def _owe(self, m: Module, blocks: wiring.PureInterface, idle: Value) -> None:
        """A stage's own blocks: it does not wait for those that another one goes on sending."""
        taken = blocks.valid & blocks.ready
        owed, fresh = Signal(), Signal(OWED_CYCLES)
        m.d.comb += idle.eq(~owed)
        m.d.sync += fresh.eq(Cat(taken, fresh))
        with m.If(taken):
            m.d.sync += owed.eq(1)
        with m.Elif((self.writer.idle & ~fresh.any()) | self.clear):
            m.d.sync += owed.eq(0)

    def _blame(self, m: Module, index: Value) -> None:
        """The command at fault; a block is refused a known time after it was taken."""
        writer = self.writer
        self._blame_reader(m)
        late = [index]
        for number in range(WRITE_FAULT_CYCLES):
            late.append(Signal(INDEX_BITS, name=f"block_index_{number}"))
            m.d.sync += late[-1].eq(late[-2])
        last = Signal(INDEX_BITS)
        with m.If(writer.blocks.valid & writer.blocks.ready):
            m.d.sync += last.eq(index)
        m.d.comb += self.write_index.eq(Mux(_refused(writer.fault), late[-1], last))

    def _blame_reader(self, m: Module) -> None:
        """Passes on a read fault when the words before it have arrived, so that the waiting command
        is the one that waits for the bad word."""
        reader = self.reader
        passing = Signal(READ_FAULT_CYCLES)
        fault, index, client = Signal(Fault), Signal(INDEX_BITS), Signal(client_bits(self.clients))
        refused = Signal()
        following: Value = Cat(reader.fault.any(), passing)
        if self.parameters.vector is not None:
            # words of tensors that wait, for a MOVE or the turn of a block, come before
            waiting = self.words[TENSORS].valid & passing.any()
            following = Mux(waiting, 1, following)
        m.d.sync += [
            passing.eq(following & ~self.clear.replicate(len(passing))),
            refused.eq(_refused(fault)),
        ]
        with m.If(reader.fault.any()):
            m.d.sync += [
                fault.eq(reader.fault),
                index.eq(reader.fault_index),
                client.eq(reader.fault_client),
            ]
        waits = self.awaited[COMMANDS]
        for number in range(TENSORS, self.clients):
            waits = Mux(client == number, self.awaited[number], waits)
        m.d.comb += [
            self.read_fault.eq(Mux(passing[-1], fault, Fault.NONE)),
            self.read_index.eq(Mux(refused, index, waits)),
        ]

    def _share_reader(self, m: Module) -> None:
        arbiter = ReadArbiter(self.clients)
        layout = self.reader.words.payload.shape()
        router = WordRouter(layout, self.clients, primitives=self.primitives)
        m.submodules.arbiter = ResetInserter(self.clear)(arbiter)
        m.submodules.router = ResetInserter(self.clear)(router)
        wiring.connect(m, arbiter.o, self.reader.requests)
        wiring.connect(m, self.reader.words, router.i)
        for client in range(self.clients):
            wiring.connect(m, wiring.flipped(self.requests[client]), arbiter.i[client])
            wiring.connect(m, router.o[client], wiring.flipped(self.words[client]))
