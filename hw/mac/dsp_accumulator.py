"""The shift-accumulator in one DSP48E1 of the 7 series (UG479)."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, signed
from amaranth.lib import wiring

from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.mac.accumulator import MULTIPLIER_BITS, AccumulatorSignature, ShiftPlan

__all__ = ["DspAccumulator"]

_VALUE_BITS = 48

# Bits of INMODE: block A, pass D. With neither, the multiplier gets A alone.
_INMODE_D_INSTEAD_OF_A = 0b00110
# X and Y take the product; Z takes zero or P.
_OPMODE_PRODUCT = 0b0000101
_OPMODE_Z_IS_P = 0b0100000
# Z + X + Y, or Z - (X + Y).
_ALUMODE_SUBTRACT = 0b0011

_REGISTERS = {
    "AREG": 1, "ACASCREG": 1, "DREG": 1, "ADREG": 1,
    # two, as many as the other operand has with the pre-adder's register
    "BREG": 2, "BCASCREG": 2,
    "MREG": 1, "PREG": 1, "CREG": 1,
    "INMODEREG": 1, "OPMODEREG": 1, "ALUMODEREG": 1, "CARRYINREG": 1, "CARRYINSELREG": 1,
}  # fmt: skip
_ALWAYS_ENABLED = (
    "CEA1", "CEA2", "CEAD", "CEALUMODE", "CEB1", "CEB2", "CEC", "CECARRYIN", "CECTRL", "CED",
    "CEINMODE", "CEM",
)  # fmt: skip
_TIED_LOW = {
    "ACIN": 30, "BCIN": 18, "C": 48, "PCIN": 48,
    "CARRYCASCIN": 1, "CARRYIN": 1, "CARRYINSEL": 3, "MULTSIGNIN": 1,
    "RSTA": 1, "RSTALLCARRYIN": 1, "RSTALUMODE": 1, "RSTB": 1, "RSTC": 1, "RSTCTRL": 1, "RSTD": 1,
    "RSTINMODE": 1, "RSTM": 1, "RSTP": 1,
}  # fmt: skip


class DspAccumulator(wiring.Component):
    """A shift-accumulator in one DSP48E1 and no other logic.

    Members and timing: `AccumulatorSignature`, `AccumulatorTiming`; zero at power-up, no reset.

    The total is on port A, and shifted left by ``plan.pre_shift`` on port D; INMODE sends one
    of them through the pre-adder. The power of two is on port B, the sign is ALUMODE, ``first``
    makes OPMODE's Z zero, ``valid`` is the clock enable of P. The sum has 48 bits; ``value`` is
    its low ``bits``.

    Errors: `ParameterError` if the plan does not fit the ports, or ``bits`` is not 1..48.
    """

    def __init__(self, plan: ShiftPlan, bits: int) -> None:
        plan.require_multiplier()
        if not 1 <= bits <= _VALUE_BITS:
            raise ParameterError("accumulator bits", bits, f"1..{_VALUE_BITS}")
        self.plan = plan
        super().__init__(AccumulatorSignature(plan, bits))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        control = self.control
        # Instances neither check widths nor extend signs: every port gets a signal of its own.
        a = Signal(signed(30))
        d = Signal(signed(MULTIPLIER_BITS))
        b = Signal(18)
        inmode, opmode, alumode = Signal(5), Signal(7), Signal(4)
        p = Signal(_VALUE_BITS)
        m.d.comb += [
            a.eq(self.total),
            d.eq(self.total << self.plan.pre_shift),
            b.eq(control.power),
            inmode.eq(control.upper.replicate(5) & _INMODE_D_INSTEAD_OF_A),
            opmode.eq(_OPMODE_PRODUCT | ((~control.first).replicate(7) & _OPMODE_Z_IS_P)),
            alumode.eq(control.negate.replicate(4) & _ALUMODE_SUBTRACT),
            self.value.eq(p),
        ]
        m.submodules.dsp = Instance(
            "DSP48E1",
            **{f"p_{name}": count for name, count in _REGISTERS.items()},
            p_USE_DPORT="TRUE",
            p_USE_MULT="MULTIPLY",
            i_CLK=ClockSignal(),
            i_A=a,
            i_B=b,
            i_D=d,
            i_INMODE=inmode,
            i_OPMODE=opmode,
            i_ALUMODE=alumode,
            i_CEP=control.valid,
            o_P=p,
            **{f"i_{name}": Const(1, 1) for name in _ALWAYS_ENABLED},
            **{f"i_{name}": Const(0, width) for name, width in _TIED_LOW.items()},
        )
        return m
