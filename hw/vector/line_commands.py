"""The commands of the vector stage for lines of tensors: from the word to the last line."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from fractrain.hw.contract.commands import Fault, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.flow.tasks import command_view
from fractrain.hw.vector.carry import CarryTail
from fractrain.hw.vector.line_decoder import LineDecoder, found_command
from fractrain.hw.vector.line_layouts import vector_of
from fractrain.hw.vector.line_path import LinePath
from fractrain.hw.vector.moments import moment_line
from fractrain.hw.vector.peaks import peak_value

__all__ = ["LineCommands"]

RANDOM = ("key", "load", "key_ready", "counters", "random_valid", "random")
"""What goes to and comes from a `RandomBytes`."""

PAIRS_COMING = -(-LinePath.CARRY_CYCLES // 2) + 1
"""Pairs of a CARRY that have begun and have not come, with the one that may begin: one every other
cycle."""


class LineCommands(wiring.Component):
    """SHAPE, NORMALIZE, FORM, RECOMPUTE, CARRY and APPLY, one at a time.

    ::

        commands → LineDecoder → LinePath ─┬→ planes, stash, lines, peaks
                                           └ CARRY → CarryTail → lines, moments, peaks

    Members
    -------
    commands : In(stream of `found_command`)      the next one only after ``ended``, until then held
    seed, step, plane_write, blocks, settled; banks, writes, line; staging_reads, staging,
    side_reads, side, side_writes, record_reads, answer, record, and `RANDOM`       as of `LinePath`
    staging_writes : Out(stream of `line_write`)
    moment_lines : Out(stream of `moment_line`), moments_busy : In(1)     as of `CarryTail`
    peaks : Out(stream of `peak_value`)
    ended : Out(1)
    fault : Out(Fault)      for a cycle, then nothing until reset: COUNT for a shape that was not
                            written; ADDRESS for a peak or moments beyond their memory; and those of
                            `LinePath`

    Timing: see `LineDecoder` and `LinePath`.
    """

    PASSED = (
        *("seed", "step", "staging_reads", "staging", "side_reads", "side", "side_writes"),
        *("record_reads", "answer", "record", "plane_write", "blocks", "settled"),
        *("banks", "writes", "line", *RANDOM),
    )

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        self.vector = vector_of(parameters)
        self.decoder = LineDecoder()
        self.path = LinePath(parameters, primitives=primitives)
        self.tail = CarryTail(parameters, 2 * PAIRS_COMING, primitives=primitives)
        path = self.path.signature.members
        super().__init__(
            {
                "commands": In(stream.Signature(found_command())),
                **{name: path[name] for name in self.PASSED},
                "staging_writes": path["staging_writes"],
                "moment_lines": Out(stream.Signature(moment_line(parameters))),
                "moments_busy": In(1),
                "peaks": Out(stream.Signature(peak_value(parameters))),
                "ended": Out(1),
                "fault": Out(Fault),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder, m.submodules.path = self.decoder, self.path
        m.submodules.tail = self.tail
        connect(m, flipped(self.commands), self.decoder.commands)
        self._pass(m)
        refused = self._check(m)
        self._carry(m)
        self._merge(m)
        m.d.comb += [
            self.ended.eq(self.decoder.shaped | self.path.ended),
            self.fault.eq(
                Value.cast(self.decoder.fault)
                | Value.cast(self.path.fault)
                | Mux(refused, Fault.ADDRESS, Fault.NONE)
            ),
        ]
        return m

    def _pass(self, m: Module) -> None:
        """Ports of the path go through."""
        for name in self.PASSED:
            inner, outer = getattr(self.path, name), getattr(self, name)
            member = self.path.signature.members[name]
            if member.is_signature:
                connect(m, inner, flipped(outer))
            elif member.flow == In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)

    def _check(self, m: Module) -> Value:
        """A task whose peak or moments are not there goes no further."""
        task, offered = self.decoder.tasks.payload, self.decoder.tasks
        carry = command_view(Opcode.CARRY, self.commands.payload.command)
        channel_bits = (self.parameters.block.channels - 1).bit_length()
        channels = Cat(Const(0, channel_bits), task.entry.channel_groups)
        peaked = task.raises | task.carries
        summed = task.carries & carry.totals
        beyond, known, failed = Signal(), Signal(), Signal()
        m.d.sync += [
            beyond.eq(
                (peaked & (Mux(task.carries, carry.peak, task.peak) >= self.vector.peak_words))
                | (summed & (carry.moments + channels > self.vector.moment_words))
            ),
            known.eq(offered.valid & ~offered.ready),
            failed.eq(failed | (known & beyond)),
        ]
        m.d.comb += [
            self.path.tasks.payload.eq(task),
            self.path.tasks.valid.eq(known & ~beyond & offered.valid),
            offered.ready.eq(known & ~beyond & self.path.tasks.ready),
        ]
        return known & beyond & ~failed

    def _carry(self, m: Module) -> None:
        path, tail = self.path, self.tail
        carry = command_view(Opcode.CARRY, self.commands.payload.command)
        connect(m, tail.moment_lines, flipped(self.moment_lines))
        m.d.comb += [
            tail.task.shift.eq(path.stream_shift),
            *(tail.task[name].eq(carry[name]) for name in ("totals", "start", "moments", "peak")),
            tail.valid.eq(path.carries),
            tail.line.eq(path.carried),
            tail.moments_busy.eq(self.moments_busy),
            path.carry_room.eq(tail.room),
            path.carry_done.eq(tail.ended),
        ]

    def _merge(self, m: Module) -> None:
        """Of path and tail only one has anything."""
        path, tail = self.path, self.tail
        m.d.comb += [
            self.staging_writes.valid.eq(path.staging_writes.valid | tail.staging_writes.valid),
            self.staging_writes.payload.as_value().eq(
                pair_mux(
                    m,
                    tail.staging_writes.valid,
                    tail.staging_writes.payload.as_value(),
                    path.staging_writes.payload.as_value(),
                    name="staging_write",
                    primitives=self.primitives,
                )
            ),
            path.staging_writes.ready.eq(self.staging_writes.ready),
            tail.staging_writes.ready.eq(self.staging_writes.ready),
            self.peaks.valid.eq(path.peaks.valid | tail.peaks.valid),
            path.peaks.ready.eq(self.peaks.ready),
            tail.peaks.ready.eq(self.peaks.ready),
        ]
        with m.If(tail.peaks.valid):
            m.d.comb += self.peaks.payload.eq(tail.peaks.payload)
        with m.Else():
            m.d.comb += [
                self.peaks.payload.address.eq(path.peaks.payload.address),
                self.peaks.payload.value.eq(path.peaks.payload.magnitude),
            ]
