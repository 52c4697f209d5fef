"""Raw results: a beat of sums as a run of blocks."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.copies import copies, copy_to
from fractrain.hw.flow.layouts import ADDRESS_BITS
from fractrain.hw.results.choice import choose

__all__ = ["RawSerializer"]

BLOCK_PARTS = 2


class RawSerializer(wiring.Component):
    """Cuts a beat, 32 or 48 bits of each sum, into blocks.

    Members
    -------
    sums : In            the beat
    load : In(1)         in the next cycle there is a new beat, with
    raw48, first : In    its format, whether it is the first of its tile
    start : In           address of the tile, while the beat is there
    issue : In(1)        take the next block
    last : Out(1)        it is the beat's last
    address : Out        of the block
    block : Out          its bits, a cycle later; 0 if none was issued

    Timing: a block per cycle.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__(
            {
                "sums": In(parameters.results_per_beat * SUM_BITS),
                "load": In(1),
                "raw48": In(1),
                "first": In(1),
                "start": In(ADDRESS_BITS),
                "issue": In(1),
                "last": Out(1),
                "address": Out(ADDRESS_BITS),
                "block": Out(parameters.block_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        short, long = self._blocks(32), self._blocks(SUM_BITS)
        blocks = short + long
        codes = _codes(len(blocks))
        # One for each part of the block: each chooses for many bits.
        width = max(codes).bit_length()
        numbers = copies(BLOCK_PARTS, name="number", width=width, reset_less=True)
        number = numbers[0]
        ends = len(short) - 1, len(blocks) - 1
        with m.If(self.load):
            # a beat has several blocks, so the first is not the last
            copy_to(m, numbers, Mux(self.raw48, codes[len(short)], 0))
            m.d.sync += self.last.eq(0)
        with m.Elif(self.issue):
            m.d.sync += self.last.eq(number.matches(*(codes[end - 1] for end in ends)))
            with m.Switch(number):
                for index in range(len(blocks) - 1):
                    with m.Case(codes[index]):
                        copy_to(m, numbers, codes[index + 1])
        width = self.parameters.block_bits // BLOCK_PARTS
        for part in range(BLOCK_PARTS):
            bits = slice(part * width, (part + 1) * width)
            self._select(m, bits, numbers[part], dict(zip(codes, blocks, strict=True)))
        self._address(m)
        return m

    def _select(self, m: Module, bits: slice, number: Value, blocks: Mapping[int, Value]) -> None:
        """``bits`` of the block of that ``number``, if it is issued."""
        selected = Signal(bits.stop - bits.start, name=f"selected_{bits.start}", reset_less=True)
        m.d.comb += self.block[bits].eq(selected)

        def select(code: int) -> None:
            m.d.sync += selected.eq(blocks[code][bits])

        with m.If(self.issue):
            choose(m, number, blocks, select)
        with m.Else():
            m.d.sync += selected.eq(0)

    def _blocks(self, bits: int) -> list[Value]:
        """The low ``bits`` of all sums, one behind the other, in blocks."""
        count = self.parameters.results_per_beat
        run = Cat(self.sums.word_select(index, SUM_BITS)[:bits] for index in range(count))
        width = self.parameters.block_bits
        return [run[start : start + width] for start in range(0, count * bits, width)]

    def _address(self, m: Module) -> None:
        """Blocks of a tile follow each other, beat after beat."""
        begin, following = Signal(), Signal(ADDRESS_BITS, reset_less=True)
        m.d.comb += self.address.eq(Mux(begin, self.start, following))
        with m.If(self.issue):
            m.d.sync += following.eq(self.address + self.parameters.block_bytes)
        with m.If(self.load):
            m.d.sync += begin.eq(self.first)
        with m.Elif(self.issue):
            m.d.sync += begin.eq(0)


def _codes(count: int) -> list[int]:
    """Numbers of ``count`` blocks, the 32-bit ones, then the 48-bit ones: 0, 1, 2, ... If two are
    left over from groups of four, their numbers differ in the bits that name the group."""
    whole = count // 4 * 4
    step = 4 if count % 4 == 2 else 1
    return [*range(whole), *(whole + step * i for i in range(count - whole))]
