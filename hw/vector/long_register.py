"""64 bits that are loaded in parts, normalized, and aligned to a word."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.vector.dsp_slice import SHIFT

__all__ = ["LongRegister"]

BITS = numerics.DISPERSION_BITS
PART_BITS = BITS - 2 * SHIFT
"""Of the last of three parts; the other two have as many as a DSP slice shifts by."""
COARSE = 6
"""As many zeros as a look-up table sees."""
COUNT_BITS = BITS.bit_length()
RESULT_BITS = numerics.FACTOR_BITS


class LongRegister(wiring.Component):
    """A 64-bit number, and how far to shift it.

    Members
    -------
    part : In(30), load : In(3)    one bit: the lowest 17 bits of ``part`` become bits 0 .. 16, or
                         17 .. 33, or ``part`` bits 34 .. 63
    set_count : In(1), count : In     of bits to align by
    normalize : In(1)    shift left by 2 bits, or 6, as long as the upper two are 0, and count 1,
                         or 3, more for it
    align : In(1)        shift left by the count, with the top bit as sign
    settled : Out(1)     with ``normalize`` or ``align``: done
    value : Out(64)
    rounded : Out(signed(18))    the upper 18 bits, rounded, a cycle after they are aligned; if bits
                         other than the sign were lost, or rounding exceeds it, the limit beside

    Timing: a part a cycle; a shift a cycle, `NORMALIZE_STEPS` and `ALIGN_STEPS` at most.
    Numbers: what is loaded last has the sign; a number is normalized unless it is 0.
    """

    NORMALIZE_STEPS = BITS // COARSE + (COARSE // 2 - 1)
    ALIGN_STEPS = BITS // COARSE + (COARSE // 2 - 1) + 1

    def __init__(self) -> None:
        super().__init__(
            {
                "part": In(PART_BITS),
                "load": In(3),
                "set_count": In(1),
                "count": In(COUNT_BITS),
                "normalize": In(1),
                "align": In(1),
                "settled": Out(1),
                "value": Out(BITS),
                "rounded": Out(signed(RESULT_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value, count = Signal(BITS, reset_less=True), Signal(COUNT_BITS, reset_less=True)
        lost = Signal(reset_less=True)
        coarse, fine, odd = self._steps(m, value, count)
        with m.If(coarse):
            m.d.sync += value.eq(value << COARSE)
        with m.Elif(fine):
            m.d.sync += value.eq(value << 2)
        with m.Elif(odd):
            m.d.sync += value.eq(value << 1)
        for place in range(3):
            low = SHIFT * place
            width = PART_BITS if place == 2 else SHIFT
            with m.If(self.load[place]):
                m.d.sync += value[low : low + width].eq(self.part)
        self._count(m, count, coarse, fine, odd)
        steps = ((coarse, COARSE), (fine, 2), (odd, 1))
        leaves = [step & ~_alike(value[BITS - 1 - width :]) for step, width in steps]
        with m.If(self.load.any()):
            m.d.sync += lost.eq(0)
        with m.Elif(self.align & Cat(leaves).any()):
            m.d.sync += lost.eq(1)
        m.d.comb += self.value.eq(value)
        self._round(m, value, lost)
        return m

    def _steps(self, m: Module, value: Value, count: Value) -> tuple[Value, Value, Value]:
        """Whether to shift by 6, 2 or 1 bits in this cycle."""
        coarse, fine, odd = Signal(name="coarse"), Signal(name="fine"), Signal(name="odd")
        zeros = ~value[BITS - COARSE :].any()
        m.d.comb += [
            coarse.eq((self.normalize & zeros) | (self.align & (count >= COARSE))),
            fine.eq(
                ~coarse
                & ((self.normalize & ~value[BITS - 2 :].any()) | (self.align & (count >= 2)))
            ),
            odd.eq(~coarse & ~fine & self.align & count[0]),
            self.settled.eq(~coarse & ~fine & ~odd),
        ]
        return coarse, fine, odd

    def _count(self, m: Module, count: Signal, coarse: Value, fine: Value, odd: Value) -> None:
        step = Mux(coarse, COARSE, Mux(fine, 2, Mux(odd, 1, 0)))
        with m.If(self.set_count):
            m.d.sync += count.eq(self.count)
        with m.Else():
            m.d.sync += count.eq(Mux(self.normalize, count + (step >> 1), count - step))

    def _round(self, m: Module, value: Value, lost: Value) -> None:
        low = BITS - RESULT_BITS
        negative = Signal(reset_less=True)
        total, exceeds = Signal(RESULT_BITS, reset_less=True), Signal(reset_less=True)
        with m.If(self.load[2]):
            m.d.sync += negative.eq(self.part[-1])
        m.d.sync += [total.eq(value[low:] + value[low - 1]), exceeds.eq(lost)]
        limit = Cat((~negative).replicate(RESULT_BITS - 1), negative)
        beyond = exceeds | (~negative & total[-1])
        m.d.comb += self.rounded.eq(Mux(beyond, limit, total).as_signed())


def _alike(bits: Value) -> Value:
    """Whether all of ``bits`` are equal."""
    return bits.all() | ~bits.any()
