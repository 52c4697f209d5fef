"""The random bytes of a beat: threefry and xorshift, in a ring of two passes."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract.numerics import RANDOM_BITS
from fractrain.hw.contract.random_bits import (
    CHANNEL_PAIR_BITS,
    IMAGE_BITS,
    PIXEL_GROUP_BITS,
    WORD_PIXELS,
    XORSHIFT,
)
from fractrain.hw.contract.threefry import ROTATIONS, ROUNDS, ROUNDS_PER_KEY, WORD_BITS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.key_schedule import KeySchedule

__all__ = ["RandomBytes", "counter_layout"]

PASS_ROUNDS = len(ROTATIONS)
"""Of the first pass; the second has the rounds that are left, whose rotations are the same."""
LAST_ROUNDS = ROUNDS - PASS_ROUNDS
WORDS = WORD_PIXELS * RANDOM_BITS // WORD_BITS
"""Words that one word of the generator grows to."""


def counter_layout() -> data.StructLayout:
    """The place of 2 × 32 elements: the image in the mini-batch, channel div 2, pixel div 32."""
    return data.StructLayout(
        {"image": IMAGE_BITS, "group": PIXEL_GROUP_BITS, "pair": CHANNEL_PAIR_BITS}
    )


class RandomBytes(wiring.Component):
    """The bytes u that 32 pixels of two channels are rounded with (`hw.contract.random_bits`).

    Members
    -------
    key : In(128), load : In(1), ready : Out(1)      as `KeySchedule`; no counter before ``ready``
    counters : In(stream of `counter_layout`)
    valid : Out(1)       these are the bytes of a counter's even channel, and in the next cycle
    random : Out(ArrayLayout(8, 32))                 of its odd one

    Timing: ``latency_cycles`` from a counter's transfer to the bytes of its even channel; a counter
    every other cycle, so a beat of 32 pixels a cycle. No back-pressure at the bytes.

    A counter goes twice through a ring: rounds 1 to 8, then 9 to 13, whose rotations are those of
    1 to 5. An odd number of registers sends its second pass between the first ones of others.
    """

    RING = 2 * (1 + ROUNDS_PER_KEY) + 1
    """Registers: twice the key's words and the rounds until the next, and one to make them odd."""
    RING_CYCLES = RING + 2 + LAST_ROUNDS
    """Until the last round is done: its keys are added twice in the second pass."""
    latency_cycles = RING_CYCLES + 1 + WORDS - 1
    """The ring, the word of the channel, its growth."""

    def __init__(self) -> None:
        self.schedule = KeySchedule()
        members = self.schedule.signature.members
        super().__init__(
            {
                **{name: members[name] for name in ("key", "load", "ready")},
                "counters": In(stream.Signature(counter_layout())),
                "valid": Out(1),
                "random": Out(data.ArrayLayout(RANDOM_BITS, WORD_PIXELS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.schedule = schedule = self.schedule
        phase = Signal()
        m.d.sync += phase.eq(~phase)
        m.d.comb += [
            schedule.key.eq(self.key),
            schedule.load.eq(self.load),
            self.ready.eq(schedule.ready),
            self.counters.ready.eq(phase & schedule.ready),
        ]
        begins = self.counters.valid & self.counters.ready
        x0, x1 = self._ring(m, phase)
        ends = delayed(m, begins, self.RING_CYCLES, name="ends", reset_less=False)
        valid = self._grow(m, x0, x1, ends)
        m.d.comb += self.valid.eq(valid)
        return m

    def _ring(self, m: Module, phase: Value) -> tuple[Value, Value]:
        """Both words after the rounds of the second pass. ``phase``: a counter enters, else what
        has gone round."""
        k0, k1 = self.key[:WORD_BITS], self.key[WORD_BITS:]
        words = self.schedule
        back = [Signal(WORD_BITS, name=f"back_{i}", reset_less=True) for i in range(2)]
        counter = self.counters.payload
        x0 = Mux(phase, counter.image, back[0])
        x1 = Mux(phase, Cat(counter.group, counter.pair), back[1])
        first_pass: Value = phase
        rotations = iter(ROTATIONS)
        keys = (
            (k0, k1, words.third, words.first_and_2),
            (k1, words.third_and_1, k0, words.second_and_3),
        )
        done: tuple[Value, Value] | None = None
        number = 0
        for half, (one, other, later_one, later_other) in enumerate(keys):
            added = Mux(first_pass, one, later_one), Mux(first_pass, other, later_other)
            x0, x1 = self._stage(m, f"key_{half}", x0 + added[0], x1 + added[1])
            first_pass = self._later(m, first_pass, 1 + ROUNDS_PER_KEY, f"pass_{half}")
            for _ in range(ROUNDS_PER_KEY):
                number += 1
                total = (x0 + x1)[:WORD_BITS]
                mixed = x1.rotate_left(next(rotations)) ^ total
                x0, x1 = self._stage(m, f"round_{number}", total, mixed)
                if number == LAST_ROUNDS:
                    done = x0, x1
        m.d.sync += [back[0].eq(x0), back[1].eq(x1)]
        assert done is not None
        return done

    @staticmethod
    def _stage(m: Module, name: str, x0: Value, x1: Value) -> tuple[Value, Value]:
        registers = tuple(Signal(WORD_BITS, name=f"{name}_x{i}", reset_less=True) for i in range(2))
        m.d.sync += [register.eq(x) for register, x in zip(registers, (x0, x1), strict=True)]
        return registers

    @staticmethod
    def _later(m: Module, value: Value, cycles: int, name: str) -> Value:
        return delayed(m, value, cycles, name=name)

    def _grow(self, m: Module, x0: Value, x1: Value, ends: Value) -> Value:
        """The words of either channel, one after the other, and what they grow to; whether they
        are those of an even channel."""
        other = delayed(m, x1, 1, name="other")
        word = Signal(WORD_BITS, reset_less=True)
        m.d.sync += word.eq(Mux(ends, x0, other))
        words = [word]
        for number in range(1, WORDS):
            grown = Signal(WORD_BITS, name=f"grown_{number}", reset_less=True)
            m.d.sync += grown.eq(_xorshift(words[-1]))
            # with reset: no shift registers, which take look-up tables
            words = [
                delayed(m, each, 1, name=f"word_{number}_{i}", reset_less=False)
                for i, each in enumerate(words)
            ]
            words.append(grown)
        m.d.comb += self.random.eq(Cat(words))
        return delayed(m, ends, WORDS, name="valid", reset_less=False)


def _xorshift(word: Value) -> Value:
    left, right, again = XORSHIFT
    word = word ^ (word << left)[:WORD_BITS]
    word = word ^ (word >> right)
    return word ^ (word << again)[:WORD_BITS]
