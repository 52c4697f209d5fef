"""The window: nine slots of a block each, and their arrangement for the rows of the array."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.parameters import Parameters
from hw.feeder.pair_issue import PIXEL_CLASSES
from hw.feeder.variants import QUARTERS
from hw.memory.plane_memory import BANKS

__all__ = ["SLOTS", "WindowRegister", "rows_layout", "window_write"]

SLOTS = 9
COLUMNS = 3
"""Slots ``s`` with equal ``s % 3`` are written from the same variant."""


def rows_layout(parameters: Parameters) -> data.ArrayLayout:
    """As `MacArray.rows`: one digit of every unit row, bit ``plane * lanes + lane``."""
    array = parameters.array
    return data.ArrayLayout(array.spatial_bits * array.lanes, array.rows)


def window_write(parameters: Parameters) -> data.StructLayout:
    """What a step writes into the window.

    blocks : of each bank, the variant for each column of slots
    pieces : of each slot and quarter, for the first pixel, those in the middle and the last:
        whether they are written, and with which quarter of the variant from which bank
    last : the window is complete then; gradient : it is to be arranged for the gradient
    """
    piece = data.StructLayout({"enable": 1, "bank": 1, "quarter": 2})
    slot = data.ArrayLayout(data.ArrayLayout(piece, PIXEL_CLASSES), QUARTERS)
    block = data.ArrayLayout(8 * parameters.word_bytes, COLUMNS)
    return data.StructLayout(
        {
            "blocks": data.ArrayLayout(block, BANKS),
            "pieces": data.ArrayLayout(slot, SLOTS),
            "last": 1,
            "gradient": 1,
        }
    )


class WindowRegister(wiring.Component):
    """Gathers a window while the one before it is on the rows.

    Members
    -------
    i : In(stream(window_write(parameters)))
        ready while the window is not complete, and in the cycle in which it is taken
    complete : Out(1)    the window is there
    take : In(1)         use it (only while ``complete``)
    rows : Out(rows_layout(parameters))

    Timing: ``complete`` in the cycle after the last write; ``rows`` shows the window from
    `LATENCY_CYCLES` after ``take`` until `LATENCY_CYCLES` after the next. What no step writes
    keeps the value that an earlier window had there.
    """

    LATENCY_CYCLES = 2

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        array = parameters.array
        self.planes, self.pixels = array.spatial_bits, array.rows
        self.channels = parameters.block.channels
        super().__init__(
            {
                "i": In(stream.Signature(window_write(parameters))),
                "complete": Out(1),
                "take": In(1),
                "rows": Out(rows_layout(parameters)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        write = self.i.payload
        slots = [self._write_slot(m, slot) for slot in range(SLOTS)]
        gradient, taken_gradient, taken = Signal(), Signal(), Signal()
        taken_slots = [
            Signal(len(slot), name=f"taken_{i}", reset_less=True) for i, slot in enumerate(slots)
        ]
        rows = Signal(rows_layout(self.parameters), reset_less=True)
        m.d.comb += [self.i.ready.eq(~self.complete | self.take), self.rows.eq(rows)]
        with m.If(self.i.ready):
            m.d.sync += [
                self.complete.eq(self.i.valid & write.last),
                gradient.eq(write.gradient),
            ]
        m.d.sync += taken.eq(self.take)
        with m.If(self.take):
            m.d.sync += taken_gradient.eq(gradient)
            m.d.sync += [held.eq(slot) for held, slot in zip(taken_slots, slots, strict=True)]
        # Under If, so that the simulation permutes single bits for a gradient only.
        with m.If(taken):
            with m.If(taken_gradient):
                m.d.sync += rows.eq(self._for_gradient(taken_slots))
            with m.Else():
                m.d.sync += rows.eq(self._for_forward(taken_slots))
        return m

    def _write_slot(self, m: Module, slot: int) -> Value:
        """The registers of a slot, in the order of a word."""
        quarter_bits = self.channels * self.pixels // QUARTERS
        inner = quarter_bits - self.channels
        ranges = [(0, self.channels), (self.channels, inner), (inner, quarter_bits)]
        planes: list[list[Value]] = [[] for _ in range(self.planes)]
        for quarter in range(QUARTERS):
            for each, (begin, end) in enumerate(ranges):
                width = self.planes * (end - begin)
                part = Signal(width, name=f"slot_{slot}_{quarter}_{each}", reset_less=True)
                self._write_piece(m, part, slot, quarter, each, begin, end)
                for plane in range(self.planes):
                    planes[plane].append(part[plane * (end - begin) :][: end - begin])
        return Cat(planes)

    def _write_piece(
        self, m: Module, part: Signal, slot: int, quarter: int, each: int, begin: int, end: int
    ) -> None:
        """Bits ``begin`` to ``end`` of a quarter, from any quarter of either bank."""
        write = self.i.payload
        piece = write.pieces[slot][quarter][each]
        block_bits = self.channels * self.pixels
        quarter_bits = block_bits // QUARTERS
        with m.If(self.i.valid & self.i.ready & piece.enable):
            with m.Switch(Cat(piece.quarter, piece.bank)):
                for select in range(QUARTERS * BANKS):
                    bank, source = divmod(select, QUARTERS)
                    word = write.blocks[bank][slot % COLUMNS]
                    first = source * quarter_bits
                    bits = [
                        word[plane * block_bits + first + begin : plane * block_bits + first + end]
                        for plane in range(self.planes)
                    ]
                    with m.Case(select):
                        m.d.sync += part.eq(Cat(bits))

    def _for_forward(self, slots: list[Signal]) -> Value:
        """Unit row m, lane g*C + c: pixel m, channel c of slot g."""
        size, block_bits = self.channels, self.channels * self.pixels
        return Cat(
            slot[plane * block_bits + pixel * size :][:size]
            for pixel in range(self.pixels)
            for plane in range(self.planes)
            for slot in slots
        )

    def _for_gradient(self, slots: list[Signal]) -> Value:
        """Unit row j*C + c, lane b*P + i: pixel i, channel c of block b of pair j."""
        size, block_bits = self.channels, self.channels * self.pixels
        rest = Const(0, SLOTS * size - 4 * self.pixels)
        return Cat(
            Cat(
                Cat(
                    slots[3 * block + pair if block < 3 else 2 + 3 * pair][
                        plane * block_bits + pixel * size + channel
                    ]
                    for block in range(4)
                    for pixel in range(self.pixels)
                ),
                rest,
            )
            for pair in range(2)
            for channel in range(size)
            for plane in range(self.planes)
        )
