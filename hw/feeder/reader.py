"""The way of the words: plane memory, variants, and who writes what into the window."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.parameters import Parameters
from hw.feeder.pair_issue import PIXEL_CLASSES, read_step
from hw.feeder.variants import QUARTERS, BlockVariants
from hw.feeder.window import SLOTS, window_write
from hw.flow.writes import plane_write
from hw.memory.plane_memory import BANKS, PlaneMemory, bank_address_bits

__all__ = ["WindowReader"]


class WindowReader(wiring.Component):
    """Makes the steps of the banks and offers what they read to the window.

    Members
    -------
    write : In(plane_write(parameters))
    steps : In(stream(read_step))
    o : Out(stream(window_write(parameters)))
        for a receiver that is ready as long as nothing is offered
    busy : Out(1)    a step is inside

    Timing: `LATENCY_CYCLES` from ``steps`` to ``o``, a step per cycle; while the window cannot
    take one, nothing moves.
    """

    LATENCY_CYCLES = PlaneMemory.LATENCY_CYCLES + BlockVariants.latency_cycles

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.step = read_step(parameters, bank_address_bits(parameters))
        super().__init__(
            {
                "write": In(plane_write(parameters)),
                "steps": In(stream.Signature(self.step)),
                "o": Out(stream.Signature(window_write(parameters))),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = PlaneMemory(self.parameters)
        # a step whose words are being read, and one whose words are in the output registers
        reading, read = Signal(self.step, reset_less=True), Signal(self.step, reset_less=True)
        reading_valid, read_valid = Signal(), Signal()
        advance, steps = Signal(), self.steps
        m.d.comb += [
            # all move at once: a chain of conditions would be at the end of a long path
            advance.eq(self.o.ready),
            steps.ready.eq(advance),
            memory.write.eq(self.write),
            memory.advance.eq(advance),
            self.busy.eq(reading_valid | read_valid | self.o.valid),
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
                self.o.valid.eq(read_valid),
            ]
        self._vary(m, memory, read, advance & read_valid)
        self._place(m, read, read_valid, advance)
        return m

    def _vary(self, m: Module, memory: PlaneMemory, step: data.View, advance: Value) -> None:
        """The variants of both words."""
        for bank in range(BANKS):
            variants = BlockVariants(self.parameters)
            m.submodules[f"variants_{bank}"] = variants
            m.d.comb += [
                variants.word.eq(memory.words[bank]),
                variants.variants.eq(step.banks[bank].variants),
                variants.zero.eq(~step.banks[bank].enable),
                variants.row_pixels.eq(step.row_pixels),
                variants.advance.eq(advance),
                self.o.payload.blocks[bank].eq(variants.results),
            ]

    def _place(self, m: Module, step: data.View, valid: Value, advance: Value) -> None:
        """What is written where: B where both write."""
        write = Signal(self.o.payload.pieces.shape(), name="write")
        last, gradient = Signal(reset_less=True), Signal(reset_less=True)
        m.d.comb += [
            self.o.payload.pieces.eq(write),
            self.o.payload.last.eq(last),
            self.o.payload.gradient.eq(gradient),
        ]
        a, b = step.a, step.b
        with m.If(advance):
            m.d.sync += [last.eq(step.last), gradient.eq(step.gradient)]
            for slot in range(SLOTS):
                for quarter in range(QUARTERS):
                    bit, turn = QUARTERS * slot + quarter, slice(2 * slot, 2 * slot + 2)
                    for each in range(PIXEL_CLASSES):
                        pixels = PIXEL_CLASSES * (slot % 3) + each
                        by_a = a.quarters[bit] & a.pixels[pixels]
                        by_b = b.quarters[bit] & b.pixels[pixels]
                        rotation = Mux(by_b, b.rotations[turn], a.rotations[turn])
                        piece = write[slot][quarter][each]
                        m.d.sync += [
                            piece.enable.eq((by_a | by_b) & valid),
                            piece.bank.eq(step.swapped ^ by_b),
                            piece.quarter.eq(rotation + quarter),
                        ]
