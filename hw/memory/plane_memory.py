"""Plane memory: digits of blocks, in two banks that are read side by side."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Member, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import CHIP_ADDRESS_BITS, plane_answer, plane_write
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.memory.block_memory import BlockMemory

__all__ = ["BANKS", "PlaneMemory", "bank_address_bits", "bank_read", "move_members"]

BANKS = 2


def bank_words(parameters: Parameters) -> int:
    """Words of one bank: half of the memory."""
    return -(-parameters.buffers.plane_words // BANKS)


def bank_address_bits(parameters: Parameters) -> int:
    """Width of an address inside a bank: the word's address without its lowest bit."""
    return (bank_words(parameters) - 1).bit_length()


def bank_read(parameters: Parameters) -> data.StructLayout:
    """What one bank reads in a cycle: the word ``2 * address + bank``, if ``enable``."""
    return data.StructLayout({"enable": 1, "address": bank_address_bits(parameters)})


def move_members(parameters: Parameters) -> dict[str, Member]:
    """Of a plane memory that a MOVE reads, and of all around it."""
    return {
        "moves": In(stream.Signature(CHIP_ADDRESS_BITS)),
        "moved": Out(plane_answer(parameters)),
    }


class PlaneMemory(wiring.Component):
    """``plane_words`` words, each one digit (``spatial_bits`` planes) of a block.

    The word at address ``a`` is in bank ``a % 2``. Each bank takes one write and one read per
    cycle; there is one write for both.

    Members
    -------
    write : In(plane_write(parameters))
        addresses are below ``plane_words``; the user checks them
    reads : In(ArrayLayout(bank_read(parameters), BANKS))
    advance : In(BANKS)    the output register of each bank takes what has been read last; all bits
                       are equal
    words : Out(ArrayLayout(8 * word_bytes, BANKS))

    With a vector unit a MOVE reads, too: at the write ports, in cycles without a write, so that the
    reads of the array are not held up and block RAM needs no third port.

    moves : In(stream of an address)     its transfer is the grant
    moved : Out(plane_answer)            `MOVE_CYCLES` later, without back-pressure

    Timing: a word is on ``words`` `LATENCY_CYCLES` after its read if ``advance`` is 1 in the cycle
    between, else later; it stays until the next ``advance``. A word that is read in the cycle in
    which it is written comes out old.
    """

    LATENCY_CYCLES = 2
    MOVE_CYCLES = 2

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        width = 8 * parameters.word_bytes
        self.moving = parameters.vector is not None
        super().__init__(
            {
                "write": In(plane_write(parameters)),
                "reads": In(data.ArrayLayout(bank_read(parameters), BANKS)),
                "advance": In(BANKS),
                "words": Out(data.ArrayLayout(width, BANKS)),
                **(move_members(parameters) if self.moving else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = 8 * self.parameters.word_bytes
        words, backs = [], []
        for bank in range(BANKS):
            depth = bank_words(self.parameters)
            memory = BlockMemory(width, depth, read_back=self.moving)
            m.submodules[f"bank_{bank}"] = memory
            word = Signal(width, name=f"word_{bank}", reset_less=True)
            m.d.comb += [
                memory.write_enable.eq(self.write.valid & (self.write.address[0] == bank)),
                memory.write_address.eq(self._write_address()),
                memory.write_data.eq(self.write.data),
                memory.read_enable.eq(self.reads[bank].enable),
                memory.read_address.eq(self.reads[bank].address),
            ]
            with m.If(self.advance[bank]):
                m.d.sync += word.eq(memory.read_data)
            words.append(word)
            if self.moving:
                backs.append(self._read_back(m, bank, memory))
        if self.moving:
            self._answer(m, backs)
        for bank, word in enumerate(words):
            m.d.comb += self.words[bank].eq(word)
        return m

    def _write_address(self) -> Value:
        """Inside a bank, of a write or else of a MOVE's read."""
        address = self.write.address[1:]
        return Mux(self.write.valid, address, self.moves.payload[1:]) if self.moving else address

    def _read_back(self, m: Module, bank: int, memory: BlockMemory) -> Value:
        m.d.comb += memory.back_enable.eq(
            self.moves.valid & self.moves.ready & (self.moves.payload[0] == bank)
        )
        return memory.back_data

    def _answer(self, m: Module, backs: list[Value]) -> None:
        there, bank, shown = Signal(), Signal(), Signal()
        m.d.comb += self.moves.ready.eq(~self.write.valid)
        m.d.sync += [
            there.eq(self.moves.valid & self.moves.ready),
            bank.eq(self.moves.payload[0]),
            self.moved.valid.eq(there),
            shown.eq(bank),
        ]
        # registers behind the block RAM, and the choice behind them
        words = [
            Signal.like(back, name=f"moved_{number}", reset_less=True)
            for number, back in enumerate(backs)
        ]
        m.d.sync += [word.eq(back) for word, back in zip(words, backs, strict=True)]
        m.d.comb += self.moved.data.eq(
            pair_mux(m, shown, words[1], words[0], name="moved", primitives=self.primitives)
        )
