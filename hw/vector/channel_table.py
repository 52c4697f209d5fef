"""The numbers of the channels at work, fetched a group ahead."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.records import RECORD_BITS, SHIFT_BITS, Record
from fractrain.hw.flow.ram_style import DISTRIBUTED
from fractrain.hw.vector.form import LIFTED_SHAPE, OFFSET_SHAPE, FactorLift
from fractrain.hw.vector.line_layouts import line_task, vector_of
from fractrain.hw.vector.memories import record_view
from fractrain.hw.vector.words import shape_of

__all__ = ["ChannelTable", "channel_numbers"]

HALVES = 2


def channel_numbers() -> data.StructLayout:
    """What `VectorLanes` takes of a channel: μ' and M, or T₁' and A; G lifted, or B̄; G of a
    shortcut, not lifted; ΣB."""
    return data.StructLayout(
        {
            "mean": shape_of("μ'"),
            "factor": shape_of("A"),
            "slope": LIFTED_SHAPE,
            "second": shape_of("G"),
            "offset": OFFSET_SHAPE,
        }
    )


class ChannelTable(wiring.Component):
    """Reads the records of a group's channels while the lines of the group before are at work.

    Members
    -------
    start : In(1), task : In(`line_task`)    a command begins, held until its last line
    reads : Out(stream of a record's number), answer : In(1), record : In(128)     of the parameter
                     memory
    there : Out(2)       the numbers of a group are there, in half g % 2
    done : In(1)         the oldest group that is there has had its last beat
    half : In(1), channel : In    the numbers of which channel, in the same cycle:
    numbers : Out(`channel_numbers`)
    residual_factor : Out(signed)    ρ, from ``there`` on; 0 without a residual
    stream_shift : Out(signed)       of what is carried, from ``there`` on
    beyond : Out(1)      a record is beyond the memory: nothing more is read until ``start``

    Timing: as many reads a channel as it has records, one a cycle if they are granted.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.channels = parameters.block.channels
        self.words = vector_of(parameters).parameter_words
        super().__init__(
            {
                "start": In(1),
                "task": In(line_task()),
                "reads": Out(stream.Signature(range(self.words))),
                "answer": In(1),
                "record": In(RECORD_BITS),
                "there": Out(HALVES),
                "done": In(1),
                "half": In(1),
                "channel": In(range(self.channels)),
                "numbers": Out(channel_numbers()),
                "residual_factor": Out(shape_of("ρ")),
                "stream_shift": Out(signed(SHIFT_BITS)),
                "beyond": Out(1),
            }
        )
        task = self.task
        # which records a channel has: chunk, norm, second norm
        self.uses = [
            task.normalizes | task.applies,
            (task.normalizes | task.recomputes) & ~task.writes_staging,
            task.shortcut,
        ]
        self.firsts = [task.chunk, task.norm, task.second_record]
        self.asked, self.answered = (Signal(3, name=name) for name in ("asked", "answered"))
        """Which record of the channel is the next to be asked for, to be answered: one-hot."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        asking, scale = Signal(), Signal()  # records; ρ, before them
        none = ~Cat(self.uses).any()
        asks_channel = self._ask(m, asking, scale, none)
        takes = self.answer & ~scale
        last = self._last(self.answered)
        scale_answer = self.answer & scale
        found = record_view(Record.SCALE, self.record)
        with m.If(self.start):
            m.d.sync += [self.residual_factor.eq(0), scale.eq(self._scaled)]
        with m.Elif(scale_answer):
            m.d.sync += [
                scale.eq(0),
                self.stream_shift.eq(found.stream_shift),
            ]
            with m.If(self.task.residual):
                m.d.sync += self.residual_factor.eq(found.residual_factor)
        complete = Signal()
        m.d.sync += complete.eq((takes & last) | (none & asks_channel))
        with m.If(self.start):
            m.d.sync += [complete.eq(0), self.answered.eq(self._first())]
        with m.Elif(takes):
            m.d.sync += self.answered.eq(self._following(self.answered))
        self._keep(m, complete, self._gather(m, takes))
        return m

    @property
    def _scaled(self) -> Value:
        """There is a scale record."""
        return self.task.residual | self.task.carries

    # -- requests ---------------------------------------------------------------------------

    def _first(self) -> Value:
        return self._following(Const(0b100, 3))

    def _following(self, one: Value) -> Value:
        """The next record that a channel has, from ``one`` on, one-hot, round."""
        chunk, norm, second = self.uses
        after_chunk = Mux(norm, 0b010, Mux(second, 0b100, 0b001))
        after_norm = Mux(second, 0b100, Mux(chunk, 0b001, 0b010))
        after_second = Mux(chunk, 0b001, Mux(norm, 0b010, 0b100))
        return Mux(one[0], after_chunk, Mux(one[1], after_norm, after_second))

    def _last(self, one: Value) -> Value:
        """Whether ``one`` is the last record of its channel."""
        _, norm, second = self.uses
        return one[2] | (one[1] & ~second) | (one[0] & ~norm & ~second)

    def _ask(self, m: Module, asking: Signal, scale: Signal, none: Value) -> Value:
        """Requests for the channels of one group after the other; whether one without records is
        done in this cycle."""
        count = self.task.entry.channel_groups
        left = Signal.like(count, name="left")
        room = Signal(range(HALVES + 1), init=HALVES)  # halves that may be filled
        number = Signal(len(self.task.norm))  # of the channel, of all groups
        place = Signal(range(self.channels))
        asks_scale, addressed = Signal(), Signal()
        base = Signal(len(self.task.norm) + 1)
        for bit, first in enumerate(self.firsts):
            with m.If(self.asked[bit]):
                m.d.comb += base.eq(first + number)
        with m.If(asks_scale):
            m.d.comb += base.eq(self.task.second_record)
        ready = asking & (room != 0) & ~self.beyond
        offered = asks_scale | (ready & ~none & ~scale)
        # a request stands in a register: its address is checked before
        free = ~self.reads.valid | self.reads.ready
        taken, channel_done = Signal(), Signal()
        m.d.comb += [
            addressed.eq(base < self.words),
            taken.eq(offered & free & ~self.beyond),
            channel_done.eq(
                (taken & ~asks_scale & self._last(self.asked)) | (ready & none & ~scale)
            ),
        ]
        with m.If(free):
            m.d.sync += [self.reads.valid.eq(taken & addressed), self.reads.payload.eq(base)]
        with m.If(self.start):
            m.d.sync += [
                asks_scale.eq(self._scaled),
                self.asked.eq(self._first()),
                asking.eq(1),
                left.eq(count),
                number.eq(0),
                place.eq(0),
                room.eq(HALVES),
                self.beyond.eq(0),
            ]
        with m.Else():
            m.d.sync += self.beyond.eq(self.beyond | (taken & ~addressed))
            with m.If(taken & asks_scale):
                m.d.sync += asks_scale.eq(0)
            with m.Elif(taken):
                m.d.sync += self.asked.eq(self._following(self.asked))
            fills = channel_done & (place == self.channels - 1)
            with m.If(channel_done):
                m.d.sync += [number.eq(number + 1), place.eq(place + 1)]
            with m.If(fills):
                m.d.sync += [left.eq(left - 1), asking.eq(left != 1)]
            m.d.sync += room.eq(room - fills + self.done)
        return channel_done

    # -- answers ----------------------------------------------------------------------------

    def _gather(self, m: Module, takes: Value) -> data.View:
        """The numbers of a channel, a cycle after its last record was answered."""
        m.submodules.lift = lift = FactorLift()
        found = Signal(channel_numbers(), reset_less=True)
        numbers = Signal(channel_numbers())
        slope = Signal(LIFTED_SHAPE, reset_less=True)
        norm_now = Signal()
        task = self.task
        chunk, norm = (record_view(each, self.record) for each in (Record.CHUNK, Record.NORM))
        first_offset = Mux(self.uses[1], found.offset, 0)
        with m.If(takes):
            with m.If(self.answered[0]):
                m.d.sync += [
                    found.mean.eq(Mux(task.applies, chunk.error_mean, chunk.mean)),
                    found.factor.eq(Mux(task.applies, chunk.slope, chunk.reciprocal)),
                    found.slope.eq(chunk.cross_slope),
                ]
            with m.If(self.answered[1]):
                m.d.sync += found.offset.eq(norm.offset)
            with m.If(self.answered[2]):
                m.d.sync += [
                    found.second.eq(norm.factor),
                    found.offset.eq(first_offset + norm.offset),
                ]
        m.d.sync += norm_now.eq(takes & self.answered[1])
        with m.If(norm_now):
            m.d.sync += slope.eq(lift.lifted)
        m.d.comb += [
            lift.bits.eq(task.normalized_bits),
            lift.factor.eq(norm.factor),
            numbers.eq(found),
        ]
        with m.If(task.writes_staging):  # x̂ itself leaves
            m.d.comb += [numbers.slope.eq(1), numbers.offset.eq(0)]
        with m.Elif(~task.applies):
            m.d.comb += numbers.slope.eq(Mux(norm_now, lift.lifted, slope))
            with m.If(~self.uses[1]):
                m.d.comb += numbers.slope.eq(0)
                with m.If(~self.uses[2]):
                    m.d.comb += numbers.offset.eq(0)
        return numbers

    def _keep(self, m: Module, complete: Value, numbers: data.View) -> None:
        m.submodules.memory = memory = Memory(
            shape=channel_numbers().size, depth=HALVES * self.channels, init=[], attrs=DISTRIBUTED
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        place = Signal(range(HALVES * self.channels))
        with m.If(self.start):
            m.d.sync += place.eq(0)
        with m.Elif(complete):
            m.d.sync += place.eq(place + 1)
        channel_bits = (self.channels - 1).bit_length()
        m.d.comb += [
            write.en.eq(complete),
            write.addr.eq(place),
            write.data.eq(numbers.as_value()),
            read.addr.eq(Cat(self.channel, self.half)),
            self.numbers.eq(read.data),
        ]
        full = complete & place[:channel_bits].all()
        gone = Signal()  # the half that is done next
        with m.If(self.start):
            m.d.sync += [self.there.eq(0), gone.eq(0)]
        with m.Else():
            m.d.sync += gone.eq(gone ^ self.done)
            for half in range(HALVES):
                sets, clears = full & (place[-1] == half), self.done & (gone == half)
                m.d.sync += self.there[half].eq((self.there[half] | sets) & ~clears)
