"""z of one and two batch norms and a residual, and what is made of it, as the definition has it."""

from itertools import product

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from hypothesis import given, settings
from hypothesis import strategies as st

from fractrain.hw.contract.normalized import WIDE, Format, inner_format
from fractrain.hw.contract.numerics import FORM_BITS, LIFTED_FRACTION
from fractrain.hw.vector.form import FactorLift, Former
from fractrain.hw.vector.levels import Leveler, LevelerControl
from fractrain.sim.golden.step import forward
from fractrain.sim.golden.step.forward import Term, residual_shift
from tests.hw.refusals import assert_refused
from tests.hw.vector.beats import Beats, ends_and_random

LANES = 2
FORMATS = [*(inner_format(bits) for bits in range(4, 12)), WIDE]
G, B, RHO = (-(1 << 17), (1 << 17) - 1), (-(1 << 29), (1 << 29) - 1), (-(1 << 17), (1 << 17) - 1)


class Formed(wiring.Component):
    """A former behind the lift of its factor, which takes both a cycle ahead."""

    def __init__(self, *, primitives: bool) -> None:
        self.former, self.lift = Former(LANES, primitives=primitives), FactorLift()
        members = dict(self.former.signature.members.items())
        lift = dict(self.lift.signature.members.items())
        members["factor"], members["format"] = lift["factor"], lift["bits"]
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.former, m.submodules.lift = self.former, self.lift
        for name, member in self.former.signature.members.items():
            if name == "factor":
                continue
            pair = getattr(self.former, name), getattr(self, name)
            m.d.comb += pair[0].eq(pair[1]) if member.flow == wiring.In else pair[1].eq(pair[0])
        m.d.comb += [
            self.lift.bits.eq(self.format),
            self.lift.factor.eq(self.factor),
            self.former.factor.eq(self.lift.lifted),
        ]
        return m


@pytest.fixture(scope="module", params=["plain", "primitives"])
def former(request: pytest.FixtureRequest) -> Beats:
    formed = Formed(primitives=request.param == "primitives")
    each = formed.former
    cycles = dict.fromkeys(("residual", "residual_factor"), each.RESIDUAL_CYCLE)
    cycles |= {"offset": each.OFFSET_CYCLE, "sums": each.sum_cycles}
    cycles |= dict.fromkeys(("factor", "format"), -FactorLift.latency_cycles)
    cycles |= dict.fromkeys(("activations", "stream", "mask"), each.latency_cycles)
    name = f"vector_former_{request.param}"
    return Beats(formed, name, cycles, models=request.param == "primitives")


def draw(rng: np.random.Generator, pixels: int, terms: int) -> list[dict[str, np.ndarray]]:
    """One or two beats for each set of pixels, of one format and number of bits each."""
    a, c = int(rng.integers(1, 9)), int(rng.integers(8, 17))
    r = ends_and_random(rng, 0, (1 << c) - 1, (pixels, LANES))
    rho = ends_and_random(rng, *RHO, pixels) * int(rng.random() < 0.8)
    shrink = int(rng.choice([0, 0, 8, 14]))  # so that z is often around what a and r reach
    found = []
    for _ in range(terms):
        form = FORMATS[rng.integers(0, len(FORMATS))]
        found.append(
            {
                "form": form,
                "x": ends_and_random(rng, -form.most, form.most, (pixels, LANES)),
                "factor": ends_and_random(rng, *G, pixels) >> shrink,
                "offset": ends_and_random(rng, *B, pixels) >> shrink,
                "r": r,
                "rho": rho >> shrink,
                "bits": a,
                "residual_bits": c,
            }
        )
    return found


def wanted(terms: list[dict[str, np.ndarray]], pixel: int) -> tuple[np.ndarray, ...]:
    """z, a, r of one set of pixels."""
    first = terms[0]
    pairs = [
        (
            each["x"][pixel].reshape(1, 1, 1, -1),
            Term(each["factor"][[pixel]], each["offset"][[pixel]]),
        )
        for each in terms
    ]
    c = first["residual_bits"]
    residual = first["r"][pixel].reshape(1, 1, 1, -1), int(first["rho"][pixel]), residual_shift(c)
    z = forward.form(pairs, residual)[0, 0, 0]
    return z, forward.round_activations(z, first["bits"]), forward.round_activations(z, c)


def check(player: Beats, sets: list[list[dict[str, np.ndarray]]]) -> None:
    columns: dict[str, list[np.ndarray]] = {}
    last, truth = [], []
    for terms in sets:
        pixels = len(terms[0]["x"])
        for pixel in range(pixels):
            for number, each in enumerate(terms):
                form: Format = each["form"]
                lift = max(LIFTED_FRACTION - form.fraction, 0)
                beat = {
                    "format": form.bits,
                    "normalized": each["x"][pixel] << lift,
                    "factor": each["factor"][pixel],
                    "offset": sum(int(other["offset"][pixel]) for other in terms),
                    "residual": each["r"][pixel] << 16 - each["residual_bits"],
                    "residual_factor": each["rho"][pixel],
                    "first": number == 0,
                    "bits": each["bits"],
                    "residual_bits": each["residual_bits"],
                }
                for name, value in beat.items():
                    columns.setdefault(name, []).append(value)
            last.append(len(columns["first"]) - 1)
            truth.append((wanted(terms, pixel), terms[0]["bits"], terms[0]["residual_bits"]))
    found = player.play(**{name: np.array(values) for name, values in columns.items()})
    for beat, ((z, a, r), bits, residual_bits) in zip(last, truth, strict=True):
        assert np.array_equal(found["sums"][beat], z << LIFTED_FRACTION)
        assert np.array_equal(found["activations"][beat], a << 8 - bits)
        assert np.array_equal(found["stream"][beat], r << 16 - residual_bits)
        assert found["mask"][beat] == sum(1 << lane for lane in range(LANES) if z[lane] > 0)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 2)), min_size=1, max_size=12),
    st.integers(0, 1 << 30),
)
def test_the_definition(former: Beats, shapes: list[tuple[int, int]], seed: int) -> None:
    """One batch norm and two, in any order, each set with bits of its own."""
    rng = np.random.default_rng(seed)
    check(former, [draw(rng, pixels, terms) for pixels, terms in shapes])


def test_all_ends(former: Beats) -> None:
    """z goes to the ends of its word, with two batch norms and a residual."""
    sets = []
    for form, sign, c in product(FORMATS, (0, 1), (8, 16)):
        each = {
            "form": form,
            "x": np.array([[form.most, -form.most]]),
            "factor": np.array([G[sign]]),
            "offset": np.array([B[sign]]),
            "r": np.full((1, LANES), (1 << c) - 1),
            "rho": np.array([RHO[sign]]),
            "bits": 8,
            "residual_bits": c,
        }
        sets.append([each, each])
    check(former, sets)


class Leveled(wiring.Component):
    """A leveler with its control; ``bits`` is a cycle ahead."""

    def __init__(self, word_bits: int, fewest: int) -> None:
        self.leveler = Leveler(word_bits)
        self.control = LevelerControl(word_bits, fewest)
        members = self.leveler.signature.members
        super().__init__(
            {
                "z": members["z"],
                "bits": self.control.signature.members["bits"],
                "result": members["result"],
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.leveler, m.submodules.control = self.leveler, self.control
        m.d.comb += [
            self.control.bits.eq(self.bits),
            self.leveler.control.eq(self.control.control),
            self.leveler.z.eq(self.z),
            self.result.eq(self.leveler.result),
        ]
        return m


@pytest.mark.parametrize(("word_bits", "fewest"), [(3, 1), (8, 1)])
def test_every_z_around_what_is_formed(word_bits: int, fewest: int) -> None:
    """All of the upper bits of z, whose lower ones are around a half."""
    cycles = {"bits": -1, "result": Leveler.latency_cycles}
    player = Beats(Leveled(word_bits, fewest), f"vector_leveler_{word_bits}", cycles)
    for b in range(fewest, word_bits + 1):
        low = FORM_BITS - b
        steps = np.arange(-3, (1 << b) + 3) << low
        z = np.concatenate([steps + (1 << low - 1) + each for each in (-1, 0, 1)] + [steps])
        z = np.concatenate([z, [1 << 30, (1 << 31) - 1, -(1 << 31), 1 << 19, -1]])
        found = player.play(z=z, bits=np.full(len(z), b))["result"]
        assert np.array_equal(found, forward.round_activations(z, b) << word_bits - b), b


def test_refusals() -> None:
    assert_refused(lambda: Former(0), "at least 1")
    for bits in (7, 17):
        assert_refused(lambda bits=bits: Former(1, bits), r"8\.\.16")
    assert_refused(lambda: Leveler(19), r"1\.\.18")
    assert_refused(lambda: LevelerControl(8, 0), r"1\.\.18")
