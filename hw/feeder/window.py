"""The window: nine slots of a block each, and their arrangement for the rows of the array."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.window import (
    GRADIENT_BLOCKS,
    QUARTERS,
    SLOT_COLUMNS,
    SLOTS,
    gradient_slot,
)
from fractrain.hw.feeder.pair_issue import PIXEL_CLASSES
from fractrain.hw.flow.copies import copies, copy_to
from fractrain.hw.flow.layouts import row_operand
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.flow.wide_mux import wide_mux
from fractrain.hw.memory.plane_memory import BANKS

__all__ = [
    "ADVANCES",
    "PIECE",
    "WRITES",
    "WindowRegister",
    "window_write",
    "write_piece",
]

WRITES = 0
"""Bit of ``advance`` for the window itself and for what is small."""
ADVANCES = 1 + BANKS * (1 + SLOT_COLUMNS)
"""One more for each word that is read, and for each variant of it."""

ROWS_OF_A_GROUP = 4
"""Rows of the array that share the registers which enable them."""


PIECE = data.StructLayout({"enable": 1, "bank": 1, "quarter": 2})
"""Some pixels of a slot: are they written, and from which quarter of the variant of which bank."""


def window_write(parameters: Parameters) -> data.StructLayout:
    """What a step writes into the window.

    blocks : of each bank, the variant for each column of slots
    pieces : of each slot and quarter, for the first pixel, those in the middle and the last
    last : the window is complete then; gradient : it is to be arranged for the gradient

    No piece is enabled while there is no write.
    """
    slot = data.ArrayLayout(data.ArrayLayout(PIECE, PIXEL_CLASSES), QUARTERS)
    block = data.ArrayLayout(8 * parameters.word_bytes, SLOT_COLUMNS)
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
    write : In(window_write(parameters))
    coming : In(1)       after the next ``advance``, ``write`` is a write
    advance : Out(ADVANCES)    ``write`` is done, if there is one; the next may come. All bits are
                         equal; each drives a part
    complete : Out(1)    the window is there
    take : In(1)         use it (only while ``complete``)
    busy : Out(1)        a write or a window is waiting
    rows : Out(row_operand(parameters.array))

    Timing: while a window is complete, a write of the next one waits; it is done in the cycle of
    ``take``. ``complete`` comes in the cycle after the last write; ``rows`` shows the window from
    `LATENCY_CYCLES` after ``take`` until `LATENCY_CYCLES` after the next. A pixel that no step
    writes keeps its value from an earlier window.

    ``primitives`` : with instances of MUXF7 and LUT6_2, which Yosys does not find; the same logic.
    """

    LATENCY_CYCLES = 2

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        array = parameters.array
        self.planes, self.pixels = array.spatial_bits, array.rows
        self.channels = parameters.block.channels
        super().__init__(
            {
                "write": In(window_write(parameters)),
                "coming": In(1),
                "advance": Out(ADVANCES),
                "complete": Out(1),
                "take": In(1),
                "busy": Out(1),
                "rows": Out(row_operand(parameters.array)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        slots = [self._write_slot(m, slot) for slot in range(SLOTS)]
        gradient = Signal()
        groups = -(-self.pixels // ROWS_OF_A_GROUP)
        taken, taken_gradient = copies(groups, name="row_take"), copies(groups, name="for_gradient")
        offered = self._advance(m)
        taken_slots = [
            Signal(len(slot), name=f"taken_{i}", reset_less=True) for i, slot in enumerate(slots)
        ]
        copy_to(m, taken, self.take)
        with m.If(self.advance[WRITES] & offered):
            m.d.sync += gradient.eq(self.write.gradient)
        # Every cycle: ``take`` comes late and enables many registers already.
        copy_to(m, taken_gradient, gradient)
        m.d.sync += [held.eq(slot) for held, slot in zip(taken_slots, slots, strict=True)]
        # One register a row: all rows in one would be a concatenation of single bits on one line of
        # Verilog, and tools refuse some ten thousand.
        rows = [
            Signal(len(row), name=f"row_{i}", reset_less=True) for i, row in enumerate(self.rows)
        ]
        m.d.comb += [shown.eq(row) for shown, row in zip(self.rows, rows, strict=True)]
        for i, row in enumerate(rows):
            with m.If(taken[i // ROWS_OF_A_GROUP]):
                self._show(m, row, taken_slots, i, taken_gradient[i // ROWS_OF_A_GROUP])
        return m

    def _show(self, m: Module, row: Signal, slots: list[Signal], i: int, gradient: Value) -> None:
        ways = self._for_gradient(slots, i), self._for_forward(slots, i)
        if self.primitives:
            shown = pair_mux(m, gradient, *ways, name=f"shown_{i}", primitives=True)
            m.d.sync += row.eq(shown)
            return
        # Under If: the simulation then permutes single bits for a gradient only.
        with m.If(gradient):
            m.d.sync += row.eq(ways[0])
        with m.Else():
            m.d.sync += row.eq(ways[1])

    def _advance(self, m: Module) -> Signal:
        """Whether there is a write; ``complete``, and what must wait for ``take``.

        ``take`` comes late and ``advance`` moves the whole feeder, so only one gate lies between
        them: ``held`` (there are a window and a write) is a register for each bit of ``advance``.
        """
        offered, held = Signal(name="offered"), copies(ADVANCES, name="held")
        closing, left = offered & self.write.last, self.complete & ~self.take
        advance = self.advance[WRITES]
        m.d.comb += [
            self.advance.eq(Cat(~each | self.take for each in held)),
            self.busy.eq(offered | self.complete),
        ]
        m.d.sync += self.complete.eq((closing & advance) | left)
        with m.If(advance):
            m.d.sync += offered.eq(self.coming)
            copy_to(m, held, self.coming & (closing | left))
        return offered

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
        write = self.write
        piece = write.pieces[slot][quarter][each]
        block_bits = self.channels * self.pixels
        quarter_bits = block_bits // QUARTERS
        sources = []
        for bank in range(BANKS):
            word = write.blocks[bank][slot % SLOT_COLUMNS]
            for source in range(QUARTERS):
                starts = range(source * quarter_bits, len(word), block_bits)
                sources.append(Cat(word[start + begin : start + end] for start in starts))
        enable = self.advance[WRITES] & piece.enable
        write_piece(m, part, sources, piece, enable, primitives=self.primitives)

    def _for_forward(self, slots: list[Signal], row: int) -> Value:
        """Unit row m, lane g*C + c: pixel m, channel c of slot g."""
        size, block_bits = self.channels, self.channels * self.pixels
        return Cat(
            slot[plane * block_bits + row * size :][:size]
            for plane in range(self.planes)
            for slot in slots
        )

    def _for_gradient(self, slots: list[Signal], row: int) -> Value:
        """Unit row j*C + c, lane b*P + i: pixel i, channel c of block b of pair j."""
        size, block_bits = self.channels, self.channels * self.pixels
        pair, channel = divmod(row, size)
        rest = Const(0, SLOTS * size - GRADIENT_BLOCKS * self.pixels)
        return Cat(
            Cat(
                Cat(
                    slots[gradient_slot(pair, block)][plane * block_bits + pixel * size + channel]
                    for block in range(GRADIENT_BLOCKS)
                    for pixel in range(self.pixels)
                ),
                rest,
            )
            for plane in range(self.planes)
        )


def write_piece(
    m: Module,
    part: Signal,
    sources: list[Value],
    piece: data.View,
    enable: Value,
    *,
    primitives: bool,
) -> None:
    """Write ``sources[4 * piece.bank + piece.quarter]`` into ``part`` if ``enable``."""
    if not primitives:
        with m.If(enable), m.Switch(Cat(piece.quarter, piece.bank)):
            for select, value in enumerate(sources):
                with m.Case(select):
                    m.d.sync += part.eq(value)
        return
    chosen = wide_mux(m, sources, Cat(piece.quarter, piece.bank), name=part.name)
    with m.If(enable):
        m.d.sync += part.eq(chosen)
