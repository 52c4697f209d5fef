"""Where the lines of a step are."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Earlier, RowPixels
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.vector.result_layouts import (
    MOST_PARTS,
    PLACE_BITS,
    result_step,
    result_task,
    walk_step,
)

__all__ = ["ResultPlaces"]


class ResultPlaces(wiring.Component):
    """Adds up the addresses of a step, and finds the pixels that it is about.

    Members
    -------
    task : In(`result_task`)    of all steps that are here
    walk : In(stream of `walk_step`), steps : Out(stream of `result_step`)

    Timing: a step a cycle, `latency_cycles` later.

    A line that would get no pixel is neither read nor written: it may not be there.
    """

    latency_cycles = 1

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.channel_bits = (parameters.block.channels - 1).bit_length()
        super().__init__(
            {
                "task": In(result_task()),
                "walk": In(stream.Signature(walk_step(parameters))),
                "steps": Out(stream.Signature(result_step(parameters))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        walk, step, task = self.walk.payload, self.steps.payload, self.task
        m.d.comb += self.walk.ready.eq(~self.steps.valid | self.steps.ready)
        active = self._active(m)
        some = Signal()
        m.d.comb += some.eq(~task.interleaved | active.any())
        line = self._line(Mux(task.interleaved, walk.half >> 1, walk.tile))
        both = self._line(walk.tile) << 1  # two lines for each
        from_part = task.earlier == Earlier.PART
        source = Mux(
            walk.earlier,
            task.earlier_address + Mux(from_part, both, line),
            task.address + line,
        )
        with m.If(self.walk.ready):
            m.d.sync += [
                self.steps.valid.eq(self.walk.valid),
                step.source.eq(source),
                step.target.eq(task.address + Mux(task.part, both, line)),
                step.side.eq(task.side_address + line),
                step.reads.eq((walk.earlier | task.interleaved) & some),
                step.reads_side.eq(task.joins & (task.masked | task.totals) & walk.complete & some),
                step.writes.eq(walk.complete & some),
                step.active.eq(active),
                step.upper.eq(walk.half[0]),
            ]
            for name in ("channel", "cluster", "part", "earlier", "complete", "first", "last"):
                m.d.sync += step[name].eq(walk[name])
            for name in ("beat_ends", "ends"):
                m.d.sync += step[name].eq(walk[name])
        return m

    def _line(self, block: Value) -> Value:
        """The line of the step's channel in ``block``."""
        return Cat(self.walk.payload.channel[: self.channel_bits], block)[:PLACE_BITS]

    def _active(self, m: Module) -> Signal:
        """Inside the image, and, interleaved, in this part: a quarter of the line, or half."""
        pixels, walk, task = self.parameters.array.rows, self.walk.payload, self.task
        active = Signal(pixels)
        here = Signal(MOST_PARTS)
        with m.If(~task.interleaved):
            m.d.comb += here.eq((1 << MOST_PARTS) - 1)
        with m.Elif(task.row_pixels == RowPixels.QUARTER):
            m.d.comb += here.eq(Const(1, MOST_PARTS) << walk.part)
        with m.Else():
            m.d.comb += here.eq(Const(0b11, MOST_PARTS) << (walk.part << 1))
        quarter = pixels // MOST_PARTS
        m.d.comb += active.eq(
            Cat(~walk.outside[pixel] & here[pixel // quarter] for pixel in range(pixels))
        )
        return active
