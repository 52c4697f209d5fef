"""Weights and their momentum move: the update of a tensor."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from fractrain.hw.contract import numerics
from fractrain.hw.contract.errors import ParameterError
from fractrain.hw.contract.precision import SUM_BITS
from fractrain.hw.flow.delay import delayed
from fractrain.hw.vector.align import Aligner
from fractrain.hw.vector.scale import NEAREST, Scaler
from fractrain.hw.vector.words import shape_of

__all__ = ["Updater", "update_factors", "weights_layout"]

TERMS = ("momentum", "decay", "gradient")
FACTORS = (*TERMS, "rate")
"""In the order in which the products of a weight are made."""
INTERVAL = len(FACTORS)


def update_factors() -> data.StructLayout:
    """The constants of a tensor's update, each a mantissa and a shift that a `Scaler` takes; 0 is a
    mantissa of 0. ``preshift``: k₀ of the gradient's sums."""
    factor = data.StructLayout(
        {
            "mantissa": numerics.MULTIPLIER_BITS,
            "shift": signed(Scaler.MOST_SHIFT.bit_length() + 1),
        }
    )
    return data.StructLayout(
        {**dict.fromkeys(FACTORS, factor), "preshift": range(Updater.MOST_PRESHIFT + 1)}
    )


def weights_layout(lanes: int) -> data.StructLayout:
    """Weights, their momentum, and the sums of their gradients."""
    word = data.ArrayLayout(shape_of("w"), lanes)
    sums = data.ArrayLayout(signed(SUM_BITS), lanes)
    return data.StructLayout({"weights": word, "momenta": word, "sums": sums})


class Updater(wiring.Component):
    """The update of ``lanes`` weights at once (docs/numerics.md, Update):

        v ← sat32(μ·v + decay·w + factor·round(Σ · 2^−k₀))
        w ← sat32(w − ⌊rate·v + (2u + 1)/512⌋)

    each product rounded by itself to 33 bits, saturating; the last to nearest if its factor has a
    shift of 8 or less.

    Members
    -------
    factors : In(`update_factors`)     of the tensor, from a cycle before its first weights until
                     it is not ``busy``
    weights : In(stream of `weights_layout`)
    random : In(ArrayLayout(8, lanes)), ``random_cycle`` cycles after the weights     u
    moved : Out(1), momenta : Out(ArrayLayout(signed(32), lanes))     v, ``momentum_cycles`` after
    done : Out(1), results : Out(ArrayLayout(signed(32), lanes))      w, ``latency_cycles`` after
    busy : Out(1)

    Timing: weights every `INTERVAL` cycles, as a lane makes its four products one after the other,
    the last of them that of weights before. No back-pressure at the results. Two DSP48E1 a lane.
    Errors: `ParameterError` for no lane.
    """

    MOST_PRESHIFT = SUM_BITS - numerics.MASTER_BITS + 1
    """k₀ of the largest sums: rounded, they are one too large after a bit less."""

    def __init__(self, lanes: int, *, primitives: bool = False) -> None:
        if lanes < 1:
            raise ParameterError("lanes", lanes, "at least 1")
        self.lanes = lanes
        self.scaler = Scaler(lanes, primitives=primitives)
        # with a bit of fraction, which rounds
        self.aligner = Aligner(
            lanes, SUM_BITS + 1, numerics.MASTER_BITS, left=0, right=self.MOST_PRESHIFT
        )
        word = data.ArrayLayout(shape_of("w"), lanes)
        super().__init__(
            {
                "factors": In(update_factors()),
                "weights": In(stream.Signature(weights_layout(lanes))),
                "random": In(data.ArrayLayout(unsigned(numerics.RANDOM_BITS), lanes)),
                "moved": Out(1),
                "momenta": Out(word),
                "done": Out(1),
                "results": Out(word),
                "busy": Out(1),
            }
        )

    @property
    def _first_cycle(self) -> int:
        """The first product's factors, after the register of the weights and the choice."""
        return 2

    @property
    def momentum_cycles(self) -> int:
        """The last of the terms, the sum, saturation."""
        return self._first_cycle + len(TERMS) - 1 + self.scaler.latency_cycles + 2

    @property
    def _rate_cycle(self) -> int:
        """The product of the new momentum, in its place among those of other weights."""
        place = self._first_cycle + FACTORS.index("rate")
        waited = self.momentum_cycles + 1 - place
        return place + -(-waited // INTERVAL) * INTERVAL

    @property
    def random_cycle(self) -> int:
        """A cycle before it becomes noise."""
        return self._rate_cycle + self.scaler.noise_cycle - 1

    @property
    def latency_cycles(self) -> int:
        """The difference, and saturation."""
        return self._rate_cycle + self.scaler.latency_cycles + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.scaler, m.submodules.aligner = self.scaler, self.aligner
        phase = Signal(range(INTERVAL))  # weights enter at 0
        enters = Signal()
        m.d.sync += phase.eq(phase + 1)
        m.d.comb += [
            self.weights.ready.eq(phase == 0),
            enters.eq(self.weights.valid & (phase == 0)),
            self.aligner.shift.eq(self.factors.preshift),
            self.aligner.numbers.eq(
                Cat(Cat(Const(0, 1), each) for each in self.weights.payload.sums)
            ),
        ]
        self._control(m, phase)
        for lane in range(self.lanes):
            number, momentum, weight = self._choose(m, lane, phase)
            self._add(m, lane, phase, momentum)
            self._move(m, lane, phase, weight)
            m.d.comb += self.scaler.numbers[lane].eq(number)
        self._follow(m, enters)
        return m

    def _at(self, cycle: int) -> int:
        """The phase of a cycle, counted from that in which weights entered."""
        return cycle % INTERVAL

    def _control(self, m: Module, phase: Value) -> None:
        """The factor of each product, and its noise."""
        scaler, factors = self.scaler, self.factors
        mantissa = Signal.like(scaler.mantissa, reset_less=True)
        shift = Signal.like(scaler.shift, reset_less=True)
        noise = Signal.like(scaler.noise, reset_less=True)
        with m.Switch(phase):
            for number, name in enumerate(FACTORS):
                with m.Case(self._at(self._first_cycle - 1 + number)):
                    m.d.sync += [
                        mantissa.eq(factors[name].mantissa),
                        shift.eq(factors[name].shift),
                    ]
        randomly = (phase == self._at(self.random_cycle)) & (
            factors.rate.shift > numerics.RANDOM_BITS
        )
        for lane in range(self.lanes):
            byte = Cat(Const(1, 1), self.random[lane])
            m.d.sync += noise[lane].eq(Mux(randomly, byte, NEAREST))
        m.d.comb += [
            scaler.mantissa.eq(mantissa),
            scaler.shift.eq(shift),
            scaler.noise.eq(noise),
        ]

    def _choose(self, m: Module, lane: int, phase: Value) -> tuple[Value, Signal, Value]:
        """The number to multiply; where the new momentum goes; the weight when it is moved."""
        given = self.weights.payload
        word = shape_of("w")
        names = ("number", "weight", "before", "momentum")
        number, weight, before, momentum = (
            Signal(word, name=f"{name}_{lane}", reset_less=True) for name in names
        )
        one = Signal(name=f"one_{lane}", reset_less=True)
        late = self._first_cycle - 1 + TERMS.index("gradient") - self.aligner.latency_cycles
        gradient = delayed(
            m,
            Cat(self.aligner.kept[lane], self.aligner.signs[lane]),
            late,
            name=f"gradient_{lane}",
        )
        with m.If(phase == 0):
            m.d.sync += [weight.eq(given.weights[lane]), before.eq(given.momenta[lane])]
        ways = {"momentum": before, "decay": weight, "gradient": gradient[1:], "rate": momentum}
        m.d.sync += one.eq(0)
        with m.Switch(phase):
            for place, name in enumerate(FACTORS):
                with m.Case(self._at(self._first_cycle - 1 + place)):
                    m.d.sync += number.eq(ways[name])
                    if name == "gradient":
                        m.d.sync += one.eq(gradient[0])
        m.d.comb += self.scaler.ones[lane].eq(one)
        return number, momentum, self._kept(m, lane, phase, weight)

    def _kept(self, m: Module, lane: int, phase: Value, weight: Value) -> Value:
        """``weight`` as it was so many intervals ago that its own difference is made now."""
        made = self.latency_cycles - 2
        for number in range((made - 1) // INTERVAL):
            later = Signal.like(weight, name=f"weight_{lane}_{number}", reset_less=True)
            with m.If(phase == 0):
                m.d.sync += later.eq(weight)
            weight = later
        return weight

    def _add(self, m: Module, lane: int, phase: Value, momentum: Signal) -> None:
        """v, from the terms as they come."""
        total = Signal(shape_of("Σ terms"), name=f"total_{lane}", reset_less=True)
        first = phase == self._at(self._first_cycle + self.scaler.latency_cycles)
        m.d.sync += total.eq(self.scaler.terms[lane] + Mux(first, 0, total))
        with m.If(phase == self._at(self.momentum_cycles - 1)):
            m.d.sync += momentum.eq(_saturated(total, len(momentum)))
        m.d.comb += self.momenta[lane].eq(momentum)

    def _move(self, m: Module, lane: int, phase: Value, weight: Value) -> None:
        difference = Signal(shape_of("w − term"), name=f"difference_{lane}", reset_less=True)
        result = Signal(shape_of("w"), name=f"result_{lane}", reset_less=True)
        m.d.sync += difference.eq(weight - self.scaler.terms[lane])
        with m.If(phase == self._at(self.latency_cycles - 1)):
            m.d.sync += result.eq(_saturated(difference, len(result)))
        m.d.comb += self.results[lane].eq(result)

    def _follow(self, m: Module, enters: Value) -> None:
        """When results are there."""
        after = {
            cycles: delayed(m, enters, cycles, name=f"after_{cycles}", reset_less=False)
            for cycles in (self.momentum_cycles, self.latency_cycles)
        }
        left, busy = Signal(range(self.latency_cycles + 1)), Signal()
        with m.If(enters):
            m.d.sync += [left.eq(self.latency_cycles), busy.eq(1)]
        with m.Elif(busy):
            m.d.sync += [left.eq(left - 1), busy.eq(left != 1)]
        m.d.comb += [
            self.moved.eq(after[self.momentum_cycles]),
            self.done.eq(after[self.latency_cycles]),
            self.busy.eq(busy),
        ]


def _saturated(number: Value, bits: int) -> Value:
    """``number`` in ``bits`` bits."""
    sign, top = number[-1], number[bits - 1 : -1]
    beyond = top != sign.replicate(len(top))
    return Cat(Mux(beyond, (~sign).replicate(bits - 1), number[: bits - 1]), sign).as_signed()
