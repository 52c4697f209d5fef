"""The gradient memory, and the sums of a beat with what it holds."""

import math
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.memory.block_memory import BlockMemory
from fractrain.hw.shared_module import SharedModule

__all__ = ["WIDE_WORDS", "GradientMemory", "GradientSum", "SumPart", "bank_depths"]

MOST_MEMORIES = 4
WIDE_WORDS = 1024
"""Words of a block RAM of 36 bits; fewer never need two behind each other."""


def bank_depths(depth: int) -> list[int]:
    """Words of the block RAMs that a memory of ``depth`` words has behind each other: a power of
    two, and the rest."""
    first = 1 << depth.bit_length() - 1
    return [depth] if depth <= WIDE_WORDS or depth == first else [first, depth - first]


class GradientMemory(wiring.Component):
    """``depth`` words of ``width`` bits, one write and one read port, the output registered.

    Members
    -------
    write_enable, write_address, write_data : In
    read_address : In
    step : In(1)           the read's two registers move on
    zero : In(1)           with the second step of a read: ``read_data`` becomes 0 instead
    read_data : Out(ArrayLayout(width, `banks`))     the word, in the bank that has it; all others
                           are 0. So who adds them needs no multiplexer

    Timing: ``read_data`` follows the address by two steps. A word read in the cycle in which it is
    written comes out old.
    """

    LATENCY_STEPS = 2

    def __init__(self, width: int, depth: int):
        self.width, self.depth = width, depth
        self.banks = len(bank_depths(depth))
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(range(depth)),
                "write_data": In(width),
                "read_address": In(range(depth)),
                "step": In(1),
                "zero": In(1),
                "read_data": Out(data.ArrayLayout(width, self.banks)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depths = bank_depths(self.depth)
        place = (depths[0] - 1).bit_length()  # bits of an address in the first bank
        reads = Signal(range(max(2, self.banks)))  # the bank that is being read
        with m.If(self.step):
            m.d.sync += reads.eq(self.read_address[place:])
        for bank, depth in enumerate(depths):
            memory = BlockMemory(self.width, depth)
            m.submodules[f"memory_{bank}"] = memory
            m.d.comb += [
                memory.write_enable.eq(self.write_enable & (self.write_address[place:] == bank)),
                memory.write_address.eq(self.write_address[:place]),
                memory.write_data.eq(self.write_data),
                memory.read_enable.eq(self.step),
                memory.read_address.eq(self.read_address[:place]),
            ]
            word = Signal(self.width, name=f"word_{bank}", reset_less=True)
            with m.If(self.step):
                with m.If(self.zero | (reads != bank)):
                    m.d.sync += word.eq(0)
                with m.Else():
                    m.d.sync += word.eq(memory.read_data)
            m.d.comb += self.read_data[bank].eq(word)
        return m


class SumPart(wiring.Component):
    """``count`` adders of 48 bits with a register: ``sums`` is ``a + b`` of the last step, b the OR
    of ``banks`` words."""

    def __init__(self, count: int, banks: int):
        self.count, self.banks = count, banks
        width = count * SUM_BITS
        words = data.ArrayLayout(width, banks)
        super().__init__({"a": In(width), "b": In(words), "step": In(1), "sums": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = reduce(or_, (self.b[bank] for bank in range(self.banks)))
        for index in range(self.count):
            total = Signal(SUM_BITS, name=f"total_{index}", reset_less=True)
            a, b = self.a.word_select(index, SUM_BITS), word.word_select(index, SUM_BITS)
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
        super().__init__(
            {
                "step": In(self.steps),
                "address": In(address),
                "use": In(1),
                "data": In(width),
                "sums": Out(width),
                "keep": In(1),
                "keep_address": In(address),
            }
        )

    @property
    def steps(self) -> int:
        """Parts that move on by a signal of their own."""
        return self.adders + self.memories

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = self._memory(m)
        count, banks = self.parameters.array.cluster_rows, len(words)
        width = count * SUM_BITS
        for number in range(self.adders):
            part = SharedModule(SumPart(count, banks), f"result_sum_{count}x{banks}")
            m.submodules[f"sum_{number}"] = part
            bits = slice(number * width, (number + 1) * width)
            m.d.comb += [
                part.step.eq(self.step[number]),
                part.a.eq(self.data[bits]),
                *(part.b[bank].eq(word[bits]) for bank, word in enumerate(words)),
                self.sums[bits].eq(part.sums),
            ]
        return m

    def _memory(self, m: Module) -> list[Signal]:
        """In parts, where possible, so that none is driven from the other end of the chip; the
        words of each bank."""
        depth, results = self.parameters.buffers.gradient_words, self.parameters.results_per_beat
        width = results * SUM_BITS // self.memories
        banks = len(bank_depths(depth))
        words = [Signal(results * SUM_BITS, name=f"words_{bank}") for bank in range(banks)]
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
                *(word[bits].eq(memory.read_data[bank]) for bank, word in enumerate(words)),
            ]
        return words
