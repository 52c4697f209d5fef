"""The greatest magnitude of many numbers, exact: a range of the next step."""

from amaranth.hdl import Cat, Const, Instance, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.delay import delayed
from fractrain.hw.flow.wide_mux import MOST_VALUES, wide_mux

__all__ = ["LanePeak", "Peak"]

CARRIES = 4
"""Of a CARRY4."""


class LanePeak(wiring.Component):
    """Holds the number of greatest magnitude so far.

    Members
    -------
    number : In(signed(bits)), take : In(1)    a number that counts
    clear : In(1)            forget what was before; a number taken with it is the first
    held : Out(signed(bits)) of the greatest magnitude, of x and −x the positive one; 0 if there was
                             none

    Timing: a number a cycle, at ``held`` from the next cycle on. ``primitives``: with instances of
    LUT6_2 and CARRY4, two bits a LUT; the same logic, for synthesis only.
    Errors: `ParameterError` for fewer than 2 bits.
    """

    def __init__(self, bits: int, *, primitives: bool = False) -> None:
        if bits < 2:
            raise ParameterError("bits of a number", bits, "at least 2")
        self.bits, self.primitives = bits, primitives
        number = signed(bits)
        super().__init__({"number": In(number), "take": In(1), "clear": In(1), "held": Out(number)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        greater = self._chain(m) if self.primitives else self._compare()
        held = Signal.like(self.held)
        with m.If(self.clear & ~self.take):
            m.d.sync += held.eq(0)
        with m.Elif(self.take & (self.clear | greater)):
            m.d.sync += held.eq(self.number)
        m.d.comb += self.held.eq(held)
        return m

    def _compare(self) -> Value:
        return _order(self.number) > _order(self.held)

    def _chain(self, m: Module) -> Value:
        """`_compare` on a carry chain, whose carry is the number's bit at the highest place where
        the magnitudes differ. Turned where the number is negative, it says that it is greater; so
        what enters the chain stands for the lowest place of `_order`."""
        sign, other = self.number[-1], self.held[-1]
        differ = Signal()
        m.d.comb += differ.eq(sign ^ other)
        number, held = self.number[:-1], self.held[:-1]
        if len(number) % 2:  # a place that never differs
            number, held = Cat(differ, number), Cat(Const(0, 1), held)
        digits = [(number[low : low + 2], held[low : low + 2]) for low in range(0, len(held), 2)]
        carry: Value = sign & other
        for first in range(0, len(digits), CARRIES):
            some = digits[first : first + CARRIES]
            carry = self._carry(m, carry, first == 0, some, differ)
        return carry ^ sign

    def _carry(
        self, m: Module, carry: Value, first: bool, digits: list[tuple[Value, Value]], differ: Value
    ) -> Value:
        select, data_in, carries = Signal(CARRIES), Signal(CARRIES), Signal(CARRIES)
        for place, (number, held) in enumerate(digits):
            m.submodules += Instance(
                "LUT6_2",
                p_INIT=Const(DIGIT_TABLE, 64),
                **{f"i_I{index}": bit for index, bit in enumerate(Cat(number, held, differ))},
                i_I5=Const(1, 1),
                o_O6=select[place],
                o_O5=data_in[place],
            )
        start = {"i_CYINIT": carry, "i_CI": Const(0, 1)}
        follow = {"i_CYINIT": Const(0, 1), "i_CI": carry}
        m.submodules += Instance(
            "CARRY4", i_S=select, i_DI=data_in, o_CO=carries, **(start if first else follow)
        )
        return carries[len(digits) - 1]


def _order(number: Value) -> Value:
    """2·|x|, less 1 where x is negative: x, or ¬x = |x| − 1, and the sign below."""
    sign = number[-1]
    return Cat(sign, number[:-1] ^ sign.replicate(len(number) - 1)).as_unsigned()


def _digit_table() -> int:
    """INIT of a LUT6_2 with the inputs number (2), held (2), differ: whether the magnitudes' digits
    are equal (O6), and the number's bit at the highest place where they are not (O5)."""
    table = 0
    for index in range(1 << 5):
        low, high, held_low, held_high, differ = (index >> bit & 1 for bit in range(5))
        unlike_low, unlike_high = low ^ held_low ^ differ, high ^ held_high ^ differ
        table |= (high if unlike_high else low) << index
        table |= (not (unlike_low or unlike_high)) << index + (1 << 5)
    return table


DIGIT_TABLE = _digit_table()


class Peak(wiring.Component):
    """max |number| over ``lanes`` numbers a cycle: a range of the next step, exact.

    Members
    -------
    numbers : In(ArrayLayout(signed(bits), lanes)), take : In(lanes)    those that count
    clear : In(1)        forget what was before; numbers taken with it count
    collect : In(1)      numbers have ended: look for the greatest; takes nothing until ``done``
    greatest : Out(unsigned(bits))    its magnitude, 0 if there was none, while ``done``
    done : Out(1)        from ``collect_cycles`` after ``collect`` until ``clear``

    Timing: numbers each cycle. Each lane holds its own greatest (`LanePeak`); ``collect`` compares
    those, one a cycle.
    Errors: those of `LanePeak`; `ParameterError` for no lane.
    """

    def __init__(self, lanes: int, bits: int, *, primitives: bool = False) -> None:
        if lanes < 1:
            raise ParameterError("lanes", lanes, "at least 1")
        self.lanes, self.bits, self.primitives = lanes, bits, primitives
        super().__init__(
            {
                "numbers": In(data.ArrayLayout(signed(bits), lanes)),
                "take": In(lanes),
                "clear": In(1),
                "collect": In(1),
                "greatest": Out(unsigned(bits)),
                "done": Out(1),
            }
        )

    GROUP = MOST_VALUES
    """Lanes that one multiplexer chooses from."""
    CHOICE_CYCLES = 2

    @property
    def collect_cycles(self) -> int:
        """Each lane in turn, the choice, the comparison, the magnitude."""
        return self.lanes + self.CHOICE_CYCLES + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = []
        for lane in range(self.lanes):
            m.submodules[f"lane_{lane}"] = each = LanePeak(self.bits, primitives=self.primitives)
            m.d.comb += [
                each.number.eq(self.numbers[lane]),
                each.take.eq(self.take[lane]),
                each.clear.eq(self.clear),
            ]
            held.append(each.held)
        lane, running = Signal(range(max(2, self.lanes))), Signal()
        last = lane == self.lanes - 1
        with m.If(self.collect):
            m.d.sync += [lane.eq(0), running.eq(1)]
        with m.Elif(running):
            m.d.sync += [lane.eq(lane + 1), running.eq(~last)]
        self._compare(m, self._choose(m, held, lane), running)
        # the comparison and the magnitude take a cycle each
        ends = delayed(m, running & last, self.CHOICE_CYCLES + 1, name="ends", reset_less=False)
        with m.If(self.clear | self.collect):
            m.d.sync += self.done.eq(0)
        with m.Elif(ends):
            m.d.sync += self.done.eq(1)
        return m

    def _choose(self, m: Module, held: list[Value], lane: Value) -> Value:
        """``held[lane]``, `CHOICE_CYCLES` later: one of each group, then the group."""
        select = lane[: (self.GROUP - 1).bit_length()]
        groups = []
        for first in range(0, self.lanes, self.GROUP):
            some = [each.as_unsigned() for each in held[first : first + self.GROUP]]
            chosen = Signal(self.bits, name=f"chosen_{first}", reset_less=True)
            m.d.sync += chosen.eq(self._one_of(m, some, select, f"group_{first}"))
            groups.append(chosen)
        group = delayed(m, lane[len(select) :], 1, name="group")
        result = Signal(signed(self.bits), reset_less=True)
        m.d.sync += result.eq(self._one_of(m, groups, group, "groups"))
        return result

    def _one_of(self, m: Module, values: list[Value], select: Value, name: str) -> Value:
        if len(values) == 1:
            return values[0]
        if self.primitives and MOST_VALUES // 2 < len(values) <= MOST_VALUES:
            return wide_mux(m, values, select, name=name)
        return data.View(data.ArrayLayout(self.bits, len(values)), Cat(values))[select]

    def _compare(self, m: Module, number: Value, running: Value) -> None:
        m.submodules.greatest = greatest = LanePeak(self.bits, primitives=self.primitives)
        take = delayed(m, running, self.CHOICE_CYCLES, name="take", reset_less=False)
        magnitude = Signal(self.bits, reset_less=True)
        m.d.comb += [
            greatest.number.eq(number),
            greatest.take.eq(take),
            greatest.clear.eq(self.clear),
            self.greatest.eq(magnitude),
        ]
        m.d.sync += magnitude.eq(Mux(greatest.held[-1], -greatest.held, greatest.held))
