"""Lines on their way back into staging and side memory."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.fifo import Fifo
from fractrain.hw.flow.unit_layouts import side_line
from fractrain.hw.memory.line_memory import PAIR, line_write, pair_count
from fractrain.hw.vector.line_layouts import line_step, line_task, vector_of
from fractrain.hw.vector.words import shape_of

__all__ = ["LineStore", "pair_number", "pairs_left"]


class LineStore(wiring.Component):
    """Writes x̂ of a shortcut to the staging memory, r or x̂ with a mask to the side memory.

    Members
    -------
    task : In(`line_task`)           from a cycle before the first line on
    claim : In(1), room : Out(1)     two lines for the staging memory are going to come; they may
    sum : In(1), sum_step : In(`line_step`), sum_odd : In(1), sum_inside : In(pixels), sums : In
                     a line's sum: x̂ of 12 bits; the second of its pair; pixels of the image
    line : In(1), line_step, line_odd, inside : In, numbers : In, mask : In
                     a line is done: its number in words of the side memory, its mask
    staging_writes, side_writes : Out(stream of `line_write`)    the latter has to be granted always
    empty : Out(1)   nothing waits
    beyond : Out(1)  a line was to be written beyond its memory, or its pair is not one; it was not

    Timing: the side memory's write comes a cycle after ``line``; those of the staging memory wait
    for their turns, `LINES` of them at most.
    """

    LINES = 32

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        vector, pixels = vector_of(parameters), parameters.array.rows
        self.pixels = pixels
        self.side = side_line(parameters)
        self.staging_words, self.side_words = vector.staging_words, vector.side_words
        step = line_step(parameters)
        staging = line_write(vector.staging_words, numerics.NARROW_BITS * pixels)
        super().__init__(
            {
                "task": In(line_task()),
                "claim": In(1),
                "room": Out(1),
                "sum": In(1),
                "sum_step": In(step),
                "sum_odd": In(1),
                "sum_inside": In(pixels),
                "sums": In(data.ArrayLayout(shape_of("W"), pixels)),
                "line": In(1),
                "line_step": In(step),
                "line_odd": In(1),
                "inside": In(pixels),
                "numbers": In(self.side.members["numbers"].size),
                "mask": In(pixels),
                "staging_writes": Out(stream.Signature(staging)),
                "side_writes": Out(stream.Signature(line_write(vector.side_words, self.side.size))),
                "empty": Out(1),
                "beyond": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beyond = [self._to_staging(m), self._to_side(m)]
        m.d.sync += self.beyond.eq(self.beyond | Cat(beyond).any())
        return m

    def _place(self, m: Module, address: Value, step: Value, words: int, name: str) -> tuple:
        """The pair of a step's lines, and whether the memory has it."""
        pair = Signal(len(address) + 1, name=f"pair_{name}")
        number = pair_number(self.parameters, step)
        m.d.comb += pair.eq((address >> 1) + number)
        return pair, number < pairs_left(m, address, words, name)

    def _to_staging(self, m: Module) -> Value:
        wide = numerics.WIDE_BITS
        layout = data.StructLayout(
            {
                "address": range(pair_count(self.staging_words)),
                "odd": 1,
                "numbers": data.ArrayLayout(signed(wide), self.pixels),
            }
        )
        m.submodules.waiting = waiting = Fifo(layout, self.LINES + Fifo.SLACK)
        new, writes = Signal(layout), Signal()
        pair, exists = self._place(
            m, self.task.destination, self.sum_step, self.staging_words, "staging"
        )
        coming, claimed = self.sum & self.task.writes_staging, Signal(range(self.LINES + 1))
        gone = waiting.r_rdy & waiting.r_en
        # a cycle later: the sums come from the slices' registers, and pixels outside become 0
        item, valid = Signal(layout, reset_less=True), Signal()
        m.d.comb += [new.address.eq(pair), new.odd.eq(self.sum_odd)]
        m.d.sync += [item.address.eq(new.address), item.odd.eq(new.odd), valid.eq(writes)]
        m.d.comb += writes.eq(coming & self.sum_step.last_pass & exists)
        for pixel in range(self.pixels):
            with m.If(self.sum_inside[pixel]):
                m.d.sync += item.numbers[pixel].eq(self.sums[pixel])
            with m.Else():
                m.d.sync += item.numbers[pixel].eq(0)
        write, head = self.staging_writes, waiting.head
        line = Cat(_widened(each) for each in head.numbers)
        m.d.comb += [
            waiting.w_en.eq(valid),
            waiting.w_data.eq(item.as_value()),
            write.valid.eq(waiting.r_rdy),
            waiting.r_en.eq(write.ready),
            write.payload.address.eq(head.address),
            write.payload.enable.eq(Cat(~head.odd, head.odd)),
            *(write.payload.data[place].eq(line) for place in range(PAIR)),
            self.room.eq(claimed <= self.LINES - PAIR),
            self.empty.eq((claimed == 0) & ~self.side_writes.valid),
        ]
        lost = coming & ~writes
        m.d.sync += claimed.eq(claimed + (self.claim << 1) - gone - lost)
        return coming & ~exists

    def _to_side(self, m: Module) -> Value:
        task, write = self.task, self.side_writes
        pair, exists = self._place(
            m, task.side_destination, self.line_step, self.side_words, "side"
        )
        comes = self.line & task.writes_side & self.line_step.last_pass
        line = Signal(self.side, reset_less=True)
        numbers = data.View(self.side.members["numbers"], self.numbers)
        m.d.sync += [
            write.valid.eq(comes & exists),
            write.payload.address.eq(pair),
            write.payload.enable.eq(Cat(~self.line_odd, self.line_odd)),
            line.mask.eq(self.mask & self.inside),
        ]
        for pixel in range(self.pixels):
            # x̂ that is only read stays as it is
            with m.If(self.inside[pixel] | task.recomputes):
                m.d.sync += line.numbers[pixel].eq(numbers[pixel])
            with m.Else():
                m.d.sync += line.numbers[pixel].eq(0)
        m.d.comb += [write.payload.data[place].eq(line.as_value()) for place in range(PAIR)]
        return comes & ~exists


def pair_number(parameters: Parameters, step: data.View) -> Value:
    """Of the pair of a `line_step`, from the tensor's first on."""
    number = Cat(step.pair, step.block)
    assert parameters.block.channels // PAIR == 1 << len(step.pair)
    return number


def pairs_left(m: Module, address: Value, words: int, name: str) -> Signal:
    """How many pairs a memory of ``words`` lines has from ``address`` on, a cycle later; none
    from an odd one. So a comparison alone says whether one of them exists, without a sum before."""
    pairs = pair_count(words)
    left = Signal(range(pairs + 1), name=f"left_{name}", reset_less=True)
    first = address >> 1
    m.d.sync += left.eq(Mux((first < pairs) & ~address[0], pairs - first, 0))
    return left


def _widened(number: Value) -> Value:
    """x̂ of 12 bits as a number of the staging memory."""
    return Cat(number, number[-1].replicate(numerics.NARROW_BITS - numerics.WIDE_BITS))
