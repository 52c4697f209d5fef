"""RECALL: blocks from memory, plane by plane, to lines of the side memory, pair by pair."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.unit_targets import report, target_members, unit_target
from fractrain.hw.flow.copies import copies, copy_to
from fractrain.hw.flow.layouts import CHIP_ADDRESS_BITS
from fractrain.hw.flow.unit_layouts import side_line
from fractrain.hw.memory.line_memory import PAIR, line_write

__all__ = ["BlockTurn"]


class BlockTurn(wiring.Component):
    """Members: `target_members`.

    A number of b planes is at the top of its word of ``side_bits``: plane p of a block goes into
    the register of bit ``side_bits`` - 1 - p of all its numbers, the mask into another, all others
    are cleared; then channels 2k and 2k + 1 of all registers leave as a pair, k after k. Pairs of
    lines are pairs of the memory, so an odd first line is refused as one beyond it is.

    Timing: for a block of b planes and C channels b + C/2 + 2 cycles, and one for its mask, if
    words come and writes are taken at once; two more for a task.
    Area: ``side_bits`` + 1 registers of a block, and a choice of C/2 for each bit of a pair.
    """

    def __init__(self, parameters: Parameters) -> None:
        assert parameters.vector is not None
        self.parameters = parameters
        self.size, self.bits = parameters.vector.side_words, parameters.vector.side_bits
        self.pairs = parameters.block.channels // PAIR
        self.line = side_line(parameters)
        self.write = line_write(self.size, self.line.size)
        super().__init__(target_members(parameters, self.write))
        block, registers = parameters.block_bits, self.bits + 1
        self.word = Signal(block, reset_less=True)
        self.takes = copies(registers, name="takes")
        self.clears = copies(registers, name="clears")
        self.planes = [
            Signal(block, name=f"plane_{bit}", reset_less=True) for bit in range(registers)
        ]
        """The bits of the numbers, least significant first, and the mask."""
        self.turn = copies(registers, name="turn", width=max(1, (self.pairs - 1).bit_length()))
        target = unit_target()
        growth = target["outer"].width + target["count"].width
        self.address = Signal(CHIP_ADDRESS_BITS + growth)
        """The first line of the next pair."""
        self.offers = Signal()
        self.left = Signal(range(registers + 1))
        """Words of the block to come."""
        self.place = Signal(self.bits)
        """One-hot: the bit that the next plane is."""
        self.groups, self.blocks = Signal(target["outer"].shape), Signal(target["count"].shape)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        target = self.targets.payload
        begins, refused = Signal(), Signal()
        beyond = (self.address >= self.size - 1) | self.address[0]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [
                    self.address.eq(target.destination),
                    self.groups.eq(target.outer),
                    self.blocks.eq(target.count),
                ]
                with m.If(self.targets.valid):
                    m.d.comb += begins.eq(1)
                    m.next = "READ"
                with m.If(self.targets.valid & target.skip):
                    m.next = "END"
            with m.State("READ"):
                with m.If(self._read(m)):
                    m.next = "HELD"
            with m.State("HELD"):
                m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += refused.eq(beyond & ~self.halt)
                with m.If(self._write(m, beyond)):
                    m.next = "COUNT"
            with m.State("COUNT"):
                m.d.comb += begins.eq(1)
                m.next = "READ"
                with m.If(self._count(m)):
                    m.next = "END"
            with m.State("END"):
                m.d.comb += self.ends.eq(~self.writes.valid)
                with m.If(self.ends):
                    m.next = "IDLE"
        with m.If(self.writes.valid & self.writes.ready & ~self.offers):
            m.d.sync += self.writes.valid.eq(0)
        m.d.comb += self.targets.ready.eq(self.ends)
        report(m, refused, self.fault)
        self._keep(m, begins)
        return m

    def _read(self, m: Module) -> Value:
        """Take the next word; whether it is the block's last."""
        target, words = self.targets.payload, self.words
        of_mask = target.masked & (self.left == 1)
        m.d.comb += [
            words.ready.eq(~self.halt),
            self.taken.eq(words.valid & words.ready),
        ]
        with m.If(self.taken):
            m.d.sync += [self.left.eq(self.left - 1), self.place.eq(self.place >> 1)]
            m.d.sync += [
                take.eq(self.place[bit] & ~of_mask) for bit, take in enumerate(self.takes[:-1])
            ]
            m.d.sync += self.takes[-1].eq(of_mask)
        return self.taken & (self.left == 1)

    def _keep(self, m: Module, begins: Value) -> None:
        """The registers of the planes, a cycle behind the words."""
        target = self.targets.payload
        copy_to(m, self.clears, begins)
        m.d.sync += self.word.eq(self.words.payload)
        with m.If(begins):
            m.d.sync += [
                self.left.eq(target.planes + target.masked),
                self.place.eq(1 << (self.bits - 1)),
            ]
        with m.If(~self.taken):
            copy_to(m, self.takes, 0)
        for plane, take, clear in zip(self.planes, self.takes, self.clears, strict=True):
            with m.If(clear):
                m.d.sync += plane.eq(0)
            with m.Elif(take):
                m.d.sync += plane.eq(self.word)

    def _write(self, m: Module, beyond: Value) -> Value:
        """Offer the next pair; whether it is the block's last."""
        write, moves = self.writes.payload, self.offers
        m.d.comb += moves.eq(~beyond & ~self.halt & (~self.writes.valid | self.writes.ready))
        with m.If(moves):
            m.d.sync += [
                write.address.eq(self.address >> 1),
                write.enable.eq((1 << PAIR) - 1),
                self.address.eq(self.address + PAIR),
                self.writes.valid.eq(1),
            ]
            copy_to(m, self.turn, self.turn[0] + 1)
            for place, line in enumerate(self._lines()):
                m.d.sync += write.data[place].eq(line)
        return moves & (self.turn[0] == self.pairs - 1)

    def _lines(self) -> list[Value]:
        """The lines of the pair whose turn it is."""
        channels, pixels = self.parameters.block.channels, self.parameters.array.rows
        shown = []
        for plane, turn in zip(self.planes, self.turn, strict=True):
            turned = Cat(
                plane[pixel * channels + PAIR * pair + place]
                for pair in range(self.pairs)
                for place in range(PAIR)
                for pixel in range(pixels)
            )
            shown.append(turned.word_select(turn, PAIR * pixels))
        lines = []
        for place in range(PAIR):
            *numbers, mask = (each.word_select(place, pixels) for each in shown)
            lines.append(Cat(*(bit[pixel] for pixel in range(pixels) for bit in numbers), mask))
        return lines

    def _count(self, m: Module) -> Value:
        """The next block; whether there is none."""
        last = self.blocks == 1
        m.d.sync += self.blocks.eq(self.blocks - 1)
        with m.If(last):
            m.d.sync += [
                self.blocks.eq(self.targets.payload.count),
                self.groups.eq(self.groups - 1),
            ]
        return last & (self.groups == 1)
