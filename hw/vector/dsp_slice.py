"""One DSP48E1 of the 7 series (UG479) as the vector unit uses it, and its behavioural twin."""

import enum
from dataclasses import dataclass

from amaranth.hdl import (
    Cat,
    ClockSignal,
    Const,
    Instance,
    Module,
    Mux,
    Signal,
    Value,
    ValueLike,
    signed,
)
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Base", "BehaviouralSlice", "DspSlice", "First", "SlicePlan", "dsp_slice", "steer"]

MULTIPLICAND_BITS, MULTIPLIER_BITS, VALUE_BITS = 25, 18, 48
SHIFT = 17
"""Of `Base.SHIFTED`."""


class First(enum.Enum):
    """What the multiplier takes beside ``b``."""

    A = 0
    SUM = 1
    """d + a"""
    DIFFERENCE = 2
    """d − a"""
    EITHER = 3
    """d where ``use_d``, else a"""


class Base(enum.Enum):
    """What the product is added to; the numbers are those of OPMODE's Z."""

    ZERO = 0b000
    BELOW = 0b001
    VALUE = 0b010
    """The slice's own value."""
    C = 0b011
    BELOW_SHIFTED = 0b101
    """The one below, shifted right by 17 with its sign."""
    SHIFTED = 0b110
    """The slice's own value, shifted like that."""


@dataclass(frozen=True)
class SlicePlan:
    """``cascaded``: ``below`` is the ``cascade`` of another slice, over the column's own wires;
    else it is 0. ``joined``: the slice can take a and b as one number, without multiplying."""

    first: First = First.A
    cascaded: bool = False
    joined: bool = False

    @property
    def latency_cycles(self) -> int:
        """From ``a``, ``b``, ``d``, ``use_d`` to ``p``: operand, pre-adder, product, value."""
        return 3 if self.first is First.A else 4

    @property
    def control_cycle(self) -> int:
        """When ``c``, ``base``, ``addend`` and ``negate`` are taken, in cycles after ``a``."""
        return self.latency_cycles - 2

    @property
    def enable_cycle(self) -> int:
        """The same of ``enable`` and ``below``."""
        return self.latency_cycles - 1

    @property
    def joined_cycles(self) -> int:
        """From ``a`` to ``p`` of a joined number: operand, value. Control is of the cycle of a."""
        return 2

    @property
    def low_cycle(self) -> int:
        """When ``b`` of a joined number is taken, in cycles after ``a``."""
        return self.joined_cycles - (self.latency_cycles - 2) - 1

    @property
    def signature(self) -> wiring.Signature:
        control = data.StructLayout({"base": Base, "addend": 1, "negate": 1, "join": 1})
        return wiring.Signature(
            {
                "a": In(signed(MULTIPLICAND_BITS)),
                "b": In(signed(MULTIPLIER_BITS)),
                "c": In(signed(VALUE_BITS)),
                "d": In(signed(MULTIPLICAND_BITS)),
                "use_d": In(1),
                "control": In(control),
                "enable": In(1, init=1),
                "below": In(signed(VALUE_BITS)),
                "cascade": Out(signed(VALUE_BITS)),
                "p": Out(signed(VALUE_BITS)),
            }
        )


def steer(
    base: ValueLike, *, addend: ValueLike = 0, negate: ValueLike = 0, join: ValueLike = 0
) -> Value:
    """A value for ``control``, with no bit left out."""
    return Cat(Value.cast(base), *(Value.cast(each)[0] for each in (addend, negate, join)))


def dsp_slice(plan: SlicePlan, *, primitives: bool) -> wiring.Component:
    """The slice as the primitive, for synthesis, or in plain logic."""
    return DspSlice(plan) if primitives else BehaviouralSlice(plan)


class BehaviouralSlice(wiring.Component):
    """p = base ± first·b, modulo 2^48, in plain logic.

    Members: `SlicePlan.signature`. ``addend``: base ± c in the place of the product; ``join``, of
    a plan that is ``joined``: base ± (a·2^18 + b), with b unsigned; ``enable``: else ``p`` stays.
    ``first`` (25 bits, modulo) and ``base`` are chosen by the plan and by ``control``.

    Timing: `SlicePlan`; a product a cycle. Zero at power-up, no reset.
    """

    def __init__(self, plan: SlicePlan) -> None:
        self.plan = plan
        super().__init__(plan.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first, b, joined = self._first(m)
        product = Signal(signed(VALUE_BITS), reset_less=True)
        c = Signal(signed(VALUE_BITS), reset_less=True)
        control = Signal.like(self.control, reset_less=True)
        p = Signal(signed(VALUE_BITS), reset_less=True)
        base = self._base(m, control.base, c, p)
        term = Mux(control.addend, c, product)
        if self.plan.joined:
            term = Mux(control.join & ~control.addend, joined, term)
        m.d.sync += [product.eq(first * b), c.eq(self.c), control.eq(self.control)]
        with m.If(self.enable):
            m.d.sync += p.eq(Mux(control.negate, base - term, base + term))
        m.d.comb += [self.p.eq(p), self.cascade.eq(p)]
        return m

    def _first(self, m: Module) -> tuple[Value, Value, Value]:
        """Both operands of the product, and what they are as one number."""
        a, d = Signal.like(self.a, reset_less=True), Signal.like(self.d, reset_less=True)
        b, use_d = Signal.like(self.b, reset_less=True), Signal(reset_less=True)
        m.d.sync += [a.eq(self.a), b.eq(self.b), d.eq(self.d), use_d.eq(self.use_d)]
        if self.plan.first is First.A:
            return a, b, Cat(b, a).as_signed()
        chosen = {
            First.SUM: d + a,
            First.DIFFERENCE: d - a,
            First.EITHER: Mux(use_d, d, a),
        }[self.plan.first]
        first = Signal(signed(MULTIPLICAND_BITS), reset_less=True)
        b_later = Signal.like(b, reset_less=True)
        m.d.sync += [first.eq(chosen), b_later.eq(b)]
        return first, b_later, Cat(b_later, a).as_signed()

    def _base(self, m: Module, chosen: Value, c: Value, p: Value) -> Value:
        base = Signal(signed(VALUE_BITS))
        below = self.below if self.plan.cascaded else Const(0, signed(VALUE_BITS))
        with m.Switch(chosen):
            with m.Case(Base.BELOW):
                m.d.comb += base.eq(below)
            with m.Case(Base.BELOW_SHIFTED):
                m.d.comb += base.eq(below >> SHIFT)
            with m.Case(Base.VALUE):
                m.d.comb += base.eq(p)
            with m.Case(Base.C):
                m.d.comb += base.eq(c)
            with m.Case(Base.SHIFTED):
                m.d.comb += base.eq(p >> SHIFT)
        return base


# INMODE of the multiplier's first operand: bit 1 blocks A, bit 2 passes D, bit 3 subtracts A.
_INMODES = {First.A: 0b00000, First.SUM: 0b00100, First.DIFFERENCE: 0b01100}
_INMODE_D = 0b00110
# X and Y take the product; or Y takes C and X nothing.
_OPMODE_PRODUCT, _OPMODE_C = 0b0101, 0b1100
# X takes a and b as one number, Y nothing.
_OPMODE_JOINED = 0b0011
# Z + X + Y, or Z − (X + Y).
_ALUMODE_SUBTRACT = 0b0011
_ALWAYS_ENABLED = (
    "CEA1", "CEA2", "CEAD", "CEALUMODE", "CEB1", "CEB2", "CEC", "CECARRYIN", "CECTRL", "CED",
    "CEINMODE", "CEM",
)  # fmt: skip
_TIED_LOW = {
    "ACIN": 30, "BCIN": 18, "CARRYCASCIN": 1, "CARRYIN": 1, "CARRYINSEL": 3, "MULTSIGNIN": 1,
    "RSTA": 1, "RSTALLCARRYIN": 1, "RSTALUMODE": 1, "RSTB": 1, "RSTC": 1, "RSTCTRL": 1, "RSTD": 1,
    "RSTINMODE": 1, "RSTM": 1, "RSTP": 1,
}  # fmt: skip


class DspSlice(wiring.Component):
    """`BehaviouralSlice` in one DSP48E1 and no other logic."""

    def __init__(self, plan: SlicePlan) -> None:
        self.plan = plan
        super().__init__(plan.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        operands = self.plan.latency_cycles - 2
        registers = {"AREG": 1, "ACASCREG": 1, "BREG": operands, "BCASCREG": operands}
        registers |= dict.fromkeys(
            ("ADREG", "DREG", "MREG", "PREG", "CREG", "INMODEREG", "OPMODEREG", "ALUMODEREG"), 1
        )
        # Instances neither check widths nor extend signs: every port gets a signal of its own.
        a, d = Signal(signed(30)), Signal(signed(MULTIPLICAND_BITS))
        inmode, opmode, alumode = Signal(5), Signal(7), Signal(4)
        p, cascade = Signal(VALUE_BITS), Signal(VALUE_BITS)
        control = self.control
        m.d.comb += [
            a.eq(self.a),
            d.eq(self.d),
            inmode.eq(self._inmode()),
            opmode[:4].eq(Mux(control.addend, _OPMODE_C, self._term())),
            opmode[4:].eq(control.base),
            alumode.eq(control.negate.replicate(4) & _ALUMODE_SUBTRACT),
            self.p.eq(p),
            self.cascade.eq(cascade),
        ]
        m.submodules.dsp = Instance(
            "DSP48E1",
            **{f"p_{name}": count for name, count in registers.items()},
            p_USE_DPORT="FALSE" if self.plan.first is First.A else "TRUE",
            p_USE_MULT="DYNAMIC" if self.plan.joined else "MULTIPLY",
            i_CLK=ClockSignal(),
            i_A=a,
            i_B=self.b,
            i_C=self.c,
            i_D=d,
            i_INMODE=inmode,
            i_OPMODE=opmode,
            i_ALUMODE=alumode,
            i_CEP=self.enable,
            i_PCIN=self.below if self.plan.cascaded else Const(0, VALUE_BITS),
            o_P=p,
            o_PCOUT=cascade,
            **{f"i_{name}": Const(1, 1) for name in _ALWAYS_ENABLED},
            **{f"i_{name}": Const(0, width) for name, width in _TIED_LOW.items()},
        )
        return m

    def _term(self) -> Value | int:
        if self.plan.joined:
            return Mux(self.control.join, _OPMODE_JOINED, _OPMODE_PRODUCT)
        return _OPMODE_PRODUCT

    def _inmode(self) -> Value:
        if self.plan.first is First.EITHER:
            return self.use_d.replicate(5) & _INMODE_D
        return Const(_INMODES[self.plan.first], 5)
