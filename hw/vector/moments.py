"""Moments: two sums of each channel, added up over the commands of a chunk."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.pair_mux import pair_mux
from fractrain.hw.memory.block_memory import BlockMemory
from fractrain.hw.vector.memories import RECORD_ADDRESS_BITS, vector_parameters
from fractrain.hw.vector.reduce import Reducer

__all__ = ["MOMENT_BITS", "MomentUnit", "moment_line", "moment_pair"]

MOMENT_BITS = 64
"""Of a sum."""
USERS = 2
"""RESULT and VECTOR."""


def moment_line(parameters: Parameters) -> data.StructLayout:
    """A line of one channel, on its way into the sums of that channel.

    numbers : y, or E; 0 outside the image
    normalized : x̂, as the side memory has it; anything unless ``correlate``
    correlate : the second sum is ΣE·x̂, else Σy²
    channel : of its block
    first, last : of the lines of this channel in its command. With the last one the sums go to the
        memory
    moments : address of those of channel 0 of the block, with ``last``
    start : they replace what is there, else they are added to it; with ``last``
    """
    pixels, vector = parameters.array.rows, vector_parameters(parameters)
    return data.StructLayout(
        {
            "numbers": data.ArrayLayout(signed(numerics.NARROW_BITS), pixels),
            "normalized": data.ArrayLayout(signed(vector.side_bits), pixels),
            "correlate": 1,
            "channel": range(parameters.block.channels),
            "first": 1,
            "last": 1,
            "moments": RECORD_ADDRESS_BITS,
            "start": 1,
        }
    )


def moment_pair() -> data.StructLayout:
    """The moments of a channel: Σy, Σy² or ΣE, ΣE·x̂."""
    return data.StructLayout({"total": signed(MOMENT_BITS), "product": signed(MOMENT_BITS)})


class MomentUnit(wiring.Component):
    """Σv, and Σv² or Σv·x̂, of the channels of commands: NARROW and JOIN of the result stage, CARRY
    of the vector stage; and the memory of ``moment_words`` channels where they are added up.

    A command's user brings the lines of each channel, of several channels in any order. It says
    which line of a channel is the first and which the last; sums leave the reducer with the last
    one, so the end of a command takes no cycles. The two users have sums of their own, and may be
    at work at the same time.

    Members
    -------
    result_valid : In(1), result : In(`moment_line`)    of the result stage, which cannot wait
    lines : In(stream of `moment_line`)     of the vector stage; waits while the other has a line
    busy : Out(2)         of each user, the result stage first: a last line is on its way into the
                          memory. A read that is granted when it is low again finds the sums there
    reads : In(stream of an address)        its transfer is the grant
    answer : Out(1), data : Out(`moment_pair`)    what was read; stays until the next answer

    Timing: a line a cycle; `latency_cycles` from the last one to the memory. ``answer``
    `READ_CYCLES` after the grant, without back-pressure. Reads wait while a sum is added up.
    Numbers: sums of a command modulo 2^33 and 2^48, as the words of docs/numerics.md; those of the
    memory modulo 2^64. x̂ is multiplied as the side memory has it: at the top of a word of
    ``side_bits`` bits, so ΣE·x̂ stands so many bits higher; CHANNEL brings it down.
    Errors: those of `Reducer`. Addresses beyond the memory wrap: users check them. Two last lines
    of a channel are `APART_CYCLES` apart; each line may be the first and the last one.
    """

    APART_CYCLES = 3
    """From the read of the old sums to that which finds the new ones."""

    READ_CYCLES = 2

    def __init__(self, parameters: Parameters, *, primitives: bool = False) -> None:
        self.parameters, self.primitives = parameters, primitives
        vector, line = vector_parameters(parameters), moment_line(parameters)
        self.channels = parameters.block.channels
        self.reducer = Reducer(
            parameters.array.rows,
            USERS * self.channels,
            normalized_bits=vector.side_bits,
            primitives=primitives,
        )
        if self.channels & (self.channels - 1):
            raise ParameterError("block.channels", self.channels, "a power of two")
        self.memory = BlockMemory(moment_pair().size, vector.moment_words)
        super().__init__(
            {
                "result_valid": In(1),
                "result": In(line),
                "lines": In(stream.Signature(line)),
                "busy": Out(USERS),
                "reads": In(stream.Signature(range(vector.moment_words))),
                "answer": Out(1),
                "data": Out(moment_pair()),
            }
        )

    @property
    def latency_cycles(self) -> int:
        """From a line to the first read that finds it: the choice, the sums, addition and write."""
        return 1 + self.reducer.product_cycles + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.reducer, m.submodules.memory = reducer, _ = self.reducer, self.memory
        line = Signal(moment_line(self.parameters), reset_less=True)
        valid, user = Signal(), Signal(reset_less=True)
        m.d.comb += self.lines.ready.eq(~self.result_valid)
        m.d.sync += [
            line.as_value().eq(
                pair_mux(
                    m,
                    self.result_valid,
                    self.result.as_value(),
                    self.lines.payload.as_value(),
                    name="line",
                    primitives=self.primitives,
                )
            ),
            valid.eq(self.result_valid | self.lines.valid),
            user.eq(~self.result_valid),
        ]
        m.d.comb += [
            reducer.valid.eq(valid),
            reducer.channel.eq(Cat(line.channel, user)),
            reducer.first.eq(line.first),
            reducer.correlate.eq(line.correlate),
            reducer.numbers.eq(line.numbers),
            reducer.normalized.eq(line.normalized),
        ]
        ending = self._follow(m, valid & line.last, user)
        self._add_up(m, line, ending)
        return m

    def _follow(self, m: Module, last: Value, user: Value) -> Value:
        """Where last lines are: bit i, i cycles after they came to the reducer."""
        ways = []
        for number in range(USERS):
            here = Signal(name=f"ends_{number}")
            way = Signal(self.reducer.product_cycles + 1, name=f"ending_{number}")
            m.d.comb += [here.eq(last & (user == number)), self.busy[number].eq(here | way.any())]
            m.d.sync += way.eq(Cat(here, way))
            ways.append(Cat(here, way))
        return ways[0] | ways[1]

    def _add_up(self, m: Module, line: data.View, ending: Value) -> None:
        """The old sums are read while the new ones leave the reducer."""
        reducer, memory, cycles = self.reducer, self.memory, self.reducer.product_cycles
        adds = ending[cycles - 1]
        address, start, correlate = (
            delayed(m, each, cycles - 1, name=name)
            for name, each in (
                ("address", line.moments + line.channel),
                ("start", line.start),
                ("correlate", line.correlate),
            )
        )
        answered = delayed(m, self.reads.valid & ~adds, 1, name="answered", reset_less=False)
        m.d.comb += [
            self.reads.ready.eq(~adds),
            memory.read_enable.eq(adds | self.reads.valid),
            memory.read_address.eq(Mux(adds, address, self.reads.payload)),
            memory.write_enable.eq(ending[cycles + 1]),
            memory.write_address.eq(delayed(m, address, 2, name="write")),
        ]
        old = data.View(moment_pair(), memory.read_data)
        with m.If(answered):
            m.d.sync += self.data.eq(memory.read_data)
        m.d.sync += self.answer.eq(answered)
        start, correlate = delayed(m, start, 1, name="starts"), delayed(m, correlate, 1, name="is")
        total = delayed(m, reducer.total, cycles - reducer.total_cycles, name="total")
        product = Mux(correlate, reducer.product, reducer.product.as_unsigned())
        new = Signal(moment_pair(), reset_less=True)
        m.d.sync += [
            new.total.eq(total + Mux(start, 0, old.total)),
            new.product.eq(product + Mux(start, 0, old.product)),
        ]
        m.d.comb += memory.write_data.eq(new)
