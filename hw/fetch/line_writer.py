"""FILL: lines of 16 bits from memory, each to its place in the staging memory."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.fetch.nest import line_words
from fractrain.hw.fetch.unit_targets import STRIDE, report, target_members, unit_target
from fractrain.hw.flow.layouts import CHIP_ADDRESS_BITS
from fractrain.hw.flow.stream_register import StreamRegister
from fractrain.hw.memory.line_memory import PAIR, line_write

__all__ = ["LineWriter"]


class LineWriter(wiring.Component):
    """Members: `target_members`; ``writes`` have one of the lines of a pair.

    Timing: a word a cycle, a line for every one or two; three cycles more for a task.
    """

    def __init__(self, parameters: Parameters) -> None:
        assert parameters.vector is not None
        self.size = parameters.vector.staging_words
        self.parts = line_words(parameters)
        self.write = line_write(self.size, 8 * parameters.line_bytes)
        super().__init__(target_members(parameters, self.write))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = self.words
        m.submodules.leaving = leaving = StreamRegister(self.write)
        wiring.connect(m, leaving.o, wiring.flipped(self.writes))
        target = unit_target()
        bits = CHIP_ADDRESS_BITS + target["outer"].width + 1
        self.first, self.address = Signal(bits), Signal(bits)
        self.runs, self.lines = Signal(target["outer"].shape), Signal(target["count"].shape)
        self.working, self.draining = Signal(), Signal()
        whole, line = self._collect(m)
        refused, takes = Signal(), Signal()
        m.d.comb += [
            refused.eq(self.working & (self.address >= self.size)),
            takes.eq(self.working & ~refused & ~self.halt),
            leaving.i.valid.eq(takes & words.valid & whole),
            leaving.i.payload.address.eq(self.address >> 1),
            leaving.i.payload.enable.eq(Cat(~self.address[0], self.address[0])),
            *(leaving.i.payload.data[place].eq(line) for place in range(PAIR)),
            words.ready.eq(takes & (leaving.i.ready | ~whole)),
            self.taken.eq(words.valid & words.ready),
            self.ends.eq(self.draining & leaving.empty),
            self.targets.ready.eq(self.ends),
        ]
        report(m, refused & ~self.halt, self.fault)
        self._walk(m, self.taken & whole)
        return m

    def _collect(self, m: Module) -> tuple[Signal, Signal]:
        """The words of a line: whether this is the last, and the line."""
        size = len(self.words.payload)
        number, whole = Signal(range(max(2, self.parts))), Signal()
        held = Signal(size * (self.parts - 1), reset_less=True)
        line = Signal(size * self.parts)
        m.d.comb += [
            whole.eq(number == self.parts - 1),
            line.eq(Cat(held, self.words.payload)),
        ]
        with m.If(self.taken):
            m.d.sync += number.eq(number + 1)
            if self.parts > 1:
                m.d.sync += held.eq(Cat(held, self.words.payload)[size:])
            with m.If(whole):
                m.d.sync += number.eq(0)
        return whole, line

    def _walk(self, m: Module, written: Signal) -> None:
        """From line to line and from run to run."""
        target, following = self.targets.payload, Signal.like(self.first)
        m.d.comb += following.eq(self.first + target[STRIDE])
        with m.If(~self.working & ~self.draining):
            m.d.sync += [
                self.first.eq(target.destination),
                self.address.eq(target.destination),
                self.runs.eq(target.outer),
                self.lines.eq(target.count),
                self.working.eq(self.targets.valid),
            ]
        with m.Elif(written):
            m.d.sync += [self.address.eq(self.address + 1), self.lines.eq(self.lines - 1)]
            with m.If(self.lines == 1):
                m.d.sync += [
                    self.first.eq(following),
                    self.address.eq(following),
                    self.lines.eq(target.count),
                    self.runs.eq(self.runs - 1),
                ]
                with m.If(self.runs == 1):
                    m.d.sync += [self.working.eq(0), self.draining.eq(1)]
        with m.Elif(self.ends):
            m.d.sync += self.draining.eq(0)
