"""Plane memory: digits of blocks, in two banks that are read side by side."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.layouts import plane_write
from fractrain.hw.memory.block_memory import BlockMemory

__all__ = ["BANKS", "PlaneMemory", "bank_address_bits", "bank_read"]

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

    Timing: a word is on ``words`` `LATENCY_CYCLES` after its read if ``advance`` is 1 in the cycle
    between, else later; it stays until the next ``advance``. A word that is read in the cycle in
    which it is written comes out old.
    """

    LATENCY_CYCLES = 2

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        width = 8 * parameters.word_bytes
        super().__init__(
            {
                "write": In(plane_write(parameters)),
                "reads": In(data.ArrayLayout(bank_read(parameters), BANKS)),
                "advance": In(BANKS),
                "words": Out(data.ArrayLayout(width, BANKS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = 8 * self.parameters.word_bytes
        words = []
        for bank in range(BANKS):
            memory = BlockMemory(width, bank_words(self.parameters))
            m.submodules[f"bank_{bank}"] = memory
            word = Signal(width, name=f"word_{bank}", reset_less=True)
            m.d.comb += [
                memory.write_enable.eq(self.write.valid & (self.write.address[0] == bank)),
                memory.write_address.eq(self.write.address[1:]),
                memory.write_data.eq(self.write.data),
                memory.read_enable.eq(self.reads[bank].enable),
                memory.read_address.eq(self.reads[bank].address),
            ]
            with m.If(self.advance[bank]):
                m.d.sync += word.eq(memory.read_data)
            words.append(word)
        for bank, word in enumerate(words):
            m.d.comb += self.words[bank].eq(word)
        return m
