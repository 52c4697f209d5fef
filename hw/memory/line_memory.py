"""A memory of lines, two of them a word, that several users share."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.copies import copies, copy_to
from fractrain.hw.flow.delay import delayed
from fractrain.hw.memory.block_memory import LARGEST_ARRAY_BITS, BlockMemory

__all__ = ["PAIR", "LineMemory", "line_pair", "line_write", "pair_count"]

PAIR = 2
"""Lines of a word: channels 2k and 2k + 1 of a block."""

MOST_RAMS = 16
"""Block RAMs that one address register drives."""


def pair_count(words: int) -> int:
    """Words of two lines that hold ``words`` lines."""
    return -(-words // PAIR)


def line_pair(line_bits: int) -> data.ArrayLayout:
    """Lines 2a and 2a + 1."""
    return data.ArrayLayout(line_bits, PAIR)


def line_write(words: int, line_bits: int) -> data.StructLayout:
    """The lines of ``data`` in ``enable``, bit i for line i, become those of pair ``address``."""
    return data.StructLayout(
        {"address": range(pair_count(words)), "data": line_pair(line_bits), "enable": PAIR}
    )


def part_bits(depth: int) -> int:
    """Bits of a word whose block RAMs one address register drives."""
    # a RAM of more than 512 words gives 36 bits of them, or half as many of twice as many
    each = max(1, 72 * 512 // max(512, 1 << (depth - 1).bit_length()))
    return min(each * MOST_RAMS, max(1, LARGEST_ARRAY_BITS // depth))


class LineMemory(wiring.Component):
    """``words`` lines of ``line_bits`` bits for ``clients`` users; pair a is lines 2a and 2a + 1.

    A pair is read, and the lines of a pair are written, in one cycle: one read and one write port.
    Of several users the first has its turn; a reader and a writer do not compete.

    Members, one for each client
    -------
    reads : In(stream of a pair's address)        its transfer is the grant
    answers : Out(clients)                        one-hot: ``data`` is what this client has read
    data : Out(`line_pair`)                       the same for all, until the next answer
    writes : In(stream of `line_write`)           its transfer is the grant
    lost_reads, lost_writes : Out(clients)        the client waits in this cycle: another has its
                                                  turn

    Timing: ``answers`` `READ_CYCLES` after the grant, in the order of grants, without
    back-pressure; a transfer a cycle each way. A read that is granted after a write reads what was
    written, one granted with it or before what was there. ``ready`` depends on the ``valid`` of
    clients before only. Addresses beyond the memory wrap or read anything: users check them.
    Area: an address register for each 16 block RAMs.
    Errors: `ParameterError` for no words, bits or clients.
    """

    READ_CYCLES = 4
    """The turn, the choice, the block RAM, its output register."""

    def __init__(self, words: int, line_bits: int, clients: int) -> None:
        for name, each in (("words", words), ("bits of a line", line_bits), ("clients", clients)):
            if each < 1:
                raise ParameterError(f"{name} of a line memory", each, "at least 1")
        self.words, self.line_bits, self.clients = words, line_bits, clients
        self.pairs = pair_count(words)
        write = line_write(words, line_bits)
        super().__init__(
            {
                "reads": In(stream.Signature(range(self.pairs))).array(clients),
                "answers": Out(clients),
                "data": Out(line_pair(line_bits)),
                "writes": In(stream.Signature(write)).array(clients),
                "lost_reads": Out(clients),
                "lost_writes": Out(clients),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parts = [
            (line, start)
            for line in range(PAIR)
            for start in range(0, self.line_bits, part_bits(self.pairs))
        ]
        reads = _Turns(m, "read", self.reads, self.lost_reads, len(parts))
        writes = _Turns(m, "write", self.writes, self.lost_writes, len(parts))
        from_, to = (
            copies(len(parts), name=name, width=(self.pairs - 1).bit_length(), reset_less=True)
            for name in ("from", "to")
        )
        copy_to(m, from_, reads.choose(0, reads.given))
        copy_to(m, to, writes.choose(0, [each.address for each in writes.given]))
        shown = copies(len(parts), name="shown")
        copy_to(m, shown, delayed(m, reads.any, 1, name="read", reset_less=False))
        for number, (line, start) in enumerate(parts):
            width = min(part_bits(self.pairs), self.line_bits - start)
            bits = slice(start, start + width)
            m.submodules[f"part_{number}"] = part = BlockMemory(width, self.pairs)
            write, read = (Signal(name=f"{name}_{number}") for name in ("write", "read"))
            word, result = (
                Signal(width, name=f"{name}_{number}", reset_less=True)
                for name in ("word", "result")
            )
            m.d.sync += [
                write.eq(writes.choose(number, [each.enable[line] for each in writes.given])),
                word.eq(writes.choose(number, [each.data[line][bits] for each in writes.given])),
                read.eq(reads.any),
            ]
            m.d.comb += [
                part.write_enable.eq(write),
                part.write_address.eq(to[number]),
                part.write_data.eq(word),
                part.read_enable.eq(read),
                part.read_address.eq(from_[number]),
                self.data[line][bits].eq(result),
            ]
            with m.If(shown[number]):
                m.d.sync += result.eq(part.read_data)
        since = self.READ_CYCLES - reads.cycles
        m.d.comb += self.answers.eq(delayed(m, reads.all, since, name="answer", reset_less=False))
        return m


class _Turns:
    """Whose turn it is, of the clients of one port: the first that wants to.

    given : what each client wants, a cycle later
    all, any : who has had a turn (one-hot), whether somebody has, a cycle later
    """

    cycles = 1

    def __init__(self, m: Module, name: str, streams: Any, lost: Value, parts: int) -> None:
        self.given = []
        self._turns = []
        before: Value = Const(0, 1)
        for client, each in enumerate(streams):
            m.d.comb += [each.ready.eq(~before), lost[client].eq(each.valid & before)]
            given = Signal.like(each.payload, name=f"{name}_of_{client}", reset_less=True)
            turns = copies(parts, name=f"{name}_turn_{client}")
            m.d.sync += given.eq(each.payload)
            copy_to(m, turns, each.valid & ~before)
            self.given.append(given)
            self._turns.append(turns)
            before = before | each.valid
        self.all = Cat(turns[0] for turns in self._turns)
        self.any = Signal(name=f"{name}_any")
        m.d.comb += self.any.eq(self.all.any())

    def choose(self, part: int, values: list) -> Value:
        """The value of the client that has had its turn, 0 if none has; by the registers of
        ``part``."""
        total: Value = Const(0, len(values[0]))
        for turns, value in zip(self._turns, values, strict=True):
            total = total | value & turns[part].replicate(len(value))
        return total
