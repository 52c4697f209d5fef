"""CHANNEL: the numbers of each channel, one after the other, from moments and records."""

import enum

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.commands import Fault, Opcode
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BITS, RECORD_BYTES, Record
from fractrain.hw.flow.layouts import ADDRESS_BITS, write_block
from fractrain.hw.flow.tasks import INDEX_BITS, field_bits
from fractrain.hw.flow.unit_layouts import record_write
from fractrain.hw.vector.channel_unit import (
    LEAST_SHIFT,
    MOST_SHIFT,
    PIXEL_BITS,
    ChannelUnit,
    channel_result,
    channel_task,
)
from fractrain.hw.vector.memories import record_view, vector_parameters
from fractrain.hw.vector.moments import moment_pair

__all__ = ["ChannelWalk", "channel_command"]

MOST_CHANNELS_BITS = 12
"""Of the number of a channel."""


def channel_command() -> data.StructLayout:
    """A CHANNEL that is carried out: fields as in the command.

    bits : backward, of x̂: the inner or outer ones of ``kept_slot``
    """
    names = (
        *("backward", "end", "channel_groups", "pixels", "share"),
        *("scale", "norm", "chunk", "moments"),
    )
    return data.StructLayout(
        {
            "index": INDEX_BITS,
            "bits": range(numerics.MAX_INNER_BITS + 1),
            **field_bits(Opcode.CHANNEL, *names, "address"),
        }
    )


class State(enum.Enum):
    """Of the channel at work, but for the first three."""

    IDLE = 0
    LOAD = enum.auto()
    CHECK = enum.auto()
    SCALE = enum.auto()
    """A record is asked for, here and in the next two; and awaited."""
    CHUNK = enum.auto()
    NORM = enum.auto()
    MOMENTS = enum.auto()
    LOWER = enum.auto()
    """ΣE·x̂ is brought from the top of the words of the side memory down to its bits."""
    UNIT = enum.auto()
    RESULT = enum.auto()
    WRITE = enum.auto()
    RECORDS = enum.auto()
    """A block of records is full, or there are none to go to memory."""
    SUMS = enum.auto()


class ChannelWalk(wiring.Component):
    """Carries out CHANNEL: `hw.contract.commands.Channel` has the formulas.

    Members
    -------
    tasks : In(stream of `channel_command`)
    record_reads : Out(stream of an address), record_answer : In(1), record : In(128)     of the
                        parameter memory, any number of cycles after the grant
    record_writes : Out(stream of `record_write`)
    moment_reads : Out(stream of an address), moment_answer : In(1), moments : In(`moment_pair`)
                        of a `MomentUnit`, likewise
    blocks : Out(stream of `write_block`)     to memory: forward the chunk records, 16 bytes a
                        channel, and behind those of all channels Σy and D, 8 bytes each; backward
                        ΣE and ΣE·x̂. Blocks of both come in turn, as each is full
    ended : Out(1)      the last block was taken, and the last record written. The command has ended
                        when memory has acknowledged its blocks, too
    fault, index : Out  for a cycle: `Fault.ADDRESS` of records or moments beyond their memory,
                        `Fault.COUNT` of 2^17 pixels and of a ``share`` other than 0, which
                        `ChannelUnit` does not take. The walk then stops until reset
    halt : In(1)        offer nothing more, until reset
    idle : Out(1)       no task is here

    Timing: `ChannelUnit.most_cycles` and some `OWN_CYCLES` a channel.
    Numbers: moments are those of n pixels: Σ of 33 bits, Σy² of 48. Of x̂ of b bits in words of s =
    ``side_bits``, the second one is 2^(s−b) · ΣE·x̂, as `MomentUnit` makes it. Without ``share`` δ
    is 0 forward, and is taken for it backward.
    """

    OWN_CYCLES = 40
    """With memories that answer within 4 cycles; up to 12 are for bits of ΣE·x̂."""

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters = parameters
        self.sizes = sizes = vector_parameters(parameters)
        self.unit = ChannelUnit(primitives=primitives)
        records, moments = range(sizes.parameter_words), range(sizes.moment_words)
        super().__init__(
            {
                "tasks": In(stream.Signature(channel_command())),
                "record_reads": Out(stream.Signature(records)),
                "record_answer": In(1),
                "record": In(RECORD_BITS),
                "record_writes": Out(stream.Signature(record_write(sizes.parameter_words))),
                "moment_reads": Out(stream.Signature(moments)),
                "moment_answer": In(1),
                "moments": In(moment_pair()),
                "blocks": Out(stream.Signature(write_block(parameters.block_bits))),
                "ended": Out(1),
                "fault": Out(Fault),
                "index": Out(INDEX_BITS),
                "halt": In(1),
                "idle": Out(1),
            }
        )
        self.state, self.asked, self.failed = Signal(State), Signal(), Signal()
        self.task = Signal(channel_command(), reset_less=True)
        self.channel = Signal(MOST_CHANNELS_BITS, reset_less=True)
        self.last, self.full = Signal(), Signal()
        """The channel is the last one; it fills a block."""
        self.places = {
            name: Signal.like(self.task[name], name=f"{name}_place", reset_less=True)
            for name in ("chunk", "norm", "moments")
        }
        """Of the channel: an adder less between the state and the memories."""
        self.lower = Signal(range(numerics.MAX_RESIDUAL_BITS))
        """Bits that ΣE·x̂ still has below its lowest one."""
        self.chunk = Signal(RECORD_BITS, reset_less=True)
        self.norm, self.scale = Signal.like(self.chunk), Signal.like(self.chunk)
        self.sums = Signal(moment_pair(), reset_less=True)
        self.found = Signal(channel_result(), reset_less=True)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = self.unit
        stopped = self.halt | self.failed
        self._sequence(m, stopped)
        self._read(m, stopped)
        self._compute(m)
        self._write(m, stopped)
        self._refuse(m)
        return m

    def _sequence(self, m: Module, stopped: Value) -> None:
        state, task, unit = self.state, self.task, self.unit
        final = Signal.like(task.channel_groups, reset_less=True)  # the last group
        of_group = self.channel[: self._group_bits]
        m.d.comb += [
            self.tasks.ready.eq((state == State.IDLE) & ~stopped),
            self.idle.eq((state == State.IDLE) & ~self.tasks.valid),
            unit.tasks.valid.eq(state == State.UNIT),
            unit.results.ready.eq(1),  # there is one only while it is waited for
        ]
        # long before it is needed, so it may take two cycles
        m.d.sync += [
            final.eq(task.channel_groups - 1),
            self.last.eq(of_group.all() & (self.channel[self._group_bits :] == final)),
            self.full.eq(self.channel % self.places_of_block == self.places_of_block - 1),
        ]
        sends = self.full & ~stopped
        with m.Switch(state):
            with m.Case(State.IDLE):
                given = self.tasks.payload
                m.d.sync += [self.task.eq(given), self.channel.eq(0)]
                m.d.sync += [place.eq(given[name]) for name, place in self.places.items()]
                with m.If(self.tasks.valid & self.tasks.ready):
                    m.d.sync += state.eq(State.LOAD)
            with m.Case(State.LOAD):
                m.d.sync += state.eq(State.CHECK)
            with m.Case(State.CHECK):
                with m.If(~stopped):
                    m.d.sync += state.eq(Mux(task.backward, State.SCALE, State.MOMENTS))
            for asking, then, answer, into in (
                (State.SCALE, State.CHUNK, self.record_answer, self.scale),
                (State.CHUNK, State.NORM, self.record_answer, self.chunk),
                (State.NORM, State.MOMENTS, self.record_answer, self.norm),
                (State.MOMENTS, State.LOWER, self.moment_answer, self.sums.as_value()),
            ):
                with m.Case(asking), m.If(answer):
                    word = self.moments if asking is State.MOMENTS else self.record
                    m.d.sync += [into.eq(word), state.eq(then)]
            with m.Case(State.LOWER):
                with m.If(self.lower == 0):
                    m.d.sync += state.eq(State.UNIT)
                with m.Else():
                    m.d.sync += self.sums.product.eq(self.sums.product >> 1)
            with m.Case(State.UNIT):
                with m.If(unit.tasks.ready):
                    m.d.sync += state.eq(State.RESULT)
            with m.Case(State.RESULT):
                m.d.sync += self.found.eq(unit.results.payload)
                with m.If(unit.results.valid):
                    m.d.sync += state.eq(State.WRITE)
            with m.Case(State.WRITE):
                with m.If(self.record_writes.valid & self.record_writes.ready):
                    m.d.sync += state.eq(State.RECORDS)
            with m.Case(State.RECORDS):
                with m.If(task.backward | ~sends | self.blocks.ready):
                    m.d.sync += state.eq(State.SUMS)
            with m.Case(State.SUMS):
                with m.If((~sends | self.blocks.ready) & ~stopped):
                    m.d.comb += self.ended.eq(self.last)
                    m.d.sync += self.channel.eq(self.channel + 1)
                    m.d.sync += [place.eq(place + 1) for place in self.places.values()]
                    following = Mux(task.backward, State.CHUNK, State.MOMENTS)
                    m.d.sync += state.eq(Mux(self.last, State.IDLE, following))

    @property
    def places_of_block(self) -> int:
        """Records."""
        return self.parameters.block_bytes // RECORD_BYTES

    @property
    def _group_bits(self) -> int:
        return (self.parameters.block.channels - 1).bit_length()

    def _read(self, m: Module, stopped: Value) -> None:
        """One word at a time: asked for once, and awaited."""
        state, task, reads, places = self.state, self.task, self.record_reads, self.places
        of_records = (state == State.SCALE) | (state == State.CHUNK) | (state == State.NORM)
        of_moments = state == State.MOMENTS
        m.d.comb += [
            reads.valid.eq(of_records & ~self.asked & ~stopped),
            reads.payload.eq(
                Mux(
                    state == State.SCALE,
                    task.scale,
                    Mux(state == State.CHUNK, places["chunk"], places["norm"]),
                )
            ),
            self.moment_reads.valid.eq(of_moments & ~self.asked & ~stopped),
            self.moment_reads.payload.eq(places["moments"]),
        ]
        granted = (reads.valid & reads.ready) | (self.moment_reads.valid & self.moment_reads.ready)
        with m.If(self.record_answer | self.moment_answer):
            m.d.sync += self.asked.eq(0)
        with m.Elif(granted):
            m.d.sync += self.asked.eq(1)

    def _compute(self, m: Module) -> None:
        to, task, sums = self.unit.tasks.payload, self.task, self.sums
        shift = record_view(Record.SCALE, self.scale).gain_shift
        nearest = Signal(channel_task()["shift"].shape, reset_less=True)
        lifted = Signal(numerics.SQUARES_BITS, reset_less=True)
        # g is bits − 4 inside a block, bits − 3 at its end; used two cycles after what it is of
        lift = Signal(3, reset_less=True)
        most = numerics.LIFTED_FRACTION + numerics.FORMED_RANGE_BITS
        with m.If(self.state == State.LOWER):
            m.d.sync += self.lower.eq(self.lower - 1)
        with m.Else():
            m.d.sync += self.lower.eq(Mux(task.backward, self.sizes.side_bits - task.bits, 0))
        m.d.sync += [
            lift.eq(most - task.bits - task.end),
            nearest.eq(
                Mux(shift < LEAST_SHIFT, LEAST_SHIFT, Mux(shift > MOST_SHIFT, MOST_SHIFT, shift))
            ),
            lifted.eq(Mux(task.backward, sums.product << lift, sums.product)),
        ]
        m.d.comb += [
            to.backward.eq(task.backward),
            to.pixels.eq(task.pixels),
            to.total.eq(sums.total),
            to.product.eq(lifted),
            to.reciprocal.eq(record_view(Record.CHUNK, self.chunk).reciprocal),
            to.gain.eq(record_view(Record.NORM, self.norm).gain),
            to.shift.eq(nearest),
        ]

    def _new_record(self, m: Module) -> Signal:
        """Forward what was found and 0; backward what was there, and what was found."""
        task, found = self.task, self.found
        word = Signal(RECORD_BITS)
        new, old = record_view(Record.CHUNK, word), record_view(Record.CHUNK, self.chunk)
        with m.If(task.backward):
            m.d.comb += word.eq(self.chunk)
            m.d.comb += [
                new.mean.eq(old.mean),
                new.error_mean.eq(found.mean),
                new.slope.eq(found.factor),
                new.cross_slope.eq(found.slope),
            ]
        with m.Else():
            m.d.comb += [new.mean.eq(found.mean), new.reciprocal.eq(found.reciprocal)]
        return word

    def _write(self, m: Module, stopped: Value) -> None:
        """Records and sums fill a block each."""
        state, task, blocks = self.state, self.task, self.blocks
        word = self._new_record(m)
        writes = self.record_writes
        m.d.comb += [
            writes.valid.eq((state == State.WRITE) & ~stopped),
            writes.payload.address.eq(self.places["chunk"]),
            writes.payload.data.eq(word),
        ]
        bits = self.parameters.block_bits
        second = Mux(task.backward, self.sums.product, self.found.dispersion)
        filled = [Signal(bits, name=name, reset_less=True) for name in ("records", "pairs")]
        addresses = [Signal(ADDRESS_BITS, name=f"{name}_address") for name in ("record", "pair")]
        with m.If((state == State.WRITE) & writes.ready):
            for block, each in zip(filled, (word, Cat(self.sums.total, second)), strict=True):
                m.d.sync += block.eq(Cat(block[RECORD_BITS:], each))
        in_records = state == State.RECORDS
        here = (in_records & ~task.backward) | (state == State.SUMS)
        m.d.comb += [
            blocks.valid.eq(here & self.full & ~stopped),
            blocks.payload.address.eq(Mux(in_records, addresses[0], addresses[1])),
            blocks.payload.data.eq(Mux(in_records, filled[0], filled[1])),
        ]
        behind = Cat(Const(0, self._group_bits), task.channel_groups) * RECORD_BYTES
        with m.If(state == State.CHECK):
            m.d.sync += [
                addresses[0].eq(task.address),
                addresses[1].eq(task.address + Mux(task.backward, 0, behind)),
            ]
        for address, of_state in zip(addresses, (State.RECORDS, State.SUMS), strict=True):
            with m.If((state == of_state) & blocks.valid & blocks.ready):
                m.d.sync += address.eq(address + self.parameters.block_bytes)

    def _refuse(self, m: Module) -> None:
        task, sizes = self.task, self.sizes
        channels = Cat(Const(0, self._group_bits), task.channel_groups)
        beyond = (
            (task.norm + channels > sizes.parameter_words)
            | (task.chunk + channels > sizes.parameter_words)
            | (task.moments + channels > sizes.moment_words)
            | (task.backward & (task.scale >= sizes.parameter_words))
        )
        many = (task.pixels >> PIXEL_BITS).any() | task.share.any()
        found, fault = Signal(Fault), Signal(Fault)
        m.d.sync += found.eq(Mux(many, Fault.COUNT, Mux(beyond, Fault.ADDRESS, Fault.NONE)))
        checks = (self.state == State.CHECK) & ~self.halt & ~self.failed
        refused = checks & (found != Fault.NONE)
        m.d.comb += [self.fault.eq(fault), self.index.eq(task.index)]
        m.d.sync += fault.eq(Mux(checks, found, Fault.NONE))
        with m.If(refused):
            m.d.sync += self.failed.eq(1)
