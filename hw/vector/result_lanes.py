"""The arithmetic of NARROW and JOIN: sums of a line, and what was in the memories, become lines."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.commands import Earlier, RowPixels
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.layouts import port_beat
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.flow.unit_layouts import side_line
from fractrain.hw.memory.line_memory import LineMemory, line_pair
from fractrain.hw.shared_module import SharedModule
from fractrain.hw.vector.join import Joiner
from fractrain.hw.vector.memories import vector_parameters
from fractrain.hw.vector.moments import moment_line
from fractrain.hw.vector.result_layouts import result_step, result_task
from fractrain.hw.vector.result_scale import UNIT_SHIFT, result_scale
from fractrain.hw.vector.spread import LineGather, LineScatter, spread_layout

__all__ = ["ResultLanes", "result_line"]

LANES = 4
"""Pixels that share a joiner, and so the registers of its shifts."""
Y_BITS = numerics.NARROW_BITS
REST_BITS = numerics.JOIN_BITS - Y_BITS
"""Of a part, beside the bits of its first line."""


def result_line(parameters: Parameters) -> data.StructLayout:
    """What is written: ``line`` to line ``target`` of the staging memory, if it ``writes``;
    ``rest``, of a part, to the line behind it."""
    pixels = parameters.array.rows
    return data.StructLayout(
        {
            "writes": 1,
            "target": result_step(parameters)["target"].shape,
            "line": data.ArrayLayout(Y_BITS, pixels),
            "rest": data.ArrayLayout(REST_BITS, pixels),
        }
    )


class ResultLanes(wiring.Component):
    """A line of P pixels of one channel a cycle: y, or E, or a part of E.

    Members, in the cycle of the step unless another is given
    -------
    task : In(`result_task`), scale : In(`result_scale`)    stay while steps are here
    valid : In(1), step : In(`result_step`), beat : In    a step, and the sums of its beat. The step
                                is there from when its lines are asked for
    staging_answer : In(1), staging : In(`line_pair`), side_answer : In(1), side : In(`line_pair`)
                                what was asked for, `LineMemory.READ_CYCLES` after its grant; lines
                                are granted no later than their step, and after the step before
    complete : Out(1), result : Out(`result_line`)    ``result_cycles`` after a complete step
    moments_valid : Out(1), moments : Out(`moment_line`)    of a command with ``totals``
    magnitudes : Out(ArrayLayout(signed(37), pixels)), take : Out(pixels)    sums, or mask · Σ:
                                their peak is looked for

    Timing: a step a cycle, flow-through. Steps of a NARROW and those of a JOIN take different
    times: between them all must have left. Between the steps of one line there may be cycles
    without one.
    """

    CAPTURED = LineMemory.READ_CYCLES + 1
    """A line of the memory is here, of a pair the right one."""
    GATHERED = CAPTURED + 1
    """Its pixels are where the tile has them."""

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.pixels = parameters, parameters.array.rows
        self.primitives = primitives
        groups = self.pixels // LANES
        self.joiners = [Joiner(LANES, primitives=primitives) for _ in range(groups)]
        self.joiner_name = f"vector_joiner_{LANES}{'_cells' if primitives else ''}"
        pixels = self.pixels
        super().__init__(
            {
                "task": In(result_task()),
                "scale": In(result_scale()),
                "valid": In(1),
                "step": In(result_step(parameters)),
                "beat": In(port_beat(parameters.array)["data"].shape),
                "staging_answer": In(1),
                "staging": In(line_pair(Y_BITS * pixels)),
                "side_answer": In(1),
                "side": In(line_pair(side_line(parameters).size)),
                "complete": Out(1),
                "result": Out(result_line(parameters)),
                "moments_valid": Out(1),
                "moments": Out(moment_line(parameters)),
                "magnitudes": Out(data.ArrayLayout(signed(numerics.CONVOLVED_BITS), pixels)),
                "take": Out(pixels),
            }
        )

    @property
    def begin_cycle(self) -> int:
        """When joiners take the sums: what was earlier comes from memory."""
        return max(1, self.GATHERED - self.joiners[0].earlier_cycle)

    @property
    def narrow_cycle(self) -> int:
        return self.join_cycle - self.joiners[0].ahead_cycles

    @property
    def join_cycle(self) -> int:
        return self.begin_cycle + self.joiners[0].latency_cycles

    @property
    def result_cycles(self) -> tuple[int, int]:
        """From a step to its result, of a NARROW and of a JOIN."""
        return self.narrow_cycle + 2, self.join_cycle + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._follow(m)
        # with reset: no shift registers, which take look-up tables
        wait = self.begin_cycle - 1
        numbers = delayed(m, self._numbers(m), wait, name="numbers", reset_less=False)
        self._capture(m)
        earlier, side = self._gather(m)
        totals, values = self._join(m, numbers, earlier, side.mask)
        self._leave(m, delayed(m, totals, 1, name="part"), values, side.numbers)
        self._magnitudes(m, numbers, totals)
        return m

    def _follow(self, m: Module) -> None:
        """The step of each cycle."""
        self.steps, self.valids = [self.step], [self.valid]
        for cycle in range(1, self.join_cycle + 2):
            step = Signal(result_step(self.parameters), name=f"step_{cycle}", reset_less=True)
            valid = Signal(name=f"valid_{cycle}")
            m.d.sync += [step.eq(self.steps[-1]), valid.eq(self.valids[-1])]
            self.steps.append(step)
            self.valids.append(valid)

    def _spread(self, m: Module, step: data.View, name: str) -> data.View:
        spread = Signal(spread_layout(), name=name)
        m.d.comb += [
            spread.interleaved.eq(self.task.interleaved),
            spread.quarters.eq(self.task.row_pixels == RowPixels.QUARTER),
            spread.odd.eq(self.task.odd_column),
            spread.upper.eq(step.upper),
            spread.part.eq(step.part),
        ]
        return spread

    def _numbers(self, m: Module) -> data.View:
        """The sums of the step's cluster, a cycle later; 0 if it has none."""
        clusters = self.parameters.column_clusters
        bits = numerics.CONVOLVED_BITS
        numbers = Signal(data.ArrayLayout(signed(bits), self.pixels), reset_less=True)
        with m.If(~self.valid | self.step.earlier):
            m.d.sync += numbers.as_value().eq(0)
        with m.Else():
            with m.Switch(self.step.cluster):
                for cluster in range(clusters):
                    with m.Case(cluster):
                        m.d.sync += [
                            numbers[pixel].eq(self.beat[pixel * clusters + cluster][:bits])
                            for pixel in range(self.pixels)
                        ]
        return numbers

    # -- from the memories ---------------------------------------------------------------------

    def _capture(self, m: Module) -> None:
        """What was granted before its step stays until then: that of the next step comes later."""
        cycles = LineMemory.READ_CYCLES
        line = data.ArrayLayout(Y_BITS, self.pixels)
        self.captured, self.behind = Signal(line, reset_less=True), Signal(line, reset_less=True)
        self.captured_side = Signal(side_line(self.parameters), reset_less=True)
        odd, odd_side = (
            delayed(m, place[0], cycles, name=name)
            for name, place in (("odd", self.step.source), ("odd_side", self.step.side))
        )
        with m.If(self.staging_answer):
            m.d.sync += [
                self.captured.as_value().eq(self._either(m, odd, self.staging, "captured")),
                self.behind.as_value().eq(self.staging[1]),
            ]
        with m.If(self.side_answer):
            m.d.sync += self.captured_side.as_value().eq(
                self._either(m, odd_side, self.side, "captured_side")
            )
        # a step with sums reads the line that keeps pixels, one behind it what was earlier
        self.old = Signal(line, reset_less=True)
        with m.If(self.valids[self.CAPTURED] & ~self.steps[self.CAPTURED].earlier):
            m.d.sync += self.old.eq(self.captured)

    def _either(self, m: Module, odd: Value, pair: data.View, name: str) -> Value:
        return pair_mux(m, odd, pair[1], pair[0], name=f"{name}_of", primitives=self.primitives)

    def _gather(self, m: Module) -> tuple[data.View, data.View]:
        """What was earlier, and x̂ and mask, where the tile has its pixels: `GATHERED`."""
        pixels, step = self.pixels, self.steps[self.CAPTURED]
        spread = self._spread(m, step, "gather")
        bits = vector_parameters(self.parameters).side_bits
        m.submodules.gather = lines = LineGather(pixels, Y_BITS)
        m.submodules.gather_side = sides = LineGather(pixels, bits + 1)
        # a part is where the tile has its pixels: so its lower bits go through unchanged
        from_part = Signal()
        m.d.comb += from_part.eq(self.task.earlier == Earlier.PART)
        part_bits = numerics.JOIN_BITS
        earlier = Signal(data.ArrayLayout(signed(part_bits), pixels), reset_less=True)
        side = Signal(side_line(self.parameters), name="gathered_side", reset_less=True)
        m.d.comb += [
            lines.spread.eq(spread),
            lines.spread.interleaved.eq(spread.interleaved & ~from_part),
            sides.spread.eq(spread),
            lines.line.eq(self.captured),
        ]
        for pixel in range(pixels):
            found = self.captured_side
            m.d.comb += sides.line[pixel].eq(Cat(found.numbers[pixel], found.mask[pixel]))
            low = Value.cast(lines.gathered[pixel])
            rest = Value.cast(self.behind[pixel])[:REST_BITS]
            high = Mux(from_part, rest, low[-1].replicate(REST_BITS))
            m.d.sync += [
                earlier[pixel].eq(Cat(low, high).as_signed()),
                side.numbers[pixel].eq(sides.gathered[pixel]),
                side.mask[pixel].eq(
                    (sides.gathered[pixel][-1] | ~self.task.masked) & step.active[pixel]
                ),
            ]
        with m.If(~(self.valids[self.CAPTURED] & step.earlier)):
            m.d.sync += earlier.as_value().eq(0)
        return earlier, side

    # -- numbers -------------------------------------------------------------------------------

    def _join(
        self, m: Module, numbers: data.View, earlier: data.View, masks: Value
    ) -> tuple[data.View, data.View]:
        """mask · Σ parts a cycle before `join_cycle`, and E in it; y, 0 outside the image, at
        `narrow_cycle`. In cycles without a step a part is 0."""
        begin, joiner = self.begin_cycle, self.joiners[0]
        step, valid, scale = self.steps[begin], self.valids[begin], self.scale
        late = begin + joiner.earlier_cycle
        earlier = delayed(m, earlier, late - self.GATHERED, name="earlier")
        late = begin + joiner.mask_cycle
        inside = self.steps[late - joiner.ahead_cycles].active
        masks = Mux(self.task.joins, delayed(m, masks, late - self.GATHERED, name="masks"), inside)
        totals = Signal(data.ArrayLayout(signed(numerics.JOINED_BITS), self.pixels))
        values = Signal(data.ArrayLayout(Y_BITS, self.pixels))
        for number, joined in enumerate(self.joiners):
            each = SharedModule(joined, self.joiner_name)
            m.submodules[f"joiner_{number}"] = each
            m.d.comb += [
                each.narrows.eq(~self.task.joins),
                each.preshift.eq(scale.before),
                each.mantissa.eq(Mux(step.earlier, 1 << UNIT_SHIFT, scale.mantissa)),
                each.shift.eq(Mux(step.earlier, scale.earlier_shift, scale.shift)),
                each.first.eq(valid & ~step.earlier),
                each.mask.eq(masks.word_select(number, LANES)),
            ]
            for lane in range(LANES):
                pixel = number * LANES + lane
                m.d.comb += [
                    each.numbers[lane].eq(numbers[pixel]),
                    each.earlier[lane].eq(earlier[pixel]),
                    totals[pixel].eq(each.totals[lane]),
                    values[pixel].eq(each.errors[lane]),
                ]
        return totals, values

    # -- out -----------------------------------------------------------------------------------

    def _leave(self, m: Module, parts: data.View, values: data.View, x: data.View) -> None:
        """The numbers of the line, then the line where the tensor has them."""
        joins, pixels = self.task.joins, self.pixels
        value = Signal(data.ArrayLayout(signed(Y_BITS), pixels), reset_less=True)
        rest = Signal(data.ArrayLayout(REST_BITS, pixels), reset_less=True)
        lines = Cat(parts[pixel][:Y_BITS] for pixel in range(pixels)), values.as_value()
        m.d.sync += [
            value.as_value().eq(
                pair_mux(m, self.task.part, *lines, name="value", primitives=self.primitives)
            ),
            *(rest[pixel].eq(parts[pixel] >> Y_BITS) for pixel in range(pixels)),
        ]
        narrow, join = self.narrow_cycle + 1, self.join_cycle + 1
        step = Signal(result_step(self.parameters))
        complete = Signal()
        m.d.comb += [
            step.eq(Mux(joins, self.steps[join], self.steps[narrow])),
            complete.eq(Mux(joins, self.valids[join], self.valids[narrow]) & step.complete),
            self.moments_valid.eq(complete & self.task.totals),
            self.moments.numbers.eq(value),
            self.moments.normalized.eq(delayed(m, x, join - self.GATHERED, name="normalized")),
            self.moments.correlate.eq(joins),
            self.moments.channel.eq(step.channel),
            self.moments.first.eq(step.first),
            self.moments.last.eq(step.last),
            self.moments.moments.eq(self.task.moments),
            self.moments.start.eq(self.task.start),
        ]
        m.submodules.scatter = scatter = LineScatter(pixels, Y_BITS)
        result = Signal(result_line(self.parameters), reset_less=True)
        m.d.comb += [
            scatter.spread.eq(self._spread(m, step, "scatter")),
            scatter.active.eq(step.active),
            scatter.line.eq(value),
            scatter.old.eq(delayed(m, self.old, join - self.GATHERED, name="old")),
            self.result.eq(result),
        ]
        m.d.sync += [
            self.complete.eq(complete),
            result.writes.eq(step.writes),
            result.target.eq(step.target),
            result.line.eq(scatter.scattered),
            result.rest.eq(rest),
        ]

    def _magnitudes(self, m: Module, numbers: data.View, totals: data.View) -> None:
        """Sums inside the image; totals, which are 0 outside."""
        magnitudes = Signal.like(self.magnitudes, reset_less=True)
        take = Signal(self.pixels)
        joins, begin, end = self.task.joins, self.begin_cycle, self.join_cycle - 1
        widened = Signal.like(magnitudes, name="totals")
        m.d.comb += [widened[pixel].eq(totals[pixel]) for pixel in range(self.pixels)]
        both = widened.as_value(), numbers.as_value()
        m.d.sync += magnitudes.as_value().eq(
            pair_mux(m, joins, *both, name="magnitudes", primitives=self.primitives)
        )
        narrowed = self.valids[begin].replicate(self.pixels) & self.steps[begin].active
        joined = (self.valids[end] & self.steps[end].complete).replicate(self.pixels)
        m.d.sync += take.eq(Mux(joins, joined, narrowed))
        m.d.comb += [self.magnitudes.eq(magnitudes), self.take.eq(take)]
