"""Sums become y: shift either way, round, saturate."""

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.vector.align import Aligner

__all__ = ["Narrower"]


class Narrower(wiring.Component):
    """y = sat(round(sum · 2^−shift)) of ``count`` sums (docs/numerics.md, Sums become y).

    Members
    -------
    sums : In(ArrayLayout(signed(bits), count))
    shift : In(signed), a cycle ahead of its sums: s, ``least_shift`` .. ``most_shift``. A greater s
        gives what ``most_shift`` gives: 0; a smaller one what ``least_shift`` gives: the limits
    results : Out(ArrayLayout(signed(result_bits), count))

    ``bits``: of a sum, `SUM_BITS` or what the machine's sums have; ``result_bits``: of y.

    Timing: ``latency_cycles``, a set of sums a cycle. Flow-through, no back-pressure.
    Numbers: two's complement, ties up, saturating. The greatest |sum| is `hw.vector.peak`'s, from
    the same sums: it is measured before saturation.
    Errors: those of `Aligner`.
    """

    def __init__(
        self, count: int, bits: int = SUM_BITS, result_bits: int = numerics.NARROW_BITS
    ) -> None:
        self.result_bits, self.least_shift, self.most_shift = result_bits, 1 - result_bits, bits
        # with a bit of fraction, which rounds
        self.aligner = Aligner(
            count, bits + 1, result_bits, left=-self.least_shift, right=self.most_shift
        )
        super().__init__(
            {
                "sums": In(data.ArrayLayout(signed(bits), count)),
                "shift": In(self.aligner.shift.shape()),
                "results": Out(data.ArrayLayout(signed(result_bits), count)),
            }
        )

    @property
    def latency_cycles(self) -> int:
        """Alignment, rounding, saturation."""
        return self.aligner.latency_cycles + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.aligner = self.aligner
        m.d.comb += self.aligner.shift.eq(self.shift)
        for index in range(self.aligner.count):
            m.d.comb += self.aligner.numbers[index].eq(Cat(Const(0, 1), self.sums[index]))
            self._round(m, index)
        return m

    def _round(self, m: Module, index: int) -> None:
        """Two steps. A positive number that rounding has made negative was the greatest one."""
        kept, sign = self.aligner.kept[index], self.aligner.signs[index]
        rounded = Signal(self.result_bits, name=f"rounded_{index}", reset_less=True)
        negative = Signal(name=f"negative_{index}", reset_less=True)
        large = Signal(name=f"large_{index}", reset_less=True)
        result = Signal(self.result_bits, name=f"result_{index}", reset_less=True)
        greatest = (1 << (self.result_bits - 1)) - 1
        m.d.sync += [
            rounded.eq(Cat(kept[1:], sign) + kept[0]),
            negative.eq(sign),
            large.eq(self.aligner.large[index]),
        ]
        with m.If(~negative & (large | rounded[-1])):
            m.d.sync += result.eq(greatest)
        with m.Elif(negative & large):
            m.d.sync += result.eq(~greatest)
        with m.Else():
            m.d.sync += result.eq(rounded)
        m.d.comb += self.results[index].eq(result)
