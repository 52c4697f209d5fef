"""Planes on their way from the corner turn: into the plane memory, and into the stash."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.layouts import ADDRESS_BITS, CHIP_ADDRESS_BITS, plane_write, write_block
from fractrain.hw.flow.ram_style import DISTRIBUTED
from fractrain.hw.vector.digit_sets import DIGITS, Kind, digit_sets
from fractrain.hw.vector.line_layouts import (
    STASH_PLANE_BITS,
    block_offset_bits,
    line_task,
)

__all__ = ["STASH_WORDS", "PlaneSender", "leaving_block"]

STASH_WORDS = 32
"""Words of the stash that may wait for memory: of two blocks, so that one can be turned while the
other leaves."""


def leaving_block(parameters: Parameters) -> data.StructLayout:
    """A block that leaves the turn: ``there`` is one, its set of digits, its offsets in words."""
    return data.StructLayout(
        {
            "there": 1,
            "set": range(len(digit_sets(parameters.block.channels))),
            "stash_offset": block_offset_bits(parameters),
            "plane_offset": CHIP_ADDRESS_BITS + 1,
        }
    )


def _entry() -> data.StructLayout:
    """What becomes of the digits in one place of one set: the number of its plane among its kind,
    and in the stash."""
    return data.StructLayout(
        {"planed": 1, "stashed": 1, "plane": range(16), "stash_plane": STASH_PLANE_BITS}
    )


class PlaneSender(wiring.Component):
    """Sends words of the corner turn where a command wants them.

    Members
    -------
    start : In(1), task : In(`line_task`)      a command begins, held until it has ended
    prepared : Out(1)    from then on until ``start``:
    sets : Out(number of `digit_sets`)         those that hold a digit that is wanted, or the one of
                         activations or errors
    words : Out(array)   words of the stash that a block leaves, by set
    comes : In(1), place : In, block : In(`leaving_block`), word : In      a digit of the block
                         leaves; the block is held until the last one
    plane_write : Out(`plane_write`)
    blocks : Out(stream of `write_block`)      to the stash
    gone : Out(1)        a word of the stash was taken
    empty : Out(1)       none waits, none is on its way
    beyond : Out(1)      a plane was to be written beyond the plane memory, and was not

    Timing: ``prepared`` after `prepare_cycles`; a word a cycle; the plane memory is written
    `latency_cycles` after ``comes``. Words of the stash have no back-pressure here: who lets blocks
    pass reserves `STASH_WORDS` places.
    """

    latency_cycles = 2

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.channels = parameters.block.channels
        self.digits = digit_sets(self.channels)
        self.count_shape = range(self.channels + 1)
        bits = parameters.block_bits
        super().__init__(
            {
                "start": In(1),
                "task": In(line_task()),
                "prepared": Out(1),
                "sets": Out(len(self.digits)),
                "words": Out(data.ArrayLayout(self.count_shape, len(self.digits))),
                "comes": In(1),
                "place": In(range(self.channels)),
                "block": In(leaving_block(parameters)),
                "word": In(bits),
                "plane_write": Out(plane_write(parameters)),
                "blocks": Out(stream.Signature(write_block(bits))),
                "gone": Out(1),
                "empty": Out(1),
                "beyond": Out(1),
            }
        )
        self.number = Signal(range(max(self.entries, 1 << STASH_PLANE_BITS)))
        """Of the entry and the plane that are prepared."""

    @property
    def entries(self) -> int:
        """Places of all sets."""
        return self.channels << (len(self.digits) - 1).bit_length()

    @property
    def prepare_cycles(self) -> int:
        return max(self.entries, 1 << STASH_PLANE_BITS) + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entry, preparing = self._prepare(m)
        addresses = self._addresses(m, preparing)
        self._send(m, entry, addresses)
        return m

    # -- a command begins ---------------------------------------------------------------------

    def _prepare(self, m: Module) -> tuple[data.View, Value]:
        """Lists what becomes of each place of each set; what the list says of the place that is
        leaving."""
        m.submodules.list = memory = Memory(
            shape=_entry().size, depth=self.entries, init=[], attrs=DISTRIBUTED
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        running, ended, number = Signal(), Signal(), self.number
        last = len(self.number)
        with m.If(self.start):
            m.d.sync += [running.eq(1), number.eq(0), self.prepared.eq(0)]
        with m.Elif(running):
            m.d.sync += [number.eq(number + 1), running.eq(number != (1 << last) - 1)]
        m.d.sync += ended.eq(running & (number == (1 << last) - 1))
        with m.If(ended & ~self.start):
            m.d.sync += self.prepared.eq(1)
        listed, at = Signal(_entry()), Signal.like(number)
        valid = Signal()
        m.d.sync += [listed.eq(self._listed(m)), at.eq(number), valid.eq(running)]
        m.d.comb += [
            write.en.eq(valid & (at < self.entries)),
            write.addr.eq(at),
            write.data.eq(listed.as_value()),
            read.addr.eq(Cat(self.place, self.block.set)),
        ]
        self._count(m, listed, at, valid)
        return data.View(_entry(), read.data), running

    def _count(self, m: Module, listed: data.View, at: Value, valid: Value) -> None:
        """Words that each set leaves, and whether it is wanted."""
        channel_bits = (self.channels - 1).bit_length()
        wanted = Signal(len(self.digits))
        task = self.task
        for number in range(len(self.digits)):
            hit = valid & (at >> channel_bits == number)
            with m.If(self.start):
                m.d.sync += [self.words[number].eq(0), wanted[number].eq(0)]
            with m.Elif(hit):
                m.d.sync += [
                    self.words[number].eq(self.words[number] + listed.stashed),
                    wanted[number].eq(wanted[number] | listed.stashed | listed.planed),
                ]
        plain = next(
            number for number, each in enumerate(self.digits) if each[0] == (Kind.ACTIVATION, 0)
        )
        first_error = next(
            number for number, each in enumerate(self.digits) if each[0] == (Kind.ERROR, 0)
        )
        m.d.comb += self.sets.eq(
            Mux(
                wanted.any(),
                wanted,
                Mux(task.applies, 1 << first_error, 1 << plain),
            )
        )

    def _listed(self, m: Module) -> Value:
        """The entry of ``number``."""
        entry, kind, digit = Signal(_entry()), Signal(Kind), Signal(range(16))
        there = Signal()
        channel_bits = (self.channels - 1).bit_length()
        with m.Switch(self.number):
            for index, digits in enumerate(self.digits):
                for place, each in enumerate(digits):
                    if each is not None:
                        with m.Case(index << channel_bits | place):
                            m.d.comb += [kind.eq(each[0]), digit.eq(each[1]), there.eq(1)]
        task = self.task
        skew = (kind == Kind.NORMALIZED) & task.outer
        used = self._used(m, self.number >> channel_bits)
        count, stashed, first = Signal(range(16)), Signal(), Signal(STASH_PLANE_BITS)
        planed = Signal()
        ways = {
            Kind.NORMALIZED: (task.kept_bits, 0, task.stash_normalized, 0),
            Kind.MASK: (1, 0, task.stash_mask, task.entry.mask_plane),
            Kind.RESIDUAL: (
                DIGITS[Kind.RESIDUAL],
                0,
                task.stash_residual,
                task.entry.residual_plane,
            ),
            Kind.ACTIVATION: (
                task.bits,
                task.planed,
                task.stash_activations,
                task.entry.activation_plane,
            ),
            Kind.ERROR: (task.error_bits, task.planed, 0, 0),
        }
        with m.Switch(kind):
            for way, (bits, to_planes, to_stash, plane) in ways.items():
                with m.Case(way):
                    m.d.comb += [
                        count.eq(bits),
                        planed.eq(to_planes),
                        stashed.eq(to_stash),
                        first.eq(plane),
                    ]
        plane = digit - skew
        real = there & used & (digit >= skew) & (plane < count)
        errors = kind == Kind.ERROR
        m.d.comb += [
            entry.planed.eq(planed & real & (errors == task.applies)),
            entry.stashed.eq(stashed & real & (errors == task.applies)),
            entry.plane.eq(plane),
            entry.stash_plane.eq(first + plane),
        ]
        return entry.as_value()

    def _used(self, m: Module, number: Value) -> Value:
        """Whether the set takes part: that with both activations and x̂ does instead of those with
        either, if x̂ and what is wanted with it are few enough."""
        both = [
            index
            for index, each in enumerate(self.digits)
            if {kind for kind, _ in filter(None, each)} >= {Kind.ACTIVATION, Kind.NORMALIZED}
        ]
        if not both:
            return Const(1)
        task = self.task
        places = sum(1 for each in self.digits[both[0]] if each and each[0] is Kind.NORMALIZED)
        fits = Signal()
        few = ~task.stash_normalized | (task.kept_bits + task.outer <= places)
        some = task.stash_normalized | task.stash_mask
        m.d.comb += fits.eq(few & some & ~task.stash_residual)
        return task.applies | ((number == both[0]) == fits)

    def _addresses(self, m: Module, preparing: Value) -> tuple[data.View, data.View]:
        """Tables of the first words of planes; the stash's entry and the plane memory's that are
        looked up."""
        task, number = self.task, self.number
        word = (self.parameters.word_bytes - 1).bit_length()
        m.submodules.stash = stash = Memory(
            shape=ADDRESS_BITS, depth=1 << STASH_PLANE_BITS, init=[], attrs=DISTRIBUTED
        )
        m.submodules.planes = planes = Memory(
            shape=CHIP_ADDRESS_BITS + 2, depth=16, init=[], attrs=DISTRIBUTED
        )
        steps = {
            stash: (Signal(ADDRESS_BITS), task.stash, task.entry.stash_stride << word),
            planes: (Signal(CHIP_ADDRESS_BITS + 2), task.planes, task.entry.plane_stride),
        }
        running = Signal()
        m.d.sync += running.eq(preparing)
        found = []
        for memory, (address, first, stride) in steps.items():
            write, read = memory.write_port(), memory.read_port(domain="comb")
            fills = preparing & (number < memory.depth)
            with m.If(self.start):
                m.d.sync += address.eq(first)
            with m.Elif(fills):
                # planes beyond all that there are stay beyond
                total = address + stride
                top = address[-1] if memory is planes else Const(0)
                m.d.sync += address.eq(total | (top << len(address) - 1))
            m.d.comb += [write.en.eq(fills), write.addr.eq(number), write.data.eq(address)]
            found.append(read)
        return found[0], found[1]

    # -- words leave --------------------------------------------------------------------------

    def _send(self, m: Module, entry: data.View, tables: tuple) -> None:
        stash, planes = tables
        word = (self.parameters.word_bytes - 1).bit_length()
        bits = self.parameters.block_bits
        listed, block = Signal(_entry()), Signal(leaving_block(self.parameters), reset_less=True)
        valid = Signal()
        first, second = (Signal(bits, name=name, reset_less=True) for name in ("first", "second"))
        stash_address = Signal(ADDRESS_BITS, reset_less=True)
        plane_address = Signal(CHIP_ADDRESS_BITS + 3, reset_less=True)
        to_stash, to_planes = Signal(), Signal()
        m.d.sync += [
            valid.eq(self.comes & self.block.there),
            listed.eq(entry),
            block.eq(self.block),
            first.eq(self.word),
            second.eq(first),
            to_stash.eq(valid & listed.stashed),
            to_planes.eq(valid & listed.planed),
            stash_address.eq(stash.data + (block.stash_offset << word)),
            plane_address.eq(planes.data + block.plane_offset),
        ]
        m.d.comb += [stash.addr.eq(listed.stash_plane), planes.addr.eq(listed.plane)]
        inside = plane_address < self.parameters.buffers.plane_words
        m.d.comb += [
            self.plane_write.valid.eq(to_planes & inside),
            self.plane_write.address.eq(plane_address),
            self.plane_write.data.eq(second),
            self.beyond.eq(to_planes & ~inside),
        ]
        m.submodules.waiting = waiting = Fifo(write_block(bits), STASH_WORDS + Fifo.SLACK)
        m.d.comb += [
            waiting.w_en.eq(to_stash),
            waiting.w_data.eq(Cat(stash_address, second)),
            self.blocks.valid.eq(waiting.r_rdy),
            self.blocks.payload.eq(waiting.head),
            waiting.r_en.eq(self.blocks.ready),
            self.gone.eq(self.blocks.valid & self.blocks.ready),
        ]
        m.d.comb += self.empty.eq(
            ~(valid | to_stash | to_planes | waiting.r_rdy) & (waiting.level == 0)
        )
