"""The lanes with everything in its cycle: channel's numbers, x̂, residual, random bytes."""

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.channel_table import channel_numbers
from fractrain.hw.vector.lane_groups import LaneGroups
from fractrain.hw.vector.lanes import VectorLanes
from fractrain.hw.vector.line_layouts import line_task, vector_of
from fractrain.hw.vector.line_reader import line_beat
from fractrain.hw.vector.words import shape_of

__all__ = ["LineLanes", "lane_results", "lifted"]


def lane_results(parameters: Parameters) -> dict[str, Shape | data.ArrayLayout]:
    """What leaves `LineLanes`, by name."""
    pixels = parameters.array.rows
    shapes = {
        "sums": shape_of("W"),
        "activations": unsigned(numerics.MAX_ACTIVATION_BITS),
        "stream": unsigned(numerics.MAX_RESIDUAL_BITS),
        "errors": signed(numerics.MAX_ERROR_BITS),
        "normalized": unsigned(numerics.LIFTED_BITS),
        "side": unsigned(vector_of(parameters).side_bits),
    }
    lines = {name: data.ArrayLayout(shape, pixels) for name, shape in shapes.items()}
    return {"sum": unsigned(1), "line": unsigned(1), "mask": unsigned(pixels), **lines}


class LineLanes(wiring.Component):
    """`VectorLanes` for the beats of a `LineReader`.

    Members
    -------
    task : In(`line_task`), residual_factor : In     held while there are beats; ρ
    early, beat : In(`line_beat`), numbers, side_numbers : In        of the reader
    half, channel : Out, table : In(`channel_numbers`)        of the `ChannelTable`, in a cycle
    take : Out(1), bytes : In    of the `ByteQueue`, in a cycle

    sum : Out(1), sums : Out         a line has its sum, z·2^7 or W; x̂ of 12 bits of a line that is
                         written as x̂
    line : Out(1)        a line has all that follows, `FORM_ROWS` after its sum if it is formed and
                         `APPLY_ROWS` if it is applied:
    activations, stream, mask, normalized, errors : Out      of `VectorLanes`, all of the same line;
                         ``normalized`` is what is kept of x̂
    side : Out           what has come as ``side_numbers`` with the line

    Timing: ``sum`` `form_cycles` or `apply_cycles` after the line's last beat.
    """

    FORM_ROWS = VectorLanes.form_cycles - VectorLanes.sum_cycles
    APPLY_ROWS = VectorLanes.apply_cycles - VectorLanes.sum_cycles
    # from a beat to its second slice's factors
    FORM_CYCLE, APPLY_CYCLE = -VectorLanes.FORM_CYCLE, -VectorLanes.APPLY_CYCLE
    form_cycles = FORM_CYCLE + VectorLanes.sum_cycles
    apply_cycles = APPLY_CYCLE + VectorLanes.sum_cycles

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.side_bits = vector_of(parameters).side_bits
        pixels = parameters.array.rows
        self.lanes = LaneGroups(pixels, primitives=primitives)

        def line(bits: int) -> data.ArrayLayout:
            return data.ArrayLayout(bits, pixels)

        super().__init__(
            {
                "task": In(line_task()),
                "residual_factor": In(shape_of("ρ")),
                "early": In(line_beat(parameters)),
                "beat": In(line_beat(parameters)),
                "numbers": In(line(numerics.NARROW_BITS)),
                "side_numbers": In(line(self.side_bits)),
                "half": Out(1),
                "channel": Out(range(parameters.block.channels)),
                "table": In(channel_numbers()),
                "take": Out(1),
                "bytes": In(line(numerics.RANDOM_BITS)),
                **{name: Out(shape) for name, shape in lane_results(parameters).items()},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lanes = self.lanes
        self._mode(m)
        self._numbers(m)
        self._normalized(m)
        self._results(m)
        return m

    def _mode(self, m: Module) -> None:
        task, mode = self.task, self.lanes.mode
        mode_now = {
            "applies": task.applies,
            "normalized_bits": Mux(task.applies, 0, task.normalized_bits),
            "bits": task.bits,
            "residual_bits": task.residual_bits,
            "error_bits": task.error_bits,
        }
        held = {name: Signal.like(mode[name], name=f"mode_{name}") for name in mode_now}
        m.d.sync += [signal.eq(mode_now[name]) for name, signal in held.items()]
        m.d.comb += [mode[name].eq(signal) for name, signal in held.items()]
        m.d.comb += [self.lanes.wide.eq(task.wide), self.lanes.kept_bits.eq(task.kept_bits)]

    def _numbers(self, m: Module) -> None:
        """The numbers of the channel, each when its slice takes it."""
        lanes, task, beat = self.lanes, self.task, self.beat
        m.d.comb += [self.half.eq(self.early.half), self.channel.eq(self.early.channel)]
        now = Signal(channel_numbers(), reset_less=True)
        # x̂ of a shortcut has 12 bits, whose factor is lifted by 7
        shortcut = self.early.second | (task.shortcut & ~task.normalizes)
        slope = Signal.like(now.slope, reset_less=True)
        m.d.sync += [
            now.eq(self.table),
            slope.eq(
                Mux(shortcut, self.table.second << numerics.LIFTED_FRACTION, self.table.slope)
            ),
        ]
        offset_cycle = self.FORM_CYCLE + VectorLanes.RESIDUAL_CYCLE
        at_apply = delayed(m, slope, self.APPLY_CYCLE, name="slope")
        at_form = delayed(m, at_apply, self.FORM_CYCLE - self.APPLY_CYCLE, name="slope_form")
        m.d.comb += [
            lanes.numbers.eq(self.numbers),
            lanes.mean.eq(now.mean),
            lanes.factor.eq(now.factor),
            lanes.offset.eq(delayed(m, now.offset, offset_cycle, name="offset")),
            lanes.residual_factor.eq(self.residual_factor),
            lanes.slope.eq(Mux(task.applies, at_apply, at_form)),
            lanes.first.eq(~delayed(m, beat.second, self.FORM_CYCLE, name="second")),
            self.take.eq(
                delayed(
                    m, beat.valid & task.applies, self.APPLY_CYCLE, name="take", reset_less=False
                )
            ),
            lanes.random.eq(self.bytes),
        ]

    def _normalized(self, m: Module) -> None:
        """x̂ that is not made here: of the side memory, lifted, or of a shortcut; r; and both until
        the line leaves."""
        lanes, task, form = self.lanes, self.task, self.FORM_CYCLE
        shortcut_word = Cat(each[: numerics.WIDE_BITS] for each in self.numbers)
        # with reset: no shift registers, which take look-up tables
        shortcut = delayed(m, shortcut_word, form, name="shortcut", reset_less=False)
        side, chain = self.side_numbers.as_value(), {}
        for cycle in range(1, form + VectorLanes.form_cycles + 1):
            side = delayed(m, side, 1, name=f"side_{cycle}", reset_less=False)
            chain[cycle] = side
        stored = delayed(
            m,
            task.recomputes | (task.shortcut & (self.beat.second | ~task.normalizes)),
            form,
            name="stored",
            reset_less=False,
        )
        m.d.comb += lanes.mode.stored.eq(stored)
        bits, residual = self.side_bits, lanes.most_residual_bits
        for pixel in range(lanes.lanes):
            place, wide = slice(pixel * bits, (pixel + 1) * bits), numerics.WIDE_BITS
            applied, formed = chain[self.APPLY_CYCLE][place], chain[form][place]
            x = Signal(signed(wide), name=f"x_{pixel}")
            with m.If(task.applies & task.outer):
                m.d.comb += x.eq(lifted(applied) >> 1)
            with m.Elif(task.applies):
                m.d.comb += x.eq(lifted(applied))
            with m.Elif(task.recomputes):
                m.d.comb += x.eq(lifted(formed))
            with m.Else():
                m.d.comb += x.eq(shortcut[pixel * wide : (pixel + 1) * wide].as_signed())
            r = chain[form + VectorLanes.RESIDUAL_CYCLE][place]
            m.d.comb += [
                lanes.normalized[pixel].eq(x),
                lanes.residual[pixel].eq(Cat(Const(0, max(0, residual - bits)), r[-residual:])),
            ]
        m.d.comb += self.side.eq(chain[form + VectorLanes.form_cycles])

    def _results(self, m: Module) -> None:
        lanes, task = self.lanes, self.task
        final = self.beat.valid & self.beat.final
        sums = delayed(m, final, self.apply_cycles, name="applied", reset_less=False)
        later = self.form_cycles - self.apply_cycles
        formed = delayed(m, sums, later, name="formed", reset_less=False)
        m.d.comb += self.sum.eq(Mux(task.applies, sums, formed))
        rows = delayed(m, self.sum, self.FORM_ROWS, name="row", reset_less=False)
        late = delayed(m, rows, self.APPLY_ROWS - self.FORM_ROWS, name="late", reset_less=False)
        m.d.comb += self.line.eq(Mux(task.applies, late, rows))
        # x̂ of a line is kept until its last beat, which may be the shortcut's, has been formed
        first = self.beat.valid & ~self.beat.second
        cycle = self.FORM_CYCLE + VectorLanes.kept_cycles
        keeps = delayed(m, first, cycle, name="keeps", reset_less=False)
        kept = Signal(lanes.kept.shape().size, reset_less=True)
        with m.If(keeps):
            m.d.sync += kept.eq(lanes.kept.as_value())
        m.d.comb += self.normalized.eq(kept)
        for name in ("sums", "activations", "stream", "mask", "errors"):
            m.d.comb += getattr(self, name).eq(getattr(lanes, name))


def lifted(number: Value) -> Value:
    """x̂ from the top of the word of the side memory, signed, as x̂·2^(7−g) of a block's inside."""
    excess = len(number) - numerics.LIFTED_BITS
    if excess >= 0:
        return number[excess:].as_signed()
    return Cat(Const(0, -excess), number).as_signed()


assert VectorLanes.kept_cycles + 1 == VectorLanes.form_cycles
