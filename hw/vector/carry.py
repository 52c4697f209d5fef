"""CARRY, behind what reads its lines: they become E, with their moments and peak."""

import enum

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.commands import Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import SHIFT_BITS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.tasks import field_bits
from fractrain.hw.memory.line_memory import line_write
from fractrain.hw.vector.line_layouts import carried_line
from fractrain.hw.vector.memories import vector_parameters
from fractrain.hw.vector.moments import moment_line
from fractrain.hw.vector.move import Mover
from fractrain.hw.vector.peak import Peak
from fractrain.hw.vector.peaks import peak_value

__all__ = ["CarryTail", "carry_task"]

LANES = 8
"""Pixels that share the registers of a shift."""
E_BITS = numerics.NARROW_BITS
MOST_LINES = 32


def carry_task() -> data.StructLayout:
    """What a CARRY says of all its lines; ``shift``: of the stream, from its scale record."""
    return data.StructLayout(
        {
            "shift": signed(SHIFT_BITS),
            **field_bits(Opcode.CARRY, "totals", "start", "moments", "peak"),
        }
    )


class State(enum.Enum):
    """Of the command at work."""

    LINES = 0
    COLLECT = enum.auto()
    RAISE = enum.auto()
    END = enum.auto()


class CarryTail(wiring.Component):
    """E = sat16(total), total = mask · sat24(round(E' · 2^−shift)): `hw.contract.commands.Carry`.

    Members
    -------
    task : In(`carry_task`)      from the first line until ``ended``
    valid : In(1), line : In(`carried_line`)      a line, which cannot wait
    room : Out(1)                ``margin`` more lines may come
    staging_writes : Out(stream of `line_write`)
    moment_lines : Out(stream of `moment_line`), moments_busy : In(1)     as the second user of a
                                 `MomentUnit`: each line is added up in the memory by itself
    peaks : Out(stream of `peak_value`)           as the second user of a `PeakMemory`
    ended : Out(1)               the last line is in the staging memory, moments and peak stand

    Timing: a line a cycle while both memories take it; `between_cycles` from the last line to
    ``ended``, if they do. A channel's lines are `MomentUnit.APART_CYCLES` apart or more.
    """

    def __init__(self, parameters: Parameters, margin: int, *, primitives: bool = False) -> None:
        self.parameters, self.margin, self.pixels = parameters, margin, parameters.array.rows
        vector = vector_parameters(parameters)
        self.movers = [Mover(LANES, primitives=primitives) for _ in range(self.pixels // LANES)]
        self.peak = Peak(self.pixels, numerics.JOIN_BITS, primitives=primitives)
        write = line_write(vector.staging_words, E_BITS * self.pixels)
        super().__init__(
            {
                "task": In(carry_task()),
                "valid": In(1),
                "line": In(carried_line(parameters)),
                "room": Out(1),
                "staging_writes": Out(stream.Signature(write)),
                "moment_lines": Out(stream.Signature(moment_line(parameters))),
                "moments_busy": In(1),
                "peaks": Out(stream.Signature(peak_value(parameters))),
                "ended": Out(1),
            }
        )
        self.state = Signal(State)

    @property
    def way_cycles(self) -> int:
        """From a line to the queue."""
        return Mover.latency_cycles + 1

    @property
    def between_cycles(self) -> int:
        return self.peak.collect_cycles + len(State) + 20

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.peak = self.peak
        layout = carried_line(self.parameters)
        queued = data.StructLayout({"line": layout, "first": 1})
        m.submodules.queue = queue = Fifo(queued, MOST_LINES + Fifo.SLACK)
        cycles = Mover.latency_cycles
        # with reset: no shift registers, which take look-up tables
        line = delayed(m, self.line, cycles, name="line", reset_less=False)
        valid = delayed(m, self.valid, cycles, name="valid", reset_less=False)
        done = Signal(layout, reset_less=True)
        done_valid, first = Signal(), Signal()
        m.d.sync += [done.eq(line), done_valid.eq(valid), first.eq(self._is_first(m, line, valid))]
        self._scale(m, line, valid, done)
        m.d.comb += [queue.w_data.eq(Cat(done, first)), queue.w_en.eq(done_valid)]
        leaves = self._leave(m, queue)
        held = Signal(range(MOST_LINES + 1))
        m.d.sync += held.eq(held + self.valid - leaves)
        m.d.comb += self.room.eq(held <= MOST_LINES - self.margin)
        self._conclude(m, leaves & queue.head.line.last)
        return m

    def _scale(self, m: Module, line: data.View, valid: Value, done: data.View) -> None:
        top = E_BITS - 1
        take = Signal(self.pixels)
        totals = Signal(self.peak.numbers.shape(), reset_less=True)
        for number, each in enumerate(self.movers):
            m.submodules[f"mover_{number}"] = each
            m.d.comb += each.shift.eq(self.task.shift)
            for lane in range(LANES):
                pixel = number * LANES + lane
                result = each.results[lane]
                sign = result[-1]
                beyond = result[top:-1] != sign.replicate(len(result) - 1 - top)
                kept = Cat(Mux(beyond, (~sign).replicate(top), result[:top]), sign)
                m.d.comb += each.numbers[lane].eq(self.line.numbers[pixel])
                m.d.sync += [
                    totals[pixel].eq(result),
                    done.numbers[pixel].eq(kept & line.count[pixel].replicate(E_BITS)),
                    take[pixel].eq(valid & line.count[pixel]),
                ]
        m.d.comb += [self.peak.numbers.eq(totals), self.peak.take.eq(take)]

    def _leave(self, m: Module, queue: Fifo) -> Value:
        """Into both memories, each when it has a turn."""
        line, task = queue.head.line, self.task
        wrote, summed = Signal(), Signal()
        writes, lines = self.staging_writes, self.moment_lines
        channel_bits = (self.parameters.block.channels - 1).bit_length()
        odd, group = line.target[0], line.channel[channel_bits:]
        m.d.comb += [
            writes.valid.eq(queue.r_rdy & ~wrote),
            writes.payload.address.eq(line.target >> 1),
            writes.payload.data[0].eq(line.numbers),
            writes.payload.data[1].eq(line.numbers),
            writes.payload.enable.eq(Cat(~odd, odd)),
            lines.valid.eq(queue.r_rdy & task.totals & ~summed),
            lines.payload.numbers.eq(line.numbers),
            lines.payload.normalized.eq(line.normalized),
            lines.payload.correlate.eq(1),
            lines.payload.channel.eq(line.channel[:channel_bits]),
            lines.payload.first.eq(1),
            lines.payload.last.eq(1),
            lines.payload.moments.eq(task.moments + Cat(Const(0, channel_bits), group)),
        ]
        leaves = Signal()
        m.d.comb += [
            leaves.eq(queue.r_rdy & (wrote | writes.ready) & (summed | lines.ready | ~task.totals)),
            queue.r_en.eq(leaves),
        ]
        for done, each in ((wrote, writes), (summed, lines)):
            with m.If(leaves):
                m.d.sync += done.eq(0)
            with m.Elif(each.valid & each.ready):
                m.d.sync += done.eq(1)
        m.d.comb += lines.payload.start.eq(task.start & queue.head.first)
        return leaves

    def _is_first(self, m: Module, line: data.View, valid: Value) -> Value:
        """Whether a line is of the first block of its group of channels."""
        bits = (self.parameters.block.channels - 1).bit_length()
        group, begins, fresh = Signal.like(line.channel[bits:]), Signal(init=1), Signal()
        first = begins | fresh | (line.channel[bits:] != group)
        with m.If(valid):
            m.d.sync += [
                group.eq(line.channel[bits:]),
                begins.eq(line.last),
                fresh.eq(first & ~line.channel[:bits].all()),
            ]
        return first

    def _conclude(self, m: Module, last: Value) -> None:
        peak, state = self.peak, self.state
        m.d.comb += [
            peak.collect.eq(state == State.COLLECT),
            peak.clear.eq(self.ended),
            self.peaks.valid.eq((state == State.RAISE) & peak.done),
            self.peaks.payload.address.eq(self.task.peak),
            self.peaks.payload.value.eq(peak.greatest),
            self.ended.eq((state == State.END) & ~self.moments_busy),
        ]
        with m.Switch(state):
            with m.Case(State.LINES):
                with m.If(last):
                    m.d.sync += state.eq(State.COLLECT)
            with m.Case(State.COLLECT):
                m.d.sync += state.eq(State.RAISE)
            with m.Case(State.RAISE):
                with m.If(self.peaks.valid & self.peaks.ready):
                    m.d.sync += state.eq(State.END)
            with m.Case(State.END):
                with m.If(self.ended):
                    m.d.sync += state.eq(State.LINES)
