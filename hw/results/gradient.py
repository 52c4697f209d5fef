"""The gradient memory, and the sums of a beat with what it holds."""

import math

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.memory.block_memory import BlockMemory
from fractrain.hw.shared_module import SharedModule

__all__ = ["GradientMemory", "GradientSum", "SumPart"]

MOST_MEMORIES = 4


class GradientMemory(wiring.Component):
    """``depth`` words of ``width`` bits, one write and one read port, the output registered.

    Members
    -------
    write_enable, write_address, write_data : In
    read_address : In
    step : In(1)           the read's two registers move on
    zero : In(1)           with the second step of a read: ``read_data`` becomes 0 instead
    read_data : Out(width)

    Timing: ``read_data`` follows the address by two steps. A word read in the cycle in which it is
    written comes out old.
    """

    LATENCY_STEPS = 2

    def __init__(self, width: int, depth: int):
        self.width, self.depth = width, depth
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(range(depth)),
                "write_data": In(width),
                "read_address": In(range(depth)),
                "step": In(1),
                "zero": In(1),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = BlockMemory(self.width, self.depth)
        m.d.comb += [
            memory.write_enable.eq(self.write_enable),
            memory.write_address.eq(self.write_address),
            memory.write_data.eq(self.write_data),
            memory.read_enable.eq(self.step),
            memory.read_address.eq(self.read_address),
        ]
        word = Signal(self.width, reset_less=True)
        with m.If(self.step):
            with m.If(self.zero):
                m.d.sync += word.eq(0)
            with m.Else():
                m.d.sync += word.eq(memory.read_data)
        m.d.comb += self.read_data.eq(word)
        return m


class SumPart(wiring.Component):
    """``count`` adders of 48 bits with a register: ``sums`` is ``a + b`` of the last step."""

    def __init__(self, count: int):
        self.count = count
        width = count * SUM_BITS
        super().__init__({"a": In(width), "b": In(width), "step": In(1), "sums": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for index in range(self.count):
            total = Signal(SUM_BITS, name=f"total_{index}", reset_less=True)
            a, b = self.a.word_select(index, SUM_BITS), self.b.word_select(index, SUM_BITS)
            with m.If(self.step):
                m.d.sync += total.eq(a + b)
            m.d.comb += self.sums.word_select(index, SUM_BITS).eq(total)
        return m


class GradientSum(wiring.Component):
    """Adds a word of the gradient memory to each beat, and keeps the sums there.

    Members
    -------
    step : In(`steps`)      the pipeline moves on; all bits are equal, each for a part
    address, use : In       of the word to add; a step later: whether to add it
    data : In               the beat, two steps after its address
    sums : Out              the sums, `LATENCY_STEPS` after the address
    keep : In(1), keep_address : In    write ``sums`` into the memory
    words : Out             with a vector unit: of the memory, two steps after the address

    Timing: `LOOP_STEPS` steps after an address is read, its sum can be read again, if it was kept
    in the cycle in which it came.
    """

    LATENCY_STEPS = GradientMemory.LATENCY_STEPS + 1
    LOOP_STEPS = LATENCY_STEPS + 1

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        results = parameters.results_per_beat
        self.adders = results // parameters.array.cluster_rows
        self.memories = math.gcd(results, MOST_MEMORIES)
        width = results * SUM_BITS
        address = range(parameters.buffers.gradient_words)
        self.shows_words = parameters.vector is not None
        super().__init__(
            {
                "step": In(self.steps),
                "address": In(address),
                "use": In(1),
                "data": In(width),
                "sums": Out(width),
                "keep": In(1),
                "keep_address": In(address),
                **({"words": Out(width)} if self.shows_words else {}),
            }
        )

    @property
    def steps(self) -> int:
        """Parts that move on by a signal of their own."""
        return self.adders + self.memories

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = self._memory(m)
        count = self.parameters.array.cluster_rows
        width = count * SUM_BITS
        for number in range(self.adders):
            part = SharedModule(SumPart(count), f"result_sum_{count}")
            m.submodules[f"sum_{number}"] = part
            bits = slice(number * width, (number + 1) * width)
            m.d.comb += [
                part.step.eq(self.step[number]),
                part.a.eq(self.data[bits]),
                part.b.eq(words[bits]),
                self.sums[bits].eq(part.sums),
            ]
        return m

    def _memory(self, m: Module) -> Value:
        """In parts, where possible, so that none is driven from the other end of the chip."""
        depth, results = self.parameters.buffers.gradient_words, self.parameters.results_per_beat
        width = results * SUM_BITS // self.memories
        words = self.words if self.shows_words else Signal(results * SUM_BITS)
        for number in range(self.memories):
            memory = SharedModule(GradientMemory(width, depth), f"gradient_memory_{width}x{depth}")
            m.submodules[f"memory_{number}"] = memory
            bits = slice(number * width, (number + 1) * width)
            m.d.comb += [
                memory.step.eq(self.step[self.adders + number]),
                memory.read_address.eq(self.address),
                memory.zero.eq(~self.use),
                memory.write_enable.eq(self.keep),
                memory.write_address.eq(self.keep_address),
                memory.write_data.eq(self.sums[bits]),
                words[bits].eq(memory.read_data),
            ]
        return words
