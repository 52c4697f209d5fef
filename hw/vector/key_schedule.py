"""The words that a generator's rounds add, from its key."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.threefry import PARITY, WORD_BITS

__all__ = ["KeySchedule"]


class KeySchedule(wiring.Component):
    """k₂ = parity ⊕ k₀ ⊕ k₁, and the sums k₂ + 1, k₀ + 2 and k₁ + 3 (`hw.contract.threefry`).

    Members
    -------
    key : In(128)        k₀, k₁, held from ``load`` on
    load : In(1)         the key is new
    third, third_and_1, first_and_2, second_and_3 : Out(64)
    ready : Out(1)       they are those of the key

    Timing: ready ``latency_cycles`` after ``load``: a bit a cycle, as keys last for a tensor.
    """

    latency_cycles = WORD_BITS + 1

    def __init__(self) -> None:
        words = ("third", "third_and_1", "first_and_2", "second_and_3")
        super().__init__(
            {
                "key": In(2 * WORD_BITS),
                "load": In(1),
                **{name: Out(WORD_BITS) for name in words},
                "ready": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place, running = Signal(range(WORD_BITS)), Signal()
        first, second, parity = (
            Signal(name=name, reset_less=True) for name in ("first", "second", "parity")
        )
        third = first ^ second ^ parity
        # the bits at ``place``, chosen a cycle before
        following = Signal.like(place)
        words = (self.key[:WORD_BITS], self.key[WORD_BITS:], Const(PARITY, WORD_BITS))
        for bit, word in zip((first, second, parity), words, strict=True):
            m.d.sync += bit.eq(Mux(self.load, word[0], word.bit_select(following, 1)))
        with m.If(self.load):
            m.d.sync += [place.eq(0), following.eq(1), running.eq(1), self.ready.eq(0)]
        with m.Elif(running):
            m.d.sync += [
                place.eq(following),
                following.eq(following + 1),
                running.eq(place != WORD_BITS - 1),
                self.ready.eq(place == WORD_BITS - 1),
                self.third.eq(Cat(self.third[1:], third)),
            ]
            self._add(m, self.third_and_1, third, 1, place)
            self._add(m, self.first_and_2, first, 2, place)
            self._add(m, self.second_and_3, second, 3, place)
        return m

    def _add(self, m: Module, word: Signal, bit: Value, number: int, place: Value) -> None:
        """``word`` becomes the sum of ``number`` and the bits that come, the lowest first."""
        addend = (place == 0) & (number & 1) | (place == 1) & (number >> 1)
        kept = Signal(name=f"carry_{number}")
        carry = kept & (place != 0)
        m.d.sync += [
            word.eq(Cat(word[1:], bit ^ addend ^ carry)),
            kept.eq((bit & addend) | (bit & carry) | (addend & carry)),
        ]
