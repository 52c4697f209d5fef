"""The command stream: from memory to the decoder."""

from amaranth.hdl import Cat, Elaboratable, Module, Mux, ResetInserter, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.bursts import BURST_BYTES
from fractrain.hw.contract.commands import COMMAND_BITS, COMMAND_BYTES
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.requests import word_shift
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import ADDRESS_BITS, read_request
from fractrain.hw.flow.tasks import INDEX_BITS

__all__ = ["CommandFetcher", "CommandRequests", "CommandWords", "program_command"]

LATENCY_COMMANDS = 64
"""Commands requested ahead, at least: more than the latency of memory in cycles."""


def program_command() -> data.StructLayout:
    """A command word, and whether it is the last of the program."""
    return data.StructLayout({"command": COMMAND_BITS, "last": 1})


def commands_ahead(parameters: Parameters) -> int:
    """Most commands between their request and the decoder: a power of two, two bursts or more."""
    bursts = 2 * max(BURST_BYTES, parameters.word_bytes) // COMMAND_BYTES
    wanted = max(LATENCY_COMMANDS, 2 * parameters.queues.commands, bursts)
    return 1 << (wanted - 1).bit_length()


class CommandRequests(wiring.Component):
    """Requests the words of a program, a burst at a time, when there is room for them.

    Members
    -------
    start : In(1), address, count : In(32)    as `CommandFetcher`
    freed : In(1)                             a command has left
    requests : Out(stream of `read_request`)

    A request's ``index``: number of the first command the request touches, even partially.

    Timing: a request every three cycles, the first three cycles after ``start``. Room is counted in
    commands, or words if these are shorter.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.shift = word_shift(parameters)
        unit = min(parameters.word_bytes, COMMAND_BYTES)
        self.burst_words = max(1, BURST_BYTES // parameters.word_bytes)
        self.units_per_word = parameters.word_bytes // unit
        self.units_per_command = COMMAND_BYTES // unit
        self.room = commands_ahead(parameters) * self.units_per_command
        super().__init__(
            {
                "start": In(1),
                "address": In(ADDRESS_BITS),
                "count": In(INDEX_BITS),
                "freed": In(1),
                "requests": Out(stream.Signature(read_request())),
            }
        )
        self.left = Signal(INDEX_BITS + 1)
        """Words still to be requested."""
        self.free = Signal(range(self.room + 1), init=self.room)
        self.asked = Signal(INDEX_BITS + 1)
        """Words requested."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request, asked = self.requests.payload, Signal()
        # of a burst: words to its end, and whether the program ends before
        until = Signal(range(self.burst_words + 1))
        short, some = Signal(), Signal()
        m.d.comb += asked.eq(self.requests.valid & self.requests.ready)
        place = (request.address >> self.shift) & (self.burst_words - 1)
        m.d.sync += [
            until.eq(self.burst_words - place),
            short.eq(self.left < self.burst_words - place),
            some.eq(self.left != 0),
        ]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [
                        request.address.eq(self.address),
                        self.left.eq(self._words()),
                        self.asked.eq(0),
                    ]
                    m.next = "MEASURE"
            with m.State("MEASURE"):
                m.next = "SIZE"
            with m.State("SIZE"):
                m.d.sync += [
                    request.words.eq(Mux(short, self.left[: len(until)], until)),
                    request.index.eq(self._first_command()),
                ]
                with m.If(~some):
                    m.next = "IDLE"
                with m.Elif(self.free >= self.burst_words * self.units_per_word):
                    m.d.sync += self.requests.valid.eq(1)
                    m.next = "OFFER"
            with m.State("OFFER"):
                with m.If(self.requests.ready):
                    words = request.words[: len(until)]
                    m.d.sync += [
                        self.requests.valid.eq(0),
                        request.address.eq(request.address + (words << self.shift)),
                        self.left.eq(self.left - words),
                        self.asked.eq(self.asked + words),
                    ]
                    m.next = "MEASURE"
        used = Mux(asked, request.words[: len(until)] * self.units_per_word, 0)
        freed = Mux(self.freed, self.units_per_command, 0)
        m.d.sync += self.free.eq(self.free - used + freed)
        with m.If(self.start):  # what remained of the last word of the program before
            m.d.sync += self.free.eq(self.room)
        return m

    def _first_command(self) -> object:
        shift = self.units_per_word.bit_length() - self.units_per_command.bit_length()
        return self.asked << shift if shift > 0 else self.asked >> -shift

    def _words(self) -> object:
        """Of the whole program, the last one perhaps only in part."""
        if self.units_per_word == 1:
            return self.count * self.units_per_command
        return (self.count + (self.units_per_word - 1)) >> (self.units_per_word.bit_length() - 1)


class CommandWords(wiring.Component):
    """Cuts words into commands, or joins them.

    Members
    -------
    start : In(1), count : In(32)     as `CommandFetcher`
    empty : In(1)                     ``count`` is 0
    words : In(stream of words)       always taken: a word of n commands in n cycles
    valid : Out(1), command : Out(`program_command`)
    received : Out(32)                commands so far
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "start": In(1),
                "count": In(INDEX_BITS),
                "empty": In(1),
                "words": In(stream.Signature(8 * parameters.word_bytes)),
                "valid": Out(1),
                "command": Out(program_command()),
                "received": Out(INDEX_BITS),
            }
        )
        self.expecting = Signal()
        self.beyond = Signal(signed(INDEX_BITS + 1))
        """Commands to come, less two: negative if the next is the last."""
        self.final = self.beyond[-1]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        whole = Signal()
        m.d.comb += whole.eq(self.words.valid & self.expecting)
        bits = 8 * self.parameters.word_bytes
        if bits < COMMAND_BITS:
            self._join(m, COMMAND_BITS // bits, whole)
        else:
            self._cut(m, bits // COMMAND_BITS, whole)
        return m

    def _join(self, m: Module, words: int, taken: Signal) -> None:
        bits = 8 * self.parameters.word_bytes
        number, complete = Signal(range(words)), Signal()
        m.d.comb += [
            self.words.ready.eq(self.expecting),
            complete.eq(taken & (number == words - 1)),
        ]
        with m.If(taken):
            command = self.command.command
            m.d.sync += [
                command.eq(Cat(command[bits:], self.words.payload)),
                number.eq(Mux(complete, 0, number + 1)),
            ]
        self._count(m, complete)

    def _cut(self, m: Module, commands: int, given: Signal) -> None:
        number, whole = Signal(range(max(2, commands))), Signal()
        m.d.comb += [
            whole.eq((number == commands - 1) | self.final),
            self.words.ready.eq(self.expecting & whole),
        ]
        with m.If(given):
            m.d.sync += [
                self.command.command.eq(self.words.payload.word_select(number, COMMAND_BITS)),
                number.eq(Mux(whole, 0, number + 1)),
            ]
        self._count(m, given)

    def _count(self, m: Module, complete: Signal) -> None:
        m.d.sync += self.valid.eq(complete)
        with m.If(self.start):
            m.d.sync += [
                self.expecting.eq(~self.empty),
                self.beyond.eq(self.count - 2),
                self.received.eq(0),
            ]
        with m.Elif(complete):
            m.d.sync += [
                self.expecting.eq(~self.final),
                self.beyond.eq(self.beyond - 1),
                self.received.eq(self.received + 1),
                self.command.last.eq(self.final),
            ]


class CommandFetcher(wiring.Component):
    """Fetches a program and hands its commands out in order.

    Members
    -------
    start : In(1), address, count : In(32)
        begin a program of ``count`` commands at byte ``address``; only after reset, `clear` or
        ``done``. An unaligned address is requested as it is: the reader refuses it
    requests : Out(stream of `read_request`), words : In(stream of words)
        the words that hold the program, and no others; each is taken at once, or within as many
        cycles as it has commands
    commands : Out(stream of `program_command`)
    done : Out(1)         the commands have all been delivered
    index : Out(32)       number of the next command to come
    words_taken : Out(1)  a word has come in, two cycles ago
    clear : In(1)         forget the program and the requested words: they must not come

    Timing: a command per cycle; the first request four cycles after ``start``. `commands_ahead`
    commands are requested ahead, in bursts that do not cross a multiple of 128 bytes, or of a
    longer word.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "start": In(1),
                "address": In(ADDRESS_BITS),
                "count": In(INDEX_BITS),
                "requests": Out(stream.Signature(read_request())),
                "words": In(stream.Signature(8 * parameters.word_bytes)),
                "commands": Out(stream.Signature(program_command())),
                "done": Out(1),
                "index": Out(INDEX_BITS),
                "words_taken": Out(1),
                "clear": In(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.requests = asking = CommandRequests(self.parameters)
        m.submodules.words = words = CommandWords(self.parameters)
        depth = commands_ahead(self.parameters) + Fifo.SLACK
        m.submodules.fifo = fifo = Fifo(program_command(), depth)
        wiring.connect(m, fifo.r_stream, wiring.flipped(self.commands))
        wiring.connect(m, asking.requests, wiring.flipped(self.requests))
        wiring.connect(m, wiring.flipped(self.words), words.words)
        leaves, start, empty = Signal(), Signal(), Signal()
        address, count = Signal(ADDRESS_BITS), Signal(INDEX_BITS)
        m.d.sync += [
            start.eq(self.start),
            address.eq(self.address),
            count.eq(self.count),
            empty.eq(self.count == 0),
        ]
        m.d.comb += [
            asking.start.eq(start),
            asking.address.eq(address),
            asking.count.eq(count),
            asking.freed.eq(leaves),
            words.start.eq(start),
            words.count.eq(count),
            words.empty.eq(empty),
            fifo.w_en.eq(words.valid),
            fifo.w_data.eq(words.command),
            self.index.eq(words.received),
            leaves.eq(self.commands.valid & self.commands.ready),
        ]
        taken = Signal()
        m.d.sync += [
            taken.eq(self.words.valid & self.words.ready),
            self.words_taken.eq(taken),
        ]
        with m.If(self.start):
            m.d.sync += self.done.eq(0)
        with m.Elif(start):
            m.d.sync += self.done.eq(empty)
        with m.Elif(leaves & self.commands.payload.last):
            m.d.sync += self.done.eq(1)
        return ResetInserter(self.clear)(m)
