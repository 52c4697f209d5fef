"""Weights one after the other become planes of their block."""

from amaranth.hdl import Array, Cat, Module, Signal, Value, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.numerics import MAX_WEIGHT_BITS
from fractrain.hw.contract.parameters import Parameters
from fractrain.hw.flow.ram_style import DISTRIBUTED

__all__ = ["WeightTurn"]

PLANES = MAX_WEIGHT_BITS


class WeightTurn(wiring.Component):
    """Collects the weights of blocks, ``lanes`` at a time, and gives planes of a block.

    Members
    -------
    top : In              the bit of a weight that is its sign, 0 .. 7, while there are any
    begin : In(1)         a block will come (only while ``room``)
    room : Out(1)
    enter : In(1), weights : In(ArrayLayout(signed(8), lanes))    the next ones of the oldest block
                          that has begun and is not whole
    whole : Out           blocks that can be read
    number, plane : In    of a block (0: the oldest whole one), a cycle ahead; of a plane (0: most
                          significant)
    block : Out           that plane, in the same cycle
    release : In          as many of the oldest blocks are done

    Timing: weights a cycle. A block is whole `TURN_CYCLES` after its last weights at the latest.
    Area: a bank of LUT memory for each group of weights, which has one of their planes a word:
    `PLACES` blocks are as many as fit the depth of a LUT.
    Errors: `ParameterError` for lanes that do not fit a block.
    """

    PLACES = 4
    TURN_CYCLES = PLANES + 1

    def __init__(self, parameters: Parameters, lanes: int) -> None:
        # as many arrive while the planes of others are written, one a cycle
        self.group = PLANES * lanes
        if lanes < 1 or parameters.block_bits % self.group:
            raise ParameterError("lanes", lanes, "a divisor of the block's weights by 8")
        self.parameters, self.lanes = parameters, lanes
        self.banks = parameters.block_bits // self.group
        super().__init__(
            {
                "top": In(range(PLANES)),
                "begin": In(1),
                "room": Out(1, init=1),
                "enter": In(1),
                "weights": In(data.ArrayLayout(signed(PLANES), lanes)),
                "whole": Out(range(self.PLACES + 1)),
                "number": In(range(self.PLACES)),
                "plane": In(range(PLANES)),
                "block": Out(parameters.block_bits),
                "release": In(range(self.PLACES + 1)),
            }
        )
        self.taken = Signal(range(self.PLACES + 1))
        """Blocks that have begun and are not released."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full, planes = self._collect(m)
        turning, plane = Signal(), Signal(range(PLANES))
        bank = Signal(range(max(2, self.banks)))
        place, oldest, shown = (
            Signal(range(self.PLACES), name=name) for name in ("place", "oldest", "shown")
        )
        done = Signal()
        last = turning & (plane == self.top)
        m.d.comb += done.eq(last & (bank == self.banks - 1))
        with m.If(turning):
            m.d.sync += plane.eq(plane + 1)
        with m.If(last):
            m.d.sync += [turning.eq(0), bank.eq(bank + 1)]
        with m.If(done):
            m.d.sync += [bank.eq(0), place.eq(place + 1)]
        with m.If(full):
            m.d.sync += [turning.eq(1), plane.eq(0)]
        digit = Signal(self.group)
        m.d.comb += digit.eq(Array(planes)[(self.top - plane)[: plane.shape().width]])
        for number in range(self.banks):
            self._bank(m, number, turning & (bank == number), Cat(plane, place), digit, shown)
        taken = self.taken + self.begin - self.release
        m.d.sync += [
            oldest.eq(oldest + self.release),
            shown.eq(oldest + self.release + self.number),
            self.whole.eq(self.whole + done - self.release),
            self.taken.eq(taken),
            self.room.eq(taken < self.PLACES),
        ]
        return m

    def _collect(self, m: Module) -> tuple[Value, list[Value]]:
        """Whether a group is full, and a cycle later the bits of each significance of it."""
        lanes = self.lanes * PLANES
        arrived = Signal(lanes * (PLANES - 1), reset_less=True)
        held = Signal(lanes * PLANES, reset_less=True)
        count, full = Signal(range(PLANES)), Signal()
        m.d.comb += full.eq(self.enter & (count == PLANES - 1))
        with m.If(self.enter):
            m.d.sync += [
                arrived.eq(Cat(arrived, self.weights)[lanes:]),
                count.eq(count + 1),
            ]
        with m.If(full):
            m.d.sync += held.eq(Cat(arrived, self.weights))
        numbers = [held.word_select(number, PLANES) for number in range(self.group)]
        return full, [Cat(each[bit] for each in numbers) for bit in range(PLANES)]

    def _bank(
        self, m: Module, number: int, enable: Value, address: Value, digit: Value, shown: Value
    ) -> None:
        m.submodules[f"bank_{number}"] = bank = memory.Memory(
            shape=self.group, depth=self.PLACES * PLANES, init=[], attrs=DISTRIBUTED
        )
        write, read = bank.write_port(), bank.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(enable),
            write.addr.eq(address),
            write.data.eq(digit),
            read.addr.eq(Cat(self.plane, shown)),
            self.block.word_select(number, self.group).eq(read.data),
        ]
