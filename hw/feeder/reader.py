"""From steps to the window: plane memory, variants, and what is written where."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import ROTATION_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.window import QUARTERS, SLOT_COLUMNS, SLOTS
from fractrain.hw.feeder.pair_issue import PIXEL_CLASSES, read_step
from fractrain.hw.feeder.variants import SHOWN, BlockVariants
from fractrain.hw.feeder.window import ADVANCES, WRITES, window_write
from fractrain.hw.flow.layouts import plane_write
from fractrain.hw.memory.plane_memory import (
    BANKS,
    PlaneMemory,
    bank_address_bits,
    move_members,
)

__all__ = ["WindowReader"]


class WindowReader(wiring.Component):
    """Carries out the steps of the banks and offers what they read to the window.

    Members
    -------
    write : In(plane_write(parameters))
    steps : In(stream(read_step))
    o : Out(window_write(parameters)), coming : Out(1), advance : In(ADVANCES)
        as in `WindowRegister`
    busy : Out(1)    a step is inside
    moves, moved     with a vector unit, as in `PlaneMemory`

    Timing: `LATENCY_CYCLES` from ``steps`` to ``o``, a step per cycle; nothing moves without
    ``advance``.
    """

    LATENCY_CYCLES = PlaneMemory.LATENCY_CYCLES + BlockVariants.latency_cycles

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        self.step = read_step(parameters, bank_address_bits(parameters))
        super().__init__(
            {
                "write": In(plane_write(parameters)),
                "steps": In(stream.Signature(self.step)),
                "o": Out(window_write(parameters)),
                "coming": Out(1),
                "advance": In(ADVANCES),
                "busy": Out(1),
                **(move_members(parameters) if parameters.vector is not None else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = PlaneMemory(self.parameters, primitives=self.primitives)
        # one step with its words being read, one with its words in the output registers
        reading, read = Signal(self.step, reset_less=True), Signal(self.step, reset_less=True)
        reading_valid, read_valid = Signal(), Signal()
        advance, steps = self.advance[WRITES], self.steps
        m.d.comb += [
            steps.ready.eq(advance),
            memory.write.eq(self.write),
            memory.advance.eq(self.advance[WRITES + 1 :][:BANKS]),
            self.coming.eq(read_valid),
            self.busy.eq(reading_valid | read_valid),
        ]
        for bank in range(BANKS):
            access = steps.payload.banks[bank]
            m.d.comb += [
                memory.reads[bank].enable.eq(access.enable & steps.valid & advance),
                memory.reads[bank].address.eq(access.address),
            ]
        with m.If(advance):
            m.d.sync += [
                reading_valid.eq(steps.valid),
                reading.eq(steps.payload),
                read_valid.eq(reading_valid),
                read.eq(reading),
            ]
        if self.parameters.vector is not None:
            wiring.connect(m, wiring.flipped(self.moves), memory.moves)
            m.d.comb += self.moved.eq(memory.moved)
        self._vary(m, memory, read)
        self._place(m, read, read_valid)
        return m

    def _vary(self, m: Module, memory: PlaneMemory, step: data.View) -> None:
        """The variants of both words."""
        for bank in range(BANKS):
            variants = BlockVariants(self.parameters)
            m.submodules[f"variants_{bank}"] = variants
            m.d.comb += [
                variants.word.eq(memory.words[bank]),
                variants.variants.eq(step.banks[bank].variants),
                variants.zero.eq(~step.banks[bank].enable),
                variants.row_pixels.eq(step.row_pixels),
                variants.advance.eq(self.advance[WRITES + 1 + BANKS + bank * SHOWN :][:SHOWN]),
                self.o.blocks[bank].eq(variants.results),
            ]

    def _place(self, m: Module, step: data.View, valid: Value) -> None:
        """What is written where: B where both write."""
        write = Signal(self.o.pieces.shape(), name="write")
        last, gradient = Signal(reset_less=True), Signal(reset_less=True)
        m.d.comb += [
            self.o.pieces.eq(write),
            self.o.last.eq(last),
            self.o.gradient.eq(gradient),
        ]
        a, b = step.a, step.b
        with m.If(self.advance[WRITES]):
            m.d.sync += [last.eq(step.last), gradient.eq(step.gradient)]
            for slot in range(SLOTS):
                for quarter in range(QUARTERS):
                    bit = QUARTERS * slot + quarter
                    turns = [read.rotations.word_select(slot, ROTATION_BITS) for read in (a, b)]
                    for each in range(PIXEL_CLASSES):
                        pixels = PIXEL_CLASSES * (slot % SLOT_COLUMNS) + each
                        by_a = a.quarters[bit] & a.pixels[pixels]
                        by_b = b.quarters[bit] & b.pixels[pixels]
                        rotation = Mux(by_b, turns[1], turns[0])
                        piece = write[slot][quarter][each]
                        m.d.sync += [
                            piece.enable.eq((by_a | by_b) & valid),
                            piece.bank.eq(step.swapped ^ by_b),
                            piece.quarter.eq(rotation + quarter),
                        ]
