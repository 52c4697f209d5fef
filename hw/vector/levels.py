"""z becomes unsigned numbers: activations, and the residual."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.half import half
from fractrain.hw.vector.words import shape_of

__all__ = ["Leveler", "LevelerControl", "leveler_control"]

Z_TOP = numerics.FORM_BITS - 1
"""The bit of z that is the highest of what is formed, of however many bits."""


def leveler_control(word_bits: int) -> data.StructLayout:
    """Of a `Leveler`: ``half``, one bit for each place where it may be, the lowest of them below
    the word; ``kept``: the bits of the word that the result has."""
    return data.StructLayout({"half": word_bits, "kept": word_bits})


class LevelerControl(wiring.Component):
    """The control of a `Leveler` for b bits.

    Members
    -------
    bits : In, ``fewest`` .. ``word_bits``
    control : Out(`leveler_control`)    ``half`` a cycle later, ``kept`` another one later
    """

    def __init__(self, word_bits: int, fewest: int) -> None:
        if not 1 <= fewest <= word_bits <= Z_TOP:
            raise ParameterError("bits of a number", f"{fewest}..{word_bits}", f"1..{Z_TOP}")
        self.word_bits, self.widths = word_bits, range(fewest, word_bits + 1)
        super().__init__(
            {"bits": In(range(word_bits + 1)), "control": Out(leveler_control(word_bits))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lowest = Z_TOP - self.word_bits
        rounding = half(m, self.bits, self.widths, Z_TOP, name="half")
        bits = delayed(m, self.bits, 1, name="bits")
        kept = Signal(self.word_bits, reset_less=True)
        for place in range(self.word_bits):
            # the bits of the word that a number of so few bits has, too
            fewest = self.word_bits - place
            m.d.sync += kept[place].eq(1 if fewest <= self.widths[0] else bits >= fewest)
        m.d.comb += [self.control.half.eq(rounding >> lowest), self.control.kept.eq(kept)]
        return m


class Leveler(wiring.Component):
    """round(z · 2^−(19−b)) in 0 .. 2^b − 1, b at run time, at the top of its word
    (docs/numerics.md, z, activations, residual, mask).

    Members
    -------
    z : In(signed(32)), control : In(`leveler_control`)    ``kept`` a cycle later
    result : Out(unsigned(word_bits))    the number · 2^(word_bits − b)

    Timing: ``latency_cycles``, a number a cycle. Flow-through, no back-pressure.
    """

    latency_cycles = 2

    def __init__(self, word_bits: int) -> None:
        if not 1 <= word_bits <= Z_TOP:
            raise ParameterError("bits of a number", word_bits, f"1..{Z_TOP}")
        self.word_bits = word_bits
        super().__init__(
            {
                "z": In(shape_of("z")),
                "control": In(leveler_control(word_bits)),
                "result": Out(unsigned(word_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = self.word_bits
        part = self.z[Z_TOP - word : Z_TOP + 1]  # the word, and below it the bit that rounds
        rounded = Signal(word + 2, reset_less=True)
        negative, above = Signal(reset_less=True), Signal(reset_less=True)
        result = Signal(word, reset_less=True)
        high = above | rounded[-1]
        m.d.sync += [
            rounded.eq(part + self.control.half),
            negative.eq(self.z[-1]),
            above.eq(self.z[Z_TOP + 1 : -1].any()),
            result.eq(
                (rounded[1:-1] | high.replicate(word))
                & self.control.kept
                & (~negative).replicate(word)
            ),
        ]
        m.d.comb += self.result.eq(result)
        return m
