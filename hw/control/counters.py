"""Event counters: 64 bits each, for every tag, in LUT memories."""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.commands import Tag
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.registers import (
    BYTES_READ,
    BYTES_WRITTEN,
    COUNTERS,
    STASH_READ,
    STASH_WRITTEN,
    VECTOR_COUNTERS,
)
from fractrain.hw.flow.ram_style import DISTRIBUTED

__all__ = ["NUMBER_BITS", "UNIT_EVENTS", "CounterMemory", "EventCounters", "count_layout"]

COUNTER_BITS = 64
TAG_BITS = Shape.cast(Tag).width
NUMBER_BITS = (len(COUNTERS) - 1).bit_length()
UNIT_EVENTS = {"vector_cycle": "cycle", "stash_read": "read", "stash_written": "written"}
"""Events of a vector unit, each with its kind."""


def count_layout(kind: str) -> data.StructLayout:
    """An event: ``valid``, its ``tag``, and for the ``kind`` "cycle" the counter's ``number``; of a
    vector unit, counted from its first."""
    number = {"number": NUMBER_BITS} if kind == "cycle" else {}
    return data.StructLayout({"valid": 1, **number, "tag": Tag})


class CounterMemory(wiring.Component):
    """``2**bits`` counters of which one can count in every cycle.

    The counter that counted last is in a register; it returns to the memory when another one
    counts. A program stays with one pass for long, so this is rare.

    Members
    -------
    count : In(1), counter : In      add 1 to it
    shown : In, value : Out(64)      what a counter stands at
    clear : In(1), clearing : Out(1) set all to 0, which takes ``2**bits`` cycles; nothing counts.
                                     The domain's reset does it, too: the memory may hold anything

    Timing: ``value`` two cycles after ``shown``, and one cycle behind the counts.
    """

    def __init__(self, bits: int):
        self.bits = bits
        super().__init__(
            {
                "count": In(1),
                "counter": In(bits),
                "shown": In(bits),
                "value": Out(COUNTER_BITS),
                "clear": In(1),
                "clearing": Out(1, init=1),
            }
        )
        self.current = Signal(bits)
        self.total = Signal(COUNTER_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=COUNTER_BITS, depth=1 << self.bits, init=[], attrs=DISTRIBUTED
        )
        write = memory.write_port()
        other, shown = memory.read_port(domain="comb"), memory.read_port(domain="comb")
        cleared = Signal(self.bits)
        switching = Signal()
        m.d.comb += [
            other.addr.eq(self.counter),
            shown.addr.eq(self.shown),
            switching.eq(self.count & (self.counter != self.current)),
            write.addr.eq(Mux(self.clearing, cleared, self.current)),
            write.data.eq(Mux(self.clearing, 0, self.total)),
            write.en.eq(self.clearing | switching),
        ]
        with m.If(self.clearing):
            m.d.sync += [cleared.eq(cleared + 1), self.total.eq(0), self.current.eq(0)]
            m.d.sync += self.clearing.eq(~cleared.all())
        with m.Elif(self.count):
            m.d.sync += self.current.eq(self.counter)
            m.d.sync += self.total.eq(Mux(switching, other.data, self.total) + 1)
        with m.If(self.clear):
            m.d.sync += self.clearing.eq(1)
        is_current, stored, running = Signal(), Signal(COUNTER_BITS), Signal(COUNTER_BITS)
        m.d.sync += [
            is_current.eq(self.shown == self.current),
            stored.eq(shown.data),
            running.eq(self.total),
            self.value.eq(Mux(is_current, running, stored)),
        ]
        return m


class EventCounters(wiring.Component):
    """All of `COUNTERS` for every `Tag`, and with a vector unit all of `VECTOR_COUNTERS`.

    Members
    -------
    cycle : In        ``valid``: one of `CYCLE_COUNTERS` counts, the one with ``number``
    read : In         ``valid``: a word was read; counts ``word_bytes``
    written : In      ``valid``: a block was written; counts ``block_bytes``
    vector_cycle, stash_read, stash_written : In    the same, of a vector unit
    tag, number : In, value : Out(64)    what a counter stands at, three cycles later
    clear : In(1), clearing : Out(1)     as in `CounterMemory`
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        self.unit = UNIT_EVENTS if parameters.vector is not None else {}
        super().__init__(
            {
                "cycle": In(count_layout("cycle")),
                "read": In(count_layout("read")),
                "written": In(count_layout("written")),
                **{name: In(count_layout(kind)) for name, kind in self.unit.items()},
                "tag": In(Tag),
                "number": In(NUMBER_BITS + bool(self.unit)),
                "value": Out(COUNTER_BITS),
                "clear": In(1),
                "clearing": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parameters = self.parameters
        m.submodules.cycles = cycles = CounterMemory(TAG_BITS + NUMBER_BITS)
        m.submodules.read = read = CounterMemory(TAG_BITS)
        m.submodules.written = written = CounterMemory(TAG_BITS)
        m.d.comb += [
            cycles.counter.eq(Cat(self.cycle.number, self.cycle.tag)),
            cycles.shown.eq(Cat(self.number[:NUMBER_BITS], self.tag)),
            self.clearing.eq(cycles.clearing),
        ]
        for memory, event in ((read, self.read), (written, self.written)):
            m.d.comb += [memory.counter.eq(event.tag), memory.shown.eq(self.tag)]
        for memory, event in ((cycles, self.cycle), (read, self.read), (written, self.written)):
            m.d.comb += [memory.count.eq(event.valid), memory.clear.eq(self.clear)]
        with m.Switch(self.number):
            with m.Case(BYTES_READ.number):
                m.d.sync += self.value.eq(_times(read.value, parameters.word_bytes))
            with m.Case(BYTES_WRITTEN.number):
                m.d.sync += self.value.eq(_times(written.value, parameters.block_bytes))
            for number, value in self._count_unit(m).items():
                with m.Case(number):
                    m.d.sync += self.value.eq(value)
            with m.Default():
                m.d.sync += self.value.eq(cycles.value)
        return m

    def _count_unit(self, m: Module) -> dict[int, Value]:
        """What its counters stand at, by their numbers."""
        values: dict[int, Value] = {}
        for name, kind in self.unit.items():
            event = getattr(self, name)
            number = [event.number] if kind == "cycle" else []
            shown = [self.number[:NUMBER_BITS]] if number else []
            memory = CounterMemory(TAG_BITS + NUMBER_BITS * len(number))
            m.submodules[name] = memory
            m.d.comb += [
                memory.counter.eq(Cat(*number, event.tag)),
                memory.shown.eq(Cat(*shown, self.tag)),
                memory.count.eq(event.valid),
                memory.clear.eq(self.clear),
            ]
            values |= self._of_kind(kind, memory.value)
        return values

    def _of_kind(self, kind: str, value: Value) -> dict[int, Value]:
        match kind:
            case "read":
                return {STASH_READ.number: _times(value, self.parameters.word_bytes)}
            case "written":
                return {STASH_WRITTEN.number: _times(value, self.parameters.block_bytes)}
        bytes_counted = (STASH_READ, STASH_WRITTEN)
        return {each.number: value for each in VECTOR_COUNTERS if each not in bytes_counted}


def _times(count: Value, bytes_each: int) -> Value:
    """A shift: blocks of the engine are powers of two."""
    return (count * bytes_each)[:COUNTER_BITS]
